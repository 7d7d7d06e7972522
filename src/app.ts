/**
 * The one place where the parts meet: each line of `createApp` starts a part, `stop` ends them in
 * reverse order.
 */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import type { Logger } from 'pino';
import { type Context, createLoaders } from './api/base/context.ts';
import { createSlots } from './api/base/slots.ts';
import type { Viewer } from './api/base/viewer.ts';
import { buildSchema } from './api/schema.ts';
import type { Config } from './config.ts';
import { createNameServer } from './drivers/dns/name-server.ts';
import { createServerDnsProvider } from './drivers/dns/server-provider.ts';
import { ProcessDriver } from './drivers/process/driver.ts';
import { startExecutor } from './executor/executor.ts';
import { createFeed } from './feed/feed.ts';
import { createHttpServer } from './server/server.ts';
import {
  findDnsRecord,
  hasDnsDescendant,
  removeDnsRecord,
  saveDnsRecord,
} from './store/dns-records.ts';
import { startNotifier } from './store/log/notifier.ts';
import { appliedMigrations, type OpenStore, openStore } from './store/open.ts';
import { createSampleData } from './store/sample-data.ts';

/** Host agents end themselves when their embedded store has been silent for this long. */
const lifelineSeconds = { kept: 600, ephemeral: 10 };

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
  try {
    const authorities = readAuthorities(config.extraCaFile);
    const opening = openStore({ ...config, connections: config.databaseConnections, log });
    const schema = buildSchema(); // While the store waits for its database.
    const store = await opening;
    closers.push(() => store.close());
    if (config.sampleData && store.isEmpty) {
      await createSampleData(store, store.defaultOrganizationId);
    }

    const { nameServer, dns } = createDns(config, store, log);
    await nameServer.start();
    closers.push(() => nameServer.stop());

    const seconds = config.ephemeral ? lifelineSeconds.ephemeral : lifelineSeconds.kept;
    const driver = new ProcessDriver({
      folder: config.dataDir,
      lifeline: config.databaseUrl ? null : { file: join(config.dataDir, 'alive'), seconds },
      log,
    });
    closers.push(() => driver.close());

    const notifier = startNotifier(store.database);
    closers.push(() => notifier.stop());
    const feed = createFeed(store, {
      notifier,
      ...config.feed,
      onAnother: () =>
        log.warn(
          'the store went back in time or is another one: a new epoch, old cursors are refused',
        ),
      onError: (error) => log.warn({ err: error }, 'the feed met an error; it goes on'),
    });
    await feed.start();
    closers.push(() => feed.stop());

    const waiters = createSlots(config.limits.waitersPerToken);
    const schemaVersion = await appliedMigrations(store.database);
    const server = { version, schemaVersion, limits: config.limits };
    const http = createHttpServer({
      config,
      store,
      schema,
      log,
      version,
      ready: () =>
        store.database.query('select 1').then(
          () => true,
          () => false,
        ),
      createContext: (viewer: Viewer, request): Context => ({
        request,
        store,
        feed,
        viewer,
        server,
        waiters,
        loaders: createLoaders(),
      }),
    });
    const { url } = await http.start();
    closers.push(() => http.stop());

    const executor = await startExecutor(store, {
      drivers: [driver],
      dns,
      authorities,
      endpoint: () => `${url.replace(/^http/, 'ws')}/graphql`,
      name: `${process.pid}`,
      heartbeatSeconds: config.heartbeatSeconds,
      settleSeconds: config.settleSeconds,
      log,
    });
    closers.push(() => executor.stop());
    notifier.onNotification(({ log, isOwn }) => log && !isOwn && executor.wake());

    return { url, createSignInLink: async () => (await http.createSignInLink()).url, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** The name server of the hosts' zone, and the provider that writes its records. */
function createDns(config: Config, store: OpenStore, log: Logger) {
  const nameServer = createNameServer({
    zone: config.dnsZone,
    host: config.dnsHost,
    port: config.dnsPort,
    records: {
      find: (name) => findDnsRecord(store, name),
      hasDescendant: (name) => hasDnsDescendant(store, name),
    },
    log,
  });
  const dns = createServerDnsProvider({
    server: nameServer,
    zone: config.dnsZone,
    records: {
      save: (record) => saveDnsRecord(store, record),
      remove: (name) => removeDnsRecord(store, name),
    },
  });
  return { nameServer, dns };
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
