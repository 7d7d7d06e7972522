/** The settings of the environment: name, default, accepted values and meaning. */
import { defaultLimits } from './api/base/limits.ts';
import { tsigAlgorithms } from './drivers/dns/tsig-algorithms.ts';
import { defaultDeadlines } from './lifecycle/change.ts';
import { defaultStreamLimits } from './server/wire/stream-limits.ts';
import {
  address,
  base64,
  days,
  hostAndPort,
  hostNames,
  type Kind,
  oneOf,
  path,
  type Setting,
  seconds,
  secret,
  secretsKeys,
  text,
  url,
  whole,
  yes,
} from './setting-kinds.ts';

export type { Setting } from './setting-kinds.ts';

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

/** Settings by their name in the configuration. */
export const settings = {
  port: setting('PORT=4000', whole(0, 65535), 'TCP port of the API; 0: any free port'),
  host: setting(
    'HOST=127.0.0.1',
    address,
    'address to listen on; an address beyond loopback needs TLS or ALLOW_INSECURE_HTTP=1',
  ),
  publicUrl: optional(
    'PUBLIC_URL',
    url('an http or https address without a path', /^https?:\/\/[^/?#@]+\/?$/),
    'address that browsers and runtimes use, if it differs from the one listened on',
  ),
  allowedHosts: setting(
    'ALLOWED_HOSTS=',
    hostNames,
    'more names that requests may carry in their Host header',
  ),
  tlsCertFile: optional('TLS_CERT_FILE', path, 'PEM file of the certificate and its chain'),
  tlsKeyFile: optional('TLS_KEY_FILE', path, 'PEM file of its private key'),
  extraCaFile: optional(
    'NODE_EXTRA_CA_CERTS',
    path,
    'PEM file of private certificate authorities, which the server and the runtimes trust beside public ones',
  ),
  allowInsecureHttp: setting(
    'ALLOW_INSECURE_HTTP=0',
    yes,
    '1: listen beyond loopback without TLS, behind a proxy that terminates it',
  ),
  databaseUrl: optional(
    'DATABASE_URL',
    secret(url('postgres://user:password@host:port/database', /^postgres(ql)?:\/\//)),
    'PostgreSQL 15 or newer; unset: the embedded store in DATA_DIR',
  ),
  databaseConnections: setting(
    'DATABASE_CONNECTIONS=10',
    whole(1, 200),
    'connections for writes, and as many again for reads; a server opens four more',
  ),
  dataDir: setting(
    'DATA_DIR=.data',
    path,
    'folder of the embedded store, the administrator token, and the files of hosts of the process driver',
  ),
  adminToken: optional(
    'ADMIN_TOKEN',
    secret(text('32 to 512 characters without white space', /^[\x21-\x7e]{32,512}$/)),
    'token of the administrator; unset: created at the first start and kept in DATA_DIR',
  ),
  secretsKeys: optional(
    'SECRETS_KEY',
    secret(secretsKeys),
    'key that seals secrets in the store (settings of instances, credentials); unset with the embedded store: created at the first start and kept in DATA_DIR; others behind a comma still open what they sealed',
  ),
  transitionRetentionDays: optional(
    'TRANSITION_RETENTION_DAYS',
    days,
    'age at which rows of the log, transitions included, are deleted; unset: never',
  ),
  dnsZone: setting(
    'DNS_ZONE=instances.test',
    text('a domain name in lower case', domainName),
    'zone of the DNS names of hosts',
  ),
  dnsProvider: setting(
    'DNS_PROVIDER=embedded',
    oneOf('embedded', 'rfc2136'),
    'embedded: the name server of this process serves the zone; rfc2136: another does, and takes dynamic updates',
  ),
  dnsServer: optional(
    'DNS_SERVER',
    hostAndPort(53),
    'rfc2136: the primary name server of the zone; every name server of the zone is asked on the same port',
  ),
  dnsTsigName: optional(
    'DNS_TSIG_NAME',
    text('a domain name in lower case', domainName),
    'rfc2136: name of the key that signs the updates',
  ),
  dnsTsigAlgorithm: setting(
    'DNS_TSIG_ALGORITHM=hmac-sha256',
    oneOf(...tsigAlgorithms),
    'rfc2136: algorithm of that key',
  ),
  dnsTsigSecret: optional('DNS_TSIG_SECRET', secret(base64(16)), 'rfc2136: secret of that key'),
  dnsHost: setting('DNS_HOST=127.0.0.1', address, 'address of the embedded name server'),
  dnsPort: setting(
    'DNS_PORT=8053',
    whole(0, 65535),
    'port of the embedded name server, UDP and TCP; 0: any free port',
  ),
  heartbeatSeconds: setting(
    'HEARTBEAT_SECONDS=10',
    seconds(0.1, 3600),
    'interval between heartbeats of a runtime',
  ),
  settleSeconds: setting(
    'SETTLE_SECONDS=10',
    seconds(0, 600),
    'time after a start during which no deadline expires',
  ),
  sampleData: setting(
    'SAMPLE_DATA=auto',
    oneOf('auto', 'on', 'off'),
    'create sample data in an empty store; auto: on the embedded store, on loopback, unless NODE_ENV is production',
  ),
  logLevel: setting('LOG_LEVEL=info', oneOf(...logLevels), 'lowest level that is logged'),
  depth: limit('depth', whole(5, 100), 'most levels of nesting in a document'),
  aliases: limit('aliases', whole(0, 1000), 'most aliases in a document'),
  tokens: limit('tokens', whole(500, 20_000), 'most tokens in a document'),
  complexity: limit(
    'complexity',
    whole(1000, 10_000_000),
    'highest cost of a document: its fields, multiplied by the entries of their lists',
  ),
};

/** Limits of streams. */
export const streamSettings = {
  socketsPerToken: setting(
    `MAX_SOCKETS_PER_TOKEN=${defaultLimits.socketsPerToken}`,
    whole(1, 1_000_000),
    'most WebSockets open with one token',
  ),
  subscriptionsPerToken: setting(
    `MAX_SUBSCRIPTIONS_PER_TOKEN=${defaultLimits.subscriptionsPerToken}`,
    whole(1, 10_000_000),
    'most subscriptions open with one token',
  ),
  laggingBytes: setting(
    `STREAM_LAGGING_BYTES=${defaultStreamLimits.laggingBytes}`,
    whole(1024, 2 ** 30),
    'unsent bytes above which a subscriber gets nothing more until it has read, and then catches up',
  ),
  bufferBytes: setting(
    `STREAM_BUFFER_BYTES=${defaultStreamLimits.bufferBytes}`,
    whole(64 * 1024, 2 ** 30),
    'unsent bytes above which a socket is closed with 1013',
  ),
  laggingSeconds: setting(
    `STREAM_LAGGING_SECONDS=${defaultStreamLimits.laggingSeconds}`,
    seconds(1, 3600),
    'time without reading after which a lagging subscriber is closed with 1013',
  ),
  totalBufferBytes: setting(
    `STREAM_TOTAL_BUFFER_BYTES=${defaultStreamLimits.totalBufferBytes}`,
    whole(2 ** 20, 2 ** 40),
    'unsent bytes of all lagging subscribers together; above it the one that has lagged longest is closed first',
  ),
  pingSeconds: setting(
    `STREAM_PING_SECONDS=${defaultStreamLimits.pingSeconds}`,
    whole(1, 15),
    'interval between pings; a socket that has not answered by the next one is closed',
  ),
  busyPercent: setting(
    'STREAM_BUSY_PERCENT=85',
    whole(1, 100),
    'use of the event loop over 10 s above which new subscriptions are refused; 100: never refused',
  ),
  ringBytes: setting(
    'FEED_RING_BYTES=67108864',
    whole(2 ** 20, 2 ** 36),
    'memory for recent events, from which a resuming client is served without reading the table',
  ),
  ringSeconds: setting(
    'FEED_RING_SECONDS=600',
    seconds(1, 86_400),
    'time that recent events stay in memory',
  ),
  catchUpsAtATime: setting(
    'FEED_CATCH_UPS=8',
    whole(1, 100),
    'concurrent reads of the table for clients that resume from before the events in memory',
  ),
};

const duration = seconds(0.1, 86_400);
/** One deadline per transient state. */
export const deadlineSettings = (['instance', 'host'] as const).flatMap((kind) =>
  Object.entries(defaultDeadlines[kind]).map(([state, byDefault]) => ({
    kind,
    state,
    setting: setting(
      `${kind.toUpperCase()}_${state}_DEADLINE_SECONDS=${byDefault}`,
      duration,
      `longest time that the ${kind} may be ${state}`,
    ),
  })),
);
export const hostSettings = {
  removal: setting(
    `HOST_REMOVAL_DEADLINE_SECONDS=${defaultDeadlines.removal}`,
    duration,
    'longest time that the removal of a host may take',
  ),
  healthCheck: setting(
    `HEALTH_CHECK_SECONDS=${defaultDeadlines.healthCheck}`,
    duration,
    'interval between two health checks of a host',
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
