/** What must hold of an engine and of the store, whatever happened to either. */
import { setTimeout as delay } from 'node:timers/promises';
import { labels } from '../../../src/drivers/docker/names.ts';
import { uuidOf } from '../paths.ts';
import type { World } from './world.ts';

/** Where a state and the containers of an instance differ: nowhere, if all is well. */
export async function untruths({ engine, clients: [client], sql }: World): Promise<string[]> {
  const containers = await engine.docker.listContainers({ all: true });
  const { instances } = await client.fleet();
  const open = await sql<{ id: string; instance: string }[]>`
    select id, instance_id as instance from runs where ended_at is null`;
  return instances.flatMap(({ id, key, state }) => {
    const uuid = uuidOf(id);
    const own = containers.filter(({ Labels }) => Labels[labels.instance] === uuid);
    const running = own.filter(({ State }) => State === 'running');
    const runs = open.filter(({ instance }) => instance === uuid).map((run) => run.id);
    const wanted = state === 'RUNNING' || state === 'PAUSED' ? runs : [];
    const isLive = wanted.length > 0 || (state !== 'RUNNING' && state !== 'PAUSED');
    const shown = running.map(({ Labels }) => Labels[labels.run]);
    if (isLive && own.length <= 1 && shown.join() === wanted.join()) return [];
    const seen = own.map(({ State, Labels }) => `${State} of run ${Labels[labels.run]}`);
    return [`${key} is ${state}, its open runs: ${runs}; on the engine: ${seen}`];
  });
}

/** Runs of one instance of which one began before the other had ended. */
export async function overlaps({ sql }: World): Promise<string[]> {
  const rows = await sql<{ first: string; second: string }[]>`
    select a.id as first, b.id as second from runs a join runs b
      on a.instance_id = b.instance_id and a.ordinal < b.ordinal
     where a.ended_at is null or a.ended_at > b.started_at`;
  return rows.map(({ first, second }) => `run ${second} began before ${first} had ended`);
}

/** What is on the engine beyond what it has of itself. */
export async function leftovers({ engine: { docker } }: World): Promise<string[]> {
  const containers = await docker.listContainers({ all: true });
  const networks = (await docker.listNetworks()).map(({ Name }) => Name);
  const { Volumes: volumes } = await docker.listVolumes();
  return [
    ...containers.map(({ Names }) => `container ${Names}`),
    ...networks
      .filter((name) => !['bridge', 'host', 'none'].includes(name))
      .map((name) => `network ${name}`),
    ...(volumes ?? []).map(({ Name }) => `volume ${Name}`),
  ];
}

/** Looks on, until it is stopped, for instances of which two containers run at once. */
export function watchForDoubles({ engine }: World): { stop(): Promise<string[]> } {
  const doubled = new Set<string>();
  let over = false;
  async function look(): Promise<void> {
    // An engine that is down has nothing to show.
    const running = await engine.docker.listContainers().catch(() => []);
    const owners = running.map(({ Labels }) => Labels[labels.instance] ?? '');
    for (const [at, owner] of owners.entries())
      if (owners.indexOf(owner) < at) doubled.add(`two containers of ${owner} at once`);
  }
  const watching = (async () => {
    for (; !over; await delay(250)) await look();
  })();
  return {
    async stop() {
      over = true;
      await watching;
      return [...doubled];
    },
  };
}
