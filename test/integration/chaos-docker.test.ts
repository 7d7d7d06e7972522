/**
 * Faults of a Docker engine, of the way there and of two servers, one after the other, under a load of commands:
 * at the end each state is true, nothing is there twice, and nothing is left. `npm run chaos:docker` lets 100
 * happen; CHAOS_SEED repeats a run.
 */
import { expect, onTestFinished, test } from 'vitest';
import { hasDocker } from '../harness/docker-engine.ts';
import { hasRegistry } from '../harness/registry.ts';
import { inflict } from './chaos-docker/faults.ts';
import { leftovers, overlaps, untruths, watchForDoubles } from './chaos-docker/truth.ts';
import { hosts, instances, startWorld, tags } from './chaos-docker/world.ts';
import { randomNumbers, startLoad } from './load.ts';
import { expectPaths } from './paths.ts';

const faults = Number(process.env.CHAOS_FAULTS ?? 8);
const seed = Number(process.env.CHAOS_SEED ?? 20_261_201);

test.skipIf(!hasDocker || !hasRegistry)(
  `${faults} faults of an engine: every state is true, nothing is left`,
  { timeout: 300_000 + faults * 20_000 },
  async () => {
    const context = `CHAOS_SEED=${seed} CHAOS_FAULTS=${faults}`;
    const world = await startWorld();
    const [client] = world.clients;
    const doubles = watchForDoubles(world);
    onTestFinished(async () => void (await doubles.stop()));
    const load = startLoad({
      ...{ clients: world.clients, instances, hosts, random: randomNumbers(seed + 1) },
      more: tags.map((containerTag) => ['updateRuntime', { containerTag }] as const),
      pauseMs: 300,
    });
    onTestFinished(() => load.stop());
    const began = performance.now();
    const counts = await inflict(world, faults, randomNumbers(seed));
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
    const what = [...counts].sort().map(([kind, count]) => `${kind} ${count}`);
    console.log(
      `${context}: in ${seconds.toFixed(0)} s ${what.join(', ')}; ${load.accepted} of ${load.sent} ` +
        `commands accepted, ${log.length} transitions`,
    );
    await expectPaths(client, log);
    expect(await overlaps(world), context).toEqual([]);
    expect(await doubles.stop(), context).toEqual([]);
    await client.removeEverything();
    expect(await leftovers(world), context).toEqual([]);
  },
);
