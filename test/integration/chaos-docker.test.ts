/**
 * Faults of a Docker engine and of the way to it, one after the other, under a load of commands: at the end each
 * state is true, nothing is there twice, and nothing is left. `npm run chaos:docker` lets 100 happen; CHAOS_SEED
 * repeats a run.
 */
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import { labels } from '../../src/drivers/docker/names.ts';
import { type Network, startNetwork } from '../client/network.ts';
import { hasDocker, startDockerEngine, type TestEngine } from '../harness/docker-engine.ts';
import { hasRegistry, registryUser, startRegistry } from '../harness/registry.ts';
import { addInstance, addSolution, greenhouse } from './builders.ts';
import { type Client, createClient } from './client.ts';
import { importRuntime, pushImage, runtimeEntrypoint } from './docker-images.ts';
import { pick, randomNumbers, startLoad } from './load.ts';
import { expectPaths, uuidOf } from './paths.ts';
import { type Server, startServer } from './server.ts';

const faults = Number(process.env.CHAOS_FAULTS ?? 8);
const seed = Number(process.env.CHAOS_SEED ?? 20_261_201);
/** Two hosts of one CPU each; so many instances of a quarter fit on both. */
const hosts = ['left', 'right'];
const instances = ['one', 'two', 'three', 'four', 'five', 'six'];

interface World {
  readonly engine: TestEngine;
  readonly network: Network;
  readonly server: Server;
  readonly client: Client;
}

type Container = Awaited<ReturnType<TestEngine['docker']['listContainers']>>[number];

/** Acts on a container that runs; one that has gone meanwhile is no fault of the test. */
const onContainer =
  (act: (container: ReturnType<TestEngine['docker']['getContainer']>) => Promise<unknown>) =>
  async ({ engine }: World, random: () => number): Promise<void> => {
    const running = await engine.docker.listContainers();
    if (running.length === 0) return;
    await act(engine.docker.getContainer(pick(random, running).Id)).catch(() => undefined);
  };

/** What may happen, and how often in a hundred. Each has ended when it resolves. */
const kinds: Readonly<
  Record<string, readonly [number, (world: World, random: () => number) => Promise<void>]>
> = {
  CONTAINER_KILLED: [24, onContainer((container) => container.kill())],
  CONTAINER_STOPPED: [6, onContainer((container) => container.stop({ t: 1 }))],
  CONTAINER_REMOVED: [12, onContainer((container) => container.remove({ force: true }))],
  CONTAINER_RESTARTED: [6, onContainer((container) => container.restart({ t: 0 }))],
  CONTAINER_PAUSED: [
    10,
    onContainer(async (container) => {
      await container.pause();
      await delay(2_000);
      await container.unpause();
    }),
  ],
  NETWORK_CUT: [
    14,
    async ({ network }, random) => {
      network.refuse();
      network.cut();
      await delay(500 + random() * 3_000);
      network.mend();
    },
  ],
  NETWORK_STALLED: [
    10,
    async ({ network }, random) => {
      network.stall();
      await delay(500 + random() * 3_000);
      network.mend();
    },
  ],
  ENGINE_KILLED: [5, ({ engine }) => engine.stop('SIGKILL').then(engine.start)],
  ENGINE_RESTARTED: [5, ({ engine }) => engine.stop().then(engine.start)],
  SERVER_KILLED: [8, ({ server }) => server.kill9().then(server.start)],
};
const urn = Object.entries(kinds).flatMap(([kind, [share]]) =>
  Array.from({ length: share }, () => kind),
);

/** An engine behind a network, a registry, and the fleet on the engine, of which nothing is deployed. */
async function startWorld(): Promise<World> {
  const [engine, registry] = await Promise.all([startDockerEngine(), startRegistry()]);
  onTestFinished(() => engine.close(), 60_000);
  onTestFinished(() => registry.stop());
  const image = `${registry.host}/team/runtime`;
  await importRuntime(engine, `${image}:1`);
  await engine.deriveImage(`${image}:2`, `${image}:1`, runtimeEntrypoint);
  for (const tag of ['1', '2']) await pushImage(engine, `${image}:${tag}`);
  const server = await startServer();
  onTestFinished(() => server.kill9());
  const network = await startNetwork(
    { url: engine.endpoint },
    join(server.dataDir, 'engine-of-chaos.sock'),
  );
  const client = createClient(server);
  await client.mutate('createComputeProvider', {
    ...{ key: 'engine', default: true },
    configuration: { docker: { endpoint: network.url } },
  });
  await client.mutate('createContainerRepository', {
    ...{ key: 'team-runtime', image, tags: ['1', '2'], credentials: registryUser },
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
  return { engine, network, server, client };
}

/** What is wrong where states and containers are compared: nothing, if all is well. */
async function untruths({ engine, client }: World): Promise<string[]> {
  const containers = await engine.docker.listContainers({ all: true });
  const { instances } = await client.fleet();
  return instances.flatMap(({ id, key, state }) => {
    const own = containers.filter(({ Labels }) => Labels[labels.instance] === uuidOf(id));
    const running = own.filter(({ State }) => State === 'running').length;
    const wanted = state === 'RUNNING' || state === 'PAUSED' ? 1 : 0;
    const seen = own.map(({ State }: Container) => State).join();
    return running === wanted && own.length <= 1
      ? []
      : [`${key} is ${state}, on the engine: ${seen}`];
  });
}

test.skipIf(!hasDocker || !hasRegistry)(
  `${faults} faults of an engine: every state is true, nothing is left`,
  { timeout: 300_000 + faults * 20_000 },
  async () => {
    const context = `CHAOS_SEED=${seed} CHAOS_FAULTS=${faults}`;
    const world = await startWorld();
    const { engine, client } = world;
    const [random, ofLoad] = [randomNumbers(seed), randomNumbers(seed + 1)];
    for (const host of hosts) await client.acceptHost('deployHost', host);
    for (const host of hosts) await client.untilHost(host, 'RUNNING');
    for (const key of instances) await client.until(key, 'RUNNING', 120);
    const load = startLoad({
      ...{ clients: [client], instances, hosts, random: ofLoad },
      more: ['1', '2'].map((containerTag) => ['updateRuntime', { containerTag }] as const),
      pauseMs: 150,
    });
    onTestFinished(() => load.stop());
    const counts = new Map<string, number>();
    const began = performance.now();
    for (let n = 0; n < faults; n += 1) {
      const kind = pick(random, urn);
      counts.set(kind, (counts.get(kind) ?? 0) + 1);
      await kinds[kind]?.[1](world, random);
      await delay(500 + random() * 1_000);
    }
    await load.stop();
    const seconds = (performance.now() - began) / 1000;

    await client.untilSettled(300);
    // What nobody has told is found by the check of each minute.
    await client.lookUntil(
      () => untruths(world),
      (found) => expect(found, context).toEqual([]),
      120,
    );
    const log = await client.log();
    await expectPaths(client, log);
    const what = [...counts].sort().map(([kind, count]) => `${kind} ${count}`);
    console.log(
      `${context}: in ${seconds.toFixed(0)} s ${what.join(', ')}; ${load.accepted} of ${load.sent} ` +
        `commands accepted, ${log.length} transitions`,
    );
    await client.removeEverything();
    expect(await engine.docker.listContainers({ all: true }), context).toEqual([]);
    const networks = (await engine.docker.listNetworks()).map(({ Name }) => Name);
    expect(networks.sort(), context).toEqual(['bridge', 'host', 'none']);
    expect((await engine.docker.listVolumes()).Volumes, context).toEqual([]);
  },
);
