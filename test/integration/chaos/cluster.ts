/**
 * What the faults meet: a PostgreSQL of its own, two nodes over it, each behind a network that can
 * be cut and stalled, and processes of clients that come back at either node.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import postgres from 'postgres';
import { onTestFinished } from 'vitest';
import { openPostgres } from '../../../src/store/database/postgres.ts';
import { type Child, startChild } from '../../bench/feed/process.ts';
import { createFleet } from '../../bench/fleet.ts';
import { type Network, startNetwork } from '../../client/network.ts';
import { createTestDatabase } from '../../harness/database.ts';
import { startPostgres, type TemporaryPostgres } from '../../harness/postgres.ts';
import { addHost, addInstance } from '../builders.ts';
import { createClient } from '../client.ts';
import { processesOf } from '../processes.ts';
import { type Server, startServer } from '../server.ts';
import type { Crowd } from './crowd.ts';

export interface Node {
  readonly server: Server;
  readonly network: Network;
  /** Kills it; it is started again at once, and again if it ends before it is up. */
  kill(): Promise<void>;
  /** Resolves when it is up again. */
  up(): Promise<void>;
  /** Why it ended without being killed: starts while PostgreSQL is away, and what nobody expects. */
  readonly ends: readonly string[];
}

export interface Cluster {
  readonly postgres: TemporaryPostgres;
  readonly databaseUrl: string;
  readonly organizationId: string;
  /** Of the test itself; not of the database, so that it is no backend that a fault may meet. */
  readonly administrator: postgres.Sql;
  readonly nodes: readonly Node[];
  readonly crowds: readonly Child<Crowd>[];
  readonly instances: readonly string[];
  readonly hosts: readonly string[];
  /** A connection to the database. */
  connect(): postgres.Sql;
}

export interface ClusterOptions {
  readonly crowds: number;
  /** Instances that are there without a host, for the writer through the door. */
  readonly fleet: number;
}

const token = 'a-token-that-both-nodes-of-the-chaos-know';
const settings = {
  SAMPLE_DATA: 'on',
  LOG_LEVEL: 'error',
  // The fleet's instances stay where they are until their writer has its connection again.
  INSTANCE_PAUSING_DEADLINE_SECONDS: '3600',
  INSTANCE_STARTING_DEADLINE_SECONDS: '3600',
};

/** Starts all of it; it ends with the test. */
export async function startCluster(options: ClusterOptions): Promise<Cluster> {
  const temporary = await startPostgres();
  onTestFinished(() => temporary.stop());
  const { url: databaseUrl } = await createTestDatabase({ serverUrl: temporary.url });
  const connect = (url = databaseUrl) =>
    postgres(url, { max: 2, onnotice: () => {}, backoff: () => 0.1 });
  const administrator = connect(temporary.url);
  onTestFinished(() => administrator.end({ timeout: 1 }));

  const dataDir = mkdtempSync(join(tmpdir(), 'im-chaos-'));
  const given = { dataDir, token, environment: { ...settings, DATABASE_URL: databaseUrl } };
  const servers: Server[] = [];
  onTestFinished(async () => {
    for (const server of servers) await server.kill9();
    for (const { pid } of processesOf(dataDir)) process.kill(pid, 'SIGKILL');
    rmSync(dataDir, { recursive: true, force: true, maxRetries: 5 });
  });
  for (let n = 0; n < 2; n += 1) servers.push(await startServer(given));
  const nodes = await Promise.all(servers.map(nodeOf));

  const [client] = servers.map(createClient);
  if (!client) throw new Error('There is a first node.');
  const hosts = ['left', 'right'];
  const instances = ['one', 'two', 'three'];
  for (const host of hosts) await addHost(client, host);
  for (const [n, key] of instances.entries()) {
    await addInstance(client, key, { host: hosts[n % hosts.length] ?? null });
  }
  const store = openPostgres(databaseUrl, { connections: 1 });
  const [organization] = await store.query<{ id: string }>('select id from organizations');
  const organizationId = organization?.id ?? '';
  await createFleet(store, organizationId, { from: 1, to: options.fleet });
  await store.close();

  const script = new URL('./crowd.ts', import.meta.url);
  const crowds = Array.from({ length: options.crowds }, () => startChild<Crowd>(script));
  onTestFinished(async () => {
    for (const crowd of crowds) await crowd.stop();
  });
  return {
    ...{ postgres: temporary, databaseUrl, organizationId, administrator, nodes, crowds },
    ...{ instances, hosts, connect },
  };
}

async function nodeOf(server: Server): Promise<Node> {
  const network = await startNetwork(server);
  const ends: string[] = [];
  let isOver = false;
  let killed = 0;
  let starting: Promise<void> | null = null;
  onTestFinished(() => {
    isOver = true;
  });

  async function start(): Promise<void> {
    while (!isOver) {
      const before = killed;
      try {
        await server.start();
        return;
      } catch (error) {
        if (killed === before) ends.push(`at its start: ${String(error).slice(0, 500)}`);
        await delay(100);
      }
    }
  }
  function begin(): void {
    starting ??= start().finally(() => {
      starting = null;
    });
  }
  return {
    server,
    network,
    ends,
    async kill() {
      killed += 1;
      if (!starting && !server.isUp) ends.push(`by itself: ${server.output().slice(-2000)}`);
      await server.kill9();
      begin();
    },
    async up() {
      if (!starting && !server.isUp) {
        ends.push(`by itself: ${server.output().slice(-2000)}`);
        begin();
      }
      await starting;
    },
  };
}

/** How many clients a network has, and what they get: its node's address to all of them. */
export const addressesOf = ({ nodes }: Cluster) => ({
  urls: nodes.map(({ network }) => network.url),
  token,
});
