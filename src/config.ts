/** The one reader of the environment: what it takes, what it means, and what `--help` says of it. */
import { isIP } from 'node:net';
import { resolve } from 'node:path';
import { z } from 'zod';
import { defaultLimits, type ServerLimits } from './graphql/context.ts';
import { type Deadlines, defaultDeadlines } from './lifecycle/change.ts';

type Environment = Readonly<Record<string, string | undefined>>;

interface Setting<Value> {
  readonly name: string;
  /** As it would stand in the environment; null: unset means something of its own. */
  readonly byDefault: string | null;
  /** The values it takes, as the sentence "NAME takes …" goes on. */
  readonly takes: string;
  readonly about: string;
  /** Its value is never shown. */
  readonly secret?: true;
  readonly schema: z.ZodType<Value, string>;
}

/** What a schema is and how it is told to people. */
type Kind<Value> = Pick<Setting<Value>, 'takes' | 'schema' | 'secret'>;

const whole = (least: number, most: number): Kind<number> => ({
  takes: `a whole number from ${least} to ${most}`,
  schema: z.string().regex(/^\d+$/).transform(Number).pipe(z.number().min(least).max(most)),
});
const seconds = (least: number, most: number): Kind<number> => ({
  takes: `seconds, from ${least} to ${most}`,
  schema: z
    .string()
    .regex(/^\d+(\.\d+)?$/)
    .transform(Number)
    .pipe(z.number().min(least).max(most)),
});
const days: Kind<number> = {
  takes: 'days, more than 0 and at most 36500',
  schema: z
    .string()
    .regex(/^\d+(\.\d+)?$/)
    .transform(Number)
    .pipe(z.number().positive().max(36_500)),
};
const oneOf = <const Name extends string>(...names: readonly [Name, ...Name[]]): Kind<Name> => ({
  takes: `one of ${names.join(', ')}`,
  schema: z.enum(names) as unknown as z.ZodType<Name, string>,
});
const address: Kind<string> = {
  takes: 'an IP address or localhost',
  schema: z.string().refine((text) => text === 'localhost' || isIP(text) !== 0),
};
const path: Kind<string> = {
  takes: 'a path',
  schema: z.string().transform((text) => resolve(text)),
};
const yes: Kind<boolean> = {
  takes: '1 or 0',
  schema: z.enum(['0', '1']).transform((text) => text === '1') as z.ZodType<boolean, string>,
};
const text = (takes: string, pattern: RegExp): Kind<string> => ({
  takes,
  schema: z.string().regex(pattern),
});
const url = (takes: string, pattern: RegExp): Kind<string> => ({
  takes,
  schema: z.string().refine((value) => pattern.test(value) && URL.canParse(value)),
});
const secret = <Value>(kind: Kind<Value>): Kind<Value> => ({ ...kind, secret: true });
const hostNames: Kind<string[]> = {
  takes: 'host names, with commas between them',
  schema: z
    .string()
    .transform((names) =>
      names
        .toLowerCase()
        .split(',')
        .flatMap((name) => name.trim() || []),
    )
    .pipe(z.array(z.string().regex(/^[a-z0-9.:[\]-]+$/))),
};

/** A setting as `--help` shows it, `NAME=default`, what it takes, and what it is. */
function setting<Value>(nameAndDefault: string, kind: Kind<Value>, about: string): Setting<Value> {
  const [name = '', byDefault = ''] = nameAndDefault.split('=');
  return { name, byDefault, about, ...kind };
}

const optional = <Value>(name: string, kind: Kind<Value>, about: string) =>
  ({ name, byDefault: null, about, ...kind }) as Setting<Value | undefined>;

const domainName =
  /^(?=.{1,190}$)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*$/;
const limit = (name: QueryLimit, kind: Kind<number>, about: string) =>
  setting(`MAX_QUERY_${name.toUpperCase()}=${defaultLimits[name]}`, kind, about);
const logLevels = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;

const settings = {
  port: setting('PORT=4000', whole(0, 65535), 'TCP port of the API; 0 takes a free one'),
  host: setting(
    'HOST=127.0.0.1',
    address,
    'address to listen on; one that is not loopback needs TLS or ALLOW_INSECURE_HTTP=1',
  ),
  publicUrl: optional(
    'PUBLIC_URL',
    url('an http or https address without a path', /^https?:\/\/[^/?#@]+\/?$/),
    'address that browsers and runtimes use, where it is not the one listened on',
  ),
  allowedHosts: setting('ALLOWED_HOSTS=', hostNames, 'further names that a Host header may have'),
  tlsCertFile: optional('TLS_CERT_FILE', path, 'PEM file of the certificate and its chain'),
  tlsKeyFile: optional('TLS_KEY_FILE', path, 'PEM file of its private key'),
  allowInsecureHttp: setting(
    'ALLOW_INSECURE_HTTP=0',
    yes,
    'listen without TLS where HOST is not loopback: behind a proxy that has it',
  ),
  databaseUrl: optional(
    'DATABASE_URL',
    secret(url('postgres://user:password@host:port/database', /^postgres(ql)?:\/\//)),
    'PostgreSQL 15 or newer; unset: the embedded store in DATA_DIR',
  ),
  databaseConnections: setting(
    'DATABASE_CONNECTIONS=10',
    whole(1, 200),
    'connections for writes, and as many again for reads',
  ),
  dataDir: setting(
    'DATA_DIR=.data',
    path,
    'embedded store, the admin token, and the files of hosts of the process driver',
  ),
  adminToken: optional(
    'ADMIN_TOKEN',
    secret(text('32 to 512 characters without white space', /^[\x21-\x7e]{32,512}$/)),
    'token of the administrator; unset: made at the first start, kept in DATA_DIR',
  ),
  transitionRetentionDays: optional(
    'TRANSITION_RETENTION_DAYS',
    days,
    'rows of the log, transitions among them, older than this are deleted; unset: none',
  ),
  dnsZone: setting(
    'DNS_ZONE=instances.test',
    text('a domain name in lower case', domainName),
    'zone of the DNS names of hosts',
  ),
  dnsHost: setting('DNS_HOST=127.0.0.1', address, 'address of the name server'),
  dnsPort: setting('DNS_PORT=8053', whole(0, 65535), 'port of the name server; 0 takes a free one'),
  heartbeatSeconds: setting(
    'HEARTBEAT_SECONDS=10',
    seconds(0.1, 3600),
    'time between heartbeats of runtimes',
  ),
  settleSeconds: setting(
    'SETTLE_SECONDS=10',
    seconds(0, 600),
    'after a start nothing expires in it',
  ),
  sampleData: setting(
    'SAMPLE_DATA=auto',
    oneOf('auto', 'on', 'off'),
    'sample data in an empty store; auto: embedded store, loopback, not in production',
  ),
  logLevel: setting('LOG_LEVEL=info', oneOf(...logLevels), 'least level of the lines of the log'),
  depth: limit('depth', whole(5, 100), 'levels of a document'),
  aliases: limit('aliases', whole(0, 1000), 'aliases in a document'),
  tokens: limit('tokens', whole(500, 20_000), 'words and punctuators in a document'),
  complexity: limit('complexity', whole(1000, 10_000_000), 'cost: fields times list entries'),
};

const duration = seconds(0.1, 86_400);
/** One deadline per transient state, named after it. */
const deadlineSettings = (['instance', 'host'] as const).flatMap((kind) =>
  Object.entries(defaultDeadlines[kind]).map(([state, byDefault]) => ({
    kind,
    state,
    setting: setting(
      `${kind.toUpperCase()}_${state}_DEADLINE_SECONDS=${byDefault}`,
      duration,
      `time that the ${kind} may be ${state}`,
    ),
  })),
);
const hostSettings = {
  removal: setting(
    `HOST_REMOVAL_DEADLINE_SECONDS=${defaultDeadlines.removal}`,
    duration,
    'time that the removal of a host may take',
  ),
  healthCheck: setting(
    `HEALTH_CHECK_SECONDS=${defaultDeadlines.healthCheck}`,
    duration,
    'time between two health checks of a host',
  ),
};
const allSettings: readonly Setting<unknown>[] = [
  ...Object.values(settings),
  ...Object.values(hostSettings),
  ...deadlineSettings.map((each) => each.setting),
];

type Read = { readonly [Key in keyof typeof settings]: z.output<(typeof settings)[Key]['schema']> };
type QueryLimit = 'depth' | 'aliases' | 'tokens' | 'complexity';

export interface Config extends Omit<Read, QueryLimit | 'sampleData'> {
  readonly deadlines: Deadlines;
  readonly limits: ServerLimits;
  /** Whether an empty store gets the sample data. */
  readonly sampleData: boolean;
  /** Nothing is kept: the embedded store in memory, and hosts that end 10 s after the server. */
  readonly ephemeral: boolean;
  /** Asked for a sign-in link of the running server, not for a server. */
  readonly link: boolean;
}

const flags = {
  '--help': 'print this list',
  '--ephemeral': 'keep nothing: embedded store in memory, hosts end 10 s after the server',
  '--link': 'print a sign-in link of the running server, and end',
} as const;

/** A wrong value; the message is one line that names it and the values it takes. */
export class ConfigError extends Error {}

/** Reads the settings. Throws a `ConfigError` at the first wrong one. */
export function parseConfig(environment: Environment, args: readonly string[] = []): Config {
  const unknown = args.find((each) => !(each in flags));
  if (unknown !== undefined)
    throw new ConfigError(
      `${shown(unknown)} is no option; it takes ${Object.keys(flags).join(', ')}.`,
    );
  refuseUnknownDeadlines(environment);
  const read = Object.fromEntries(
    Object.entries(settings).map(([key, each]) => [key, readSetting<unknown>(each, environment)]),
  ) as unknown as Read;
  const { depth, aliases, tokens, complexity, sampleData, ...rest } = read;
  const ephemeral = args.includes('--ephemeral');
  checkTogether(read, ephemeral);
  const embeddedAtHome =
    !read.databaseUrl && isLoopback(read.host) && environment.NODE_ENV !== 'production';
  return {
    ...rest,
    limits: { ...defaultLimits, depth, aliases, tokens, complexity },
    deadlines: readDeadlines(environment),
    sampleData: sampleData === 'auto' ? embeddedAtHome : sampleData === 'on',
    ephemeral,
    link: args.includes('--link'),
  };
}

/** Is this address of the machine itself alone? */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'));
}

/**
 * The configuration of this process. Ends it after `--help`, and with one line and code 1 where a
 * value is wrong.
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

/** The whole list, with the values each setting takes and its default. */
export function helpText(): string {
  const lines = allSettings.flatMap(({ name, byDefault, takes, about }) => [
    `  ${name}${byDefault ? `=${byDefault}` : ''}`,
    `      ${about}; takes ${takes}`,
  ]);
  const options = Object.entries(flags).map(([flag, about]) => `  ${flag.padEnd(12)} ${about}`);
  return ['Options:', ...options, '', 'Environment, with defaults:', ...lines, ''].join('\n');
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
  if (ephemeral && read.databaseUrl)
    throw new ConfigError('--ephemeral takes the embedded store: unset DATABASE_URL.');
}

/** A value in one line, without control characters, not longer than a person reads. */
function shown(value: string): string {
  return JSON.stringify(value.length > 60 ? `${value.slice(0, 60)}…` : value);
}
