/** The settings of the environment: their names, defaults, what they take and what they mean. */
import { isIP } from 'node:net';
import { resolve } from 'node:path';
import { z } from 'zod';
import { defaultLimits } from './api/base/context.ts';
import { defaultDeadlines } from './lifecycle/change.ts';
import { defaultStreamLimits } from './server/wire/stream-limits.ts';

export interface Setting<Value> {
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

/** Settings by the name that the configuration has for them. */
export const settings = {
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
  extraCaFile: optional(
    'NODE_EXTRA_CA_CERTS',
    path,
    'PEM file of private certificate authorities, which the server and runtimes trust beside public ones',
  ),
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
    'connections for writes, and as many again for reads; a server has four more',
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

/** What streams may take. */
export const streamSettings = {
  socketsPerToken: setting(
    `MAX_SOCKETS_PER_TOKEN=${defaultLimits.socketsPerToken}`,
    whole(1, 1_000_000),
    'WebSockets that are open with one token',
  ),
  subscriptionsPerToken: setting(
    `MAX_SUBSCRIPTIONS_PER_TOKEN=${defaultLimits.subscriptionsPerToken}`,
    whole(1, 10_000_000),
    'subscriptions that are open with one token',
  ),
  laggingBytes: setting(
    `STREAM_LAGGING_BYTES=${defaultStreamLimits.laggingBytes}`,
    whole(1024, 2 ** 30),
    'a subscriber with more bytes waiting is pushed nothing, and catches up when it has read',
  ),
  bufferBytes: setting(
    `STREAM_BUFFER_BYTES=${defaultStreamLimits.bufferBytes}`,
    whole(64 * 1024, 2 ** 30),
    'a socket with more bytes waiting is closed, and its client comes back',
  ),
  laggingSeconds: setting(
    `STREAM_LAGGING_SECONDS=${defaultStreamLimits.laggingSeconds}`,
    seconds(1, 3600),
    'a subscriber that lags and reads nothing for so long is closed',
  ),
  totalBufferBytes: setting(
    `STREAM_TOTAL_BUFFER_BYTES=${defaultStreamLimits.totalBufferBytes}`,
    whole(2 ** 20, 2 ** 40),
    'bytes waiting for all subscribers that lag; over it the furthest behind is closed first',
  ),
  pingSeconds: setting(
    `STREAM_PING_SECONDS=${defaultStreamLimits.pingSeconds}`,
    whole(1, 15),
    'time between pings; who has not answered by the next is gone',
  ),
  busyPercent: setting(
    'STREAM_BUSY_PERCENT=85',
    whole(1, 100),
    'no new subscriptions while the event loop was busier over 10 s; 100: always',
  ),
  ringBytes: setting(
    'FEED_RING_BYTES=67108864',
    whole(2 ** 20, 2 ** 36),
    'recent events kept in memory, so that who comes back does not read the table',
  ),
  ringSeconds: setting('FEED_RING_SECONDS=600', seconds(1, 86_400), 'and how long'),
  catchUpsAtATime: setting(
    'FEED_CATCH_UPS=8',
    whole(1, 100),
    'reads of the table at a time by those who were away longer',
  ),
};

const duration = seconds(0.1, 86_400);
/** One deadline per transient state, named after it. */
export const deadlineSettings = (['instance', 'host'] as const).flatMap((kind) =>
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
export const hostSettings = {
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
export const allSettings: readonly Setting<unknown>[] = [
  ...Object.values(settings),
  ...Object.values(streamSettings),
  ...Object.values(hostSettings),
  ...deadlineSettings.map((each) => each.setting),
];

/** Limits of documents. */
export type QueryLimit = 'depth' | 'aliases' | 'tokens' | 'complexity';
