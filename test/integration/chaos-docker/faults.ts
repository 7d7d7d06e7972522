/** What may happen to an engine, to the way there and to the servers, by a seed. */
import { setTimeout as delay } from 'node:timers/promises';
import type { TestEngine } from '../../harness/docker-engine.ts';
import { pick } from '../load.ts';
import type { World } from './world.ts';

type Fault = (world: World, random: () => number) => Promise<void>;
type Container = ReturnType<TestEngine['docker']['getContainer']>;

/** Acts on a container that runs; one that has gone meanwhile is no fault of the test. */
const onContainer =
  (act: (container: Container) => Promise<unknown>): Fault =>
  async ({ engine }, random) => {
    const which = random();
    const running = await engine.docker.listContainers();
    if (running.length === 0) return;
    const { Id } = pick(() => which, running);
    await act(engine.docker.getContainer(Id)).catch(() => undefined);
  };

async function pauseForAWhile(container: Container): Promise<void> {
  await container.pause();
  await delay(2_000);
  await container.unpause();
}

const whileAway = (random: () => number) => delay(500 + random() * 3_000);

/** What happens, and how often in a hundred. Each has ended when it resolves. */
const kinds: Readonly<Record<string, readonly [share: number, Fault]>> = {
  CONTAINER_KILLED: [22, onContainer((container) => container.kill())],
  CONTAINER_STOPPED: [6, onContainer((container) => container.stop({ t: 1 }))],
  CONTAINER_REMOVED: [12, onContainer((container) => container.remove({ force: true }))],
  CONTAINER_RESTARTED: [6, onContainer((container) => container.restart({ t: 0 }))],
  CONTAINER_PAUSED: [10, onContainer(pauseForAWhile)],
  NETWORK_CUT: [
    12,
    async ({ network }, random) => {
      network.refuse();
      network.cut();
      await whileAway(random);
      network.mend();
    },
  ],
  NETWORK_STALLED: [
    10,
    async ({ network }, random) => {
      network.stall();
      await whileAway(random);
      network.mend();
    },
  ],
  ENGINE_KILLED: [6, ({ engine }) => engine.stop('SIGKILL').then(engine.start)],
  ENGINE_RESTARTED: [4, ({ engine }) => engine.stop().then(engine.start)],
  SERVER_KILLED: [
    12,
    async ({ servers }, random) => {
      const server = pick(random, servers);
      await server.kill9();
      await server.start();
    },
  ],
};
const urn = Object.entries(kinds).flatMap(([kind, [share]]) =>
  Array.from({ length: share }, () => kind),
);

/** Lets so many happen, one after the other. How many of each there were. */
export async function inflict(
  world: World,
  count: number,
  random: () => number,
): Promise<Map<string, number>> {
  const counts = new Map<string, number>();
  for (let n = 0; n < count; n += 1) {
    const kind = pick(random, urn);
    counts.set(kind, (counts.get(kind) ?? 0) + 1);
    await kinds[kind]?.[1](world, random);
    await delay(300 + random() * 1_000);
  }
  return counts;
}
