/** One client that missed very many transitions: a node that has just started reads them from the table. */
import type { Database as Tables } from '../../../src/store/database/database.ts';
import { type Figure, figure, median } from '../figures.ts';
import { held } from './aims.ts';
import { type BenchRun, closers, crowdOf, startNode, watch } from './bench-run.ts';
import { settledBytes, watchPeak } from './process.ts';

const rounds = 3;
const instances = 1_000;
/** Then what came in it is its rate. */
const mostSeconds = 30;
const crowd = 'resumed';

export async function measureResume(benchRun: BenchRun): Promise<Figure[]> {
  const missed = benchRun.quick ? 4_000 : 100_000;
  const { clients } = benchRun;
  const { add, close } = closers();
  const rates: number[] = [];
  const grown: number[] = [];
  try {
    const database = await benchRun.bench.createDatabase(instances);
    const before = await startNode(benchRun, database);
    const { feedPosition: after } = await before.query('{ feedPosition }');
    await before.stop();
    await appendHistory(database.store.database, missed / instances);
    const node = await startNode(benchRun, database);
    add(node, node.stop);
    for (let round = 0; round < rounds; round += 1) {
      const idle = await settledBytes(node.pid, node.collect);
      const peak = watchPeak(node.pid);
      const began = performance.now();
      const opened = clients.call('open', crowd, {
        ...crowdOf(node, 1),
        wanted: { query: watch, variables: [{ after }] },
      });
      await clients.call('watchOrder', crowd);
      const hasAll = await clients.call('reached', crowd, missed, mostSeconds).then(
        () => true,
        () => false,
      );
      const took = (performance.now() - began) / 1000;
      await opened;
      const counted = await clients.call('counted', crowd);
      await clients.call('leave', crowd);
      grown.push((peak() - idle) / 2 ** 20);
      rates.push(counted.frames / took);
      if (counted.outOfOrder > 0 || counted.frames > missed)
        throw new Error(`Not each event once and in its order: ${JSON.stringify(counted)}`);
      if (!hasAll) break;
    }
  } finally {
    await close();
  }
  return [
    held(`${missed} missed transitions, one client, per second`, median(rates), {
      atLeast: 20_000,
    }),
    figure('  the first time', rates[0] ?? 0),
    held('  memory over idle, MB', Math.max(...grown), { atMost: 64 }),
  ];
}

/** Appends so many transitions of each instance, each with a revision of its own, in one statement. */
async function appendHistory(database: Tables, each: number): Promise<void> {
  const off = `off as (select set_config('session_replication_role', 'replica', true))`;
  await database.query(
    `with ${off}, steps as (
       select i.organization_id, i.id, i.sequence + s as sequence,
              row_number() over (order by s, i.id) as n,
              ('{RUNNING,PAUSING,PAUSED,STARTING}'::text[])[(s - 1) % 4 + 1] as state_from,
              ('{RUNNING,PAUSING,PAUSED,STARTING}'::text[])[s % 4 + 1] as state_to
         from off, instances i, generate_series(1, $1::int) s
        order by n
     )
     insert into log (revision, place, organization_id, kind, resource_kind, resource_id, sequence,
       instance_from, instance_to, at, actor, details)
     select nextval('log_revisions'), 0, organization_id, 'TRANSITION', 'INSTANCE', id, sequence,
       state_from::instance_state, state_to::instance_state, clock_timestamp(),
       '{"kind":"USER","name":"bench"}', jsonb_build_object('n', n)
       from steps`,
    [each],
  );
  await database.query(
    `with ${off} update instances i set sequence = i.sequence + $1::int from off`,
    [each],
  );
  await database.query('vacuum analyze log');
}
