/**
 * Creates and connects the parts: each line of `createApp` starts a part, `stop` ends them in
 * reverse order.
 */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import type { GraphQLSchema } from 'graphql';
import type { Logger } from 'pino';
import { type Context, createLoaders } from './api/base/context.ts';
import { createSlots } from './api/base/slots.ts';
import type { Viewer } from './api/base/viewer.ts';
import { buildSchema } from './api/schema.ts';
import type { Config } from './config.ts';
import type { DnsProvider, RecordWriter } from './drivers/dns/provider.ts';
import { createServerDnsProvider } from './drivers/dns/server-provider.ts';
import { createUpdateDnsProvider } from './drivers/dns/update-provider.ts';
import type { Driver } from './drivers/driver.ts';
import { createNameServer, type NameServer } from './drivers/name-server/name-server.ts';
import { type OpenOptions, openDriver, openedKinds } from './drivers/open/open.ts';
import { ProcessDriver } from './drivers/process/driver.ts';
import { startExecutor } from './executor/executor.ts';
import { createFeed, type Feed } from './feed/feed.ts';
import { createHttpServer } from './server/server.ts';
import { runSocketFolder, runSocketName } from './server/transport/run-socket.ts';
import type { Store } from './store/commit/store.ts';
import {
  findDnsRecord,
  hasDnsDescendant,
  removeDnsRecord,
  saveDnsRecord,
} from './store/dns-records.ts';
import { startNotifier } from './store/log/notifier.ts';
import { appliedMigrations, type OpenStore, openStore } from './store/open.ts';
import { createSampleData } from './store/sample-data.ts';
import { raiseFence } from './store/work/fences.ts';

/** Host agents end themselves when their embedded store has been silent for this long. */
const heartbeatTimeoutSeconds = { kept: 600, ephemeral: 10 };

const { version } = createRequire(import.meta.url)('../package.json') as { version: string };

export interface App {
  /** Address of the API: `http://127.0.0.1:4000`. */
  readonly url: string;
  /** A link that signs one browser in, for ten minutes. */
  createSignInLink(): Promise<string>;
  /** Ends everything in reverse order; hosts and runtimes keep running. */
  stop(): Promise<void>;
}

/** Starts an Instance Manager. If a part cannot start, the parts before it are ended. */
export async function createApp(config: Config, log: Logger): Promise<App> {
  const closers: (() => Promise<unknown>)[] = [];
  const stop = async (): Promise<void> => {
    for (const close of closers.splice(0).reverse()) {
      await close().catch((error: unknown) => log.error({ err: error }, 'a part did not end well'));
    }
  };
  const parts: Parts = { config, log, onStop: (close) => closers.push(close) };
  try {
    const authorities = readAuthorities(config.extraCaFile);
    const { store, schema } = await startStore(parts);
    const dns = await startDns(parts, store);
    const driver = startDriver(parts);
    const { feed, notifier } = await startFeed(parts, store);
    const http = await startHttp(parts, { store, schema, feed });
    const opening: OpenOptions = {
      installationId: store.defaultOrganizationId,
      fences: { raise: (subject, token) => raiseFence(store, subject, token) },
      apiSocket: { folder: runSocketFolder(config.dataDir), name: runSocketName },
      log,
    };
    const executor = await startExecutor(store, {
      drivers: [driver],
      opener: { kinds: openedKinds, open: (provider) => openDriver(provider, opening) },
      dns,
      authorities,
      endpoint: () => `${http.url.replace(/^http/, 'ws')}/graphql`,
      name: `${process.pid}`,
      heartbeatSeconds: config.heartbeatSeconds,
      settleSeconds: config.settleSeconds,
      log,
    });
    closers.push(() => executor.stop());
    notifier.onNotification(({ log, isOwn }) => log && !isOwn && executor.wake());
    return { url: http.url, createSignInLink: http.createSignInLink, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** What every part is started with. */
interface Parts {
  readonly config: Config;
  readonly log: Logger;
  /** Registers the end of a part. Parts end in the reverse order of their registration. */
  onStop(close: () => Promise<unknown>): void;
}

async function startStore({ config, log, onStop }: Parts) {
  const opening = openStore({ ...config, connections: config.databaseConnections, log });
  const schema = buildSchema(); // While the store waits for its database.
  const store = await opening;
  onStop(() => store.close());
  if (config.sampleData && store.isEmpty) {
    await createSampleData(store, store.defaultOrganizationId);
  }
  return { store, schema };
}

async function startDns(parts: Parts, store: OpenStore): Promise<DnsProvider> {
  const { dnsServer, dnsTsigName, dnsTsigAlgorithm, dnsTsigSecret, ...config } = parts.config;
  const records: RecordWriter = {
    save: (record) => saveDnsRecord(store, record),
    remove: (name) => removeDnsRecord(store, name),
  };
  const zone = config.dnsZone;
  if (config.dnsProvider === 'embedded') {
    return createServerDnsProvider({ server: await startNameServer(parts, store), zone, records });
  }
  if (!dnsServer || !dnsTsigName || !dnsTsigSecret) throw new Error('config.ts requires them');
  return createUpdateDnsProvider({
    ...{ server: dnsServer, zone, records },
    key: { name: dnsTsigName, algorithm: dnsTsigAlgorithm, secret: dnsTsigSecret },
    // Made with the store, and the same on all its servers.
    owner: `instance-manager=${store.defaultOrganizationId}`,
  });
}

async function startNameServer({ config, log, onStop }: Parts, store: Store): Promise<NameServer> {
  const server = createNameServer({
    zone: config.dnsZone,
    host: config.dnsHost,
    port: config.dnsPort,
    records: {
      find: (name) => findDnsRecord(store, name),
      hasDescendant: (name) => hasDnsDescendant(store, name),
    },
    log,
  });
  await server.start();
  onStop(() => server.stop());
  return server;
}

function startDriver({ config, log, onStop }: Parts): Driver {
  const seconds = config.ephemeral
    ? heartbeatTimeoutSeconds.ephemeral
    : heartbeatTimeoutSeconds.kept;
  const driver = new ProcessDriver({
    folder: config.dataDir,
    heartbeatFile: config.databaseUrl ? null : { file: join(config.dataDir, 'alive'), seconds },
    log,
  });
  onStop(() => driver.close());
  return driver;
}

async function startFeed({ config, log, onStop }: Parts, store: Store) {
  const notifier = startNotifier(store.database);
  onStop(() => notifier.stop());
  const feed = createFeed(store, {
    notifier,
    ...config.feed,
    onEpochChange: () =>
      log.warn(
        'the store went back in time or is another one: a new epoch, old cursors are refused',
      ),
    onError: (error) => log.warn({ err: error }, 'the feed met an error; it continues'),
  });
  await feed.start();
  onStop(() => feed.stop());
  return { feed, notifier };
}

async function startHttp(
  { config, log, onStop }: Parts,
  { store, schema, feed }: { store: OpenStore; schema: GraphQLSchema; feed: Feed },
) {
  const { limits } = config;
  const waiters = createSlots(limits.waitersPerToken);
  const server = { version, schemaVersion: await appliedMigrations(store.database), limits };
  const http = createHttpServer({
    ...{ config, store, schema, log, version },
    ready: () =>
      store.database.query('select 1').then(
        () => true,
        () => false,
      ),
    createContext: (viewer: Viewer, request): Context => ({
      ...{ request, store, feed, viewer, server, waiters },
      loaders: createLoaders(),
    }),
  });
  const { url } = await http.start();
  onStop(() => http.stop());
  return { url, createSignInLink: async () => (await http.createSignInLink()).url };
}

/** The certificates in a PEM file; keys beside them are not passed on. */
const certificates = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----\n?/g;

/** Node only warns if the file cannot be read, and then no runtime could connect. */
function readAuthorities(file: string | undefined): string | null {
  if (file === undefined) return null;
  try {
    const found = readFileSync(file, 'utf8').match(certificates);
    if (found) return found.join('');
  } catch {} // Said below.
  const message = `NODE_EXTRA_CA_CERTS takes a PEM file of certificates; ${file} cannot be read as one.`;
  throw Object.assign(new Error(message), { code: 'NO_CERTIFICATES' });
}
