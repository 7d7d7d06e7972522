/** The reader of the environment, and the text of `--help`. */
import { isIP } from 'node:net';
import type * as z from 'zod';
import { defaultLimits, type ServerLimits } from './api/base/limits.ts';
import type { Deadlines } from './lifecycle/change.ts';
import type { StreamLimits } from './server/wire/stream-limits.ts';
import {
  allSettings,
  deadlineSettings,
  hostSettings,
  type QueryLimit,
  type Setting,
  settings,
  streamSettings,
} from './settings.ts';

type Environment = Readonly<Record<string, string | undefined>>;

type Read<Settings extends Record<string, Setting<unknown>> = typeof settings> = {
  readonly [Key in keyof Settings]: z.output<Settings[Key]['schema']>;
};
/** Limits of the feed. */
interface FeedLimits {
  readonly ringBytes: number;
  readonly ringSeconds: number;
  readonly catchUpsAtATime: number;
}

export interface Config extends Omit<Read, QueryLimit | 'sampleData'> {
  readonly deadlines: Deadlines;
  readonly limits: ServerLimits;
  readonly streamLimits: StreamLimits;
  readonly busyPercent: number;
  readonly feed: FeedLimits;
  /** Does an empty store get the sample data? */
  readonly sampleData: boolean;
  /** Nothing is kept: the embedded store is in memory, and hosts end 10 s after the server. */
  readonly ephemeral: boolean;
  /** A sign-in link of the running server was requested, not a server. */
  readonly link: boolean;
  /** The secrets in the store are to be sealed with the first key; no server. */
  readonly rotateSecrets: boolean;
}

/** The options of the command line. */
export const flags = {
  '--help': 'print this list and exit',
  '--ephemeral': 'keep nothing: embedded store in memory; hosts end 10 s after the server',
  '--link': 'print a sign-in link of the running server and exit',
  '--rotate-secrets': 'seal the secrets in the store with the first key of SECRETS_KEY and exit',
} as const;

/** A wrong value; the message is one line that names it and the accepted values. */
export class ConfigError extends Error {}

/** Reads the settings. Throws a `ConfigError` at the first wrong one. */
export function parseConfig(environment: Environment, args: readonly string[] = []): Config {
  const unknown = args.find((each) => !(each in flags));
  if (unknown !== undefined)
    throw new ConfigError(
      `${shown(unknown)} is no option; it takes ${Object.keys(flags).join(', ')}.`,
    );
  refuseUnknownDeadlines(environment);
  const read = readSettings(settings, environment);
  const { depth, aliases, tokens, complexity, sampleData, ...rest } = read;
  const { socketsPerToken, subscriptionsPerToken, busyPercent, ...streams } = readSettings(
    streamSettings,
    environment,
  );
  const { ringBytes, ringSeconds, catchUpsAtATime, ...streamLimits } = streams;
  const ephemeral = args.includes('--ephemeral');
  checkTogether(read, ephemeral);
  const embeddedAtHome =
    !read.databaseUrl && isLoopback(read.host) && environment.NODE_ENV !== 'production';
  return {
    ...rest,
    limits: {
      ...defaultLimits,
      ...{ depth, aliases, tokens, complexity, socketsPerToken, subscriptionsPerToken },
    },
    streamLimits,
    busyPercent,
    feed: { ringBytes, ringSeconds, catchUpsAtATime },
    deadlines: readDeadlines(environment),
    sampleData: sampleData === 'auto' ? embeddedAtHome : sampleData === 'on',
    ephemeral,
    link: args.includes('--link'),
    rotateSecrets: args.includes('--rotate-secrets'),
  };
}

/** Is this a loopback address? */
function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'));
}

/**
 * The configuration of this process. Exits after `--help`, and with code 1 and one line after a
 * wrong value.
 */
export function loadConfig(): Config {
  const args = process.argv.slice(2);
  if (args.includes('--help')) {
    process.stdout.write(helpText());
    process.exit(0);
  }
  try {
    return parseConfig(process.env, args);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    process.stderr.write(`${error.message}\n`);
    process.exit(1);
  }
}

/** The whole list, with the accepted values and the default of each setting. */
export function helpText(): string {
  const lines = allSettings.flatMap(({ name, byDefault, takes, about }) => [
    `  ${name}${byDefault ? `=${byDefault}` : ''}`,
    `      ${about}; takes ${takes}`,
  ]);
  const options = Object.entries(flags).map(([flag, about]) => `  ${flag.padEnd(16)} ${about}`);
  return ['Options:', ...options, '', 'Environment, with defaults:', ...lines, ''].join('\n');
}

function readSettings<Settings extends Record<string, Setting<unknown>>>(
  from: Settings,
  environment: Environment,
): Read<Settings> {
  return Object.fromEntries(
    Object.entries(from).map(([key, each]) => [key, readSetting<unknown>(each, environment)]),
  ) as Read<Settings>;
}

function readSetting<Value>(
  { name, byDefault, schema, takes, secret }: Setting<Value>,
  environment: Environment,
): Value {
  const given = environment[name] || byDefault;
  if (given === null) return undefined as Value;
  const parsed = schema.safeParse(given);
  if (parsed.success) return parsed.data;
  throw new ConfigError(`${name} takes ${takes}${secret ? '' : `, not ${shown(given)}`}.`);
}

function readDeadlines(environment: Environment): Deadlines {
  const of = (wanted: 'instance' | 'host') =>
    Object.fromEntries(
      deadlineSettings
        .filter(({ kind }) => kind === wanted)
        .map(({ state, setting }) => [state, readSetting(setting, environment)]),
    );
  return {
    instance: of('instance'),
    host: of('host'),
    removal: readSetting(hostSettings.removal, environment),
    healthCheck: readSetting(hostSettings.healthCheck, environment),
  };
}

function refuseUnknownDeadlines(environment: Environment): void {
  const known = allSettings.map(({ name }) => name).filter((n) => n.endsWith('_DEADLINE_SECONDS'));
  for (const name of Object.keys(environment)) {
    if (/^(INSTANCE|HOST)_\w+_DEADLINE_SECONDS$/.test(name) && !known.includes(name))
      throw new ConfigError(`${shown(name)} is no deadline; there are ${known.join(', ')}.`);
  }
}

function checkTogether(read: Read, ephemeral: boolean): void {
  if (Boolean(read.tlsCertFile) !== Boolean(read.tlsKeyFile))
    throw new ConfigError('TLS_CERT_FILE and TLS_KEY_FILE take two PEM files: set both or none.');
  if (!isLoopback(read.host) && !read.tlsCertFile && !read.allowInsecureHttp)
    throw new ConfigError(
      `HOST takes a loopback address (127.0.0.1, ::1, localhost), not ${shown(read.host)}, ` +
        'unless TLS_CERT_FILE and TLS_KEY_FILE are set or ALLOW_INSECURE_HTTP=1.',
    );
  if (read.dnsProvider === 'rfc2136' && !(read.dnsServer && read.dnsTsigName && read.dnsTsigSecret))
    throw new ConfigError(
      'DNS_PROVIDER=rfc2136 takes DNS_SERVER, DNS_TSIG_NAME and DNS_TSIG_SECRET: set all three.',
    );
  if (ephemeral && read.databaseUrl)
    throw new ConfigError('--ephemeral takes the embedded store: unset DATABASE_URL.');
}

/** A value in one line, without control characters, shortened. */
function shown(value: string): string {
  return JSON.stringify(value.length > 60 ? `${value.slice(0, 60)}…` : value);
}
