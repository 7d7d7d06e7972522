/** What the faults meet: two servers over one PostgreSQL, an engine behind a network, and a fleet on it. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import postgres from 'postgres';
import { onTestFinished } from 'vitest';
import { type Network, startNetwork } from '../../client/network.ts';
import { createMigratedDatabase } from '../../harness/database.ts';
import { startDockerEngine, type TestEngine } from '../../harness/docker-engine.ts';
import { registryUser, startRegistry } from '../../harness/registry.ts';
import { addInstance, addSolution, greenhouse } from '../builders.ts';
import { type Client, createClient } from '../client.ts';
import { importRuntime, pushImage, runtimeEntrypoint } from '../docker-images.ts';
import { type Server, startServer } from '../server.ts';

/** Two hosts of one CPU each; so many instances of a quarter fit on both. */
export const hosts: readonly string[] = ['left', 'right'];
export const instances: readonly string[] = ['one', 'two', 'three', 'four', 'five', 'six'];
/** Tags of the image that instances move between. */
export const tags: readonly string[] = ['1', '2'];

export interface World {
  readonly engine: TestEngine;
  /** From both servers to the engine. */
  readonly network: Network;
  readonly servers: readonly [Server, Server];
  /** Of each server one. */
  readonly clients: readonly [Client, Client];
  readonly sql: postgres.Sql;
}

/** Starts all of it, with every instance RUNNING; it ends with the test. */
export async function startWorld(): Promise<World> {
  const [engine, registry] = await Promise.all([startDockerEngine(), startRegistry()]);
  onTestFinished(() => engine.close(), 60_000);
  onTestFinished(() => registry.stop());
  const image = `${registry.host}/team/runtime`;
  await importRuntime(engine, `${image}:1`);
  await engine.deriveImage(`${image}:2`, `${image}:1`, runtimeEntrypoint);
  for (const tag of tags) await pushImage(engine, `${image}:${tag}`);

  const database = await createMigratedDatabase();
  onTestFinished(() => database.drop());
  const sql = postgres(database.url, { max: 1, onnotice: () => undefined });
  onTestFinished(() => sql.end({ timeout: 1 }));
  const dataDir = mkdtempSync(join(tmpdir(), 'im-'));
  onTestFinished(() => rmSync(dataDir, { recursive: true, force: true, maxRetries: 3 }));
  const servers = await startServers(dataDir, database.url);
  // A Unix socket, as the socket of the API is mounted for engines that are reached by one.
  const network = await startNetwork({ url: engine.endpoint }, join(dataDir, 'engine.sock'));
  const clients = [createClient(servers[0]), createClient(servers[1])] as const;
  const world = { engine, network, servers, clients, sql };
  await addFleet(world, image);
  return world;
}

async function startServers(dataDir: string, databaseUrl: string): Promise<[Server, Server]> {
  const given = {
    ...{ dataDir, token: 'a-token-that-both-servers-of-the-engine-know' },
    environment: {
      ...{ DATABASE_URL: databaseUrl, SAMPLE_DATA: 'on' },
      SECRETS_KEY: Buffer.alloc(32, 7).toString('base64'),
    },
  };
  const first = await startServer(given);
  onTestFinished(() => first.kill9());
  const second = await startServer(given);
  onTestFinished(() => second.kill9());
  return [first, second];
}

async function addFleet({ network, clients: [client] }: World, image: string): Promise<void> {
  await client.mutate('createComputeProvider', {
    ...{ key: 'engine', default: true },
    configuration: { docker: { endpoint: network.url } },
  });
  await client.mutate('createContainerRepository', {
    ...{ key: 'team-runtime', image, tags, credentials: registryUser },
  });
  const definition = { ...greenhouse(), listeners: { http: { protocol: 'http', auth: 'NONE' } } };
  await addSolution(client, 'docked', definition);
  for (const key of hosts)
    await client.mutate('createHost', { key, subscription: 'trial', size: 'MEDIUM' });
  const container = {
    ...{ deploymentType: 'ON_PREMISE', workingStorage: 'CLOUD', imageSize: 'EXTRA_SMALL' },
    ...{ containerRepository: 'team-runtime', containerTag: '1' },
  };
  for (const [at, key] of instances.entries()) {
    const host = hosts[at % hosts.length] ?? null;
    await addInstance(client, key, { host, solution: 'docked', configuration: { container } });
  }
  for (const host of hosts) await client.acceptHost('deployHost', host);
  for (const host of hosts) await client.untilHost(host, 'RUNNING');
  for (const key of instances) await client.until(key, 'RUNNING', 120);
}
