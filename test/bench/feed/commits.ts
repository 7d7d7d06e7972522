/**
 * Commits a second at 32 connections, with a node that streams them to a subscriber beside the same
 * without: two databases of one PostgreSQL, and a node over one of them. The writers notify as nodes do.
 */
import { openPostgres } from '../../../src/store/database/postgres.ts';
import { startNotifier } from '../../../src/store/log/notifier.ts';
import { type Figure, figure, median } from '../figures.ts';
import { load } from '../load.ts';
import {
  type BenchRun,
  closers,
  crowdOf,
  type Database,
  settle,
  startNode,
  watch,
} from './bench-run.ts';
import { openTransitions, type Transitions } from './transitions.ts';

const connections = 32;
const rounds = 5;

export async function measureCommits(benchRun: BenchRun): Promise<Figure[]> {
  const commits = Array.from({ length: benchRun.quick ? 300 : 4_000 }, (_, n) => n);
  const { clients } = benchRun;
  const { add, close } = closers();

  async function writer({ url, store }: Database, streamed: boolean): Promise<Transitions> {
    const database = openPostgres(url, { connections });
    add(database, () => database.close());
    const notifier = streamed ? startNotifier(database) : null;
    if (notifier) add(notifier, notifier.stop);
    const { defaultOrganizationId: organizationId } = store;
    return openTransitions(database, { organizationId, notifier });
  }

  const rates = { streamed: [] as number[], alone: [] as number[] };
  try {
    const [one, other] = [
      await benchRun.bench.createDatabase(1_000),
      await benchRun.bench.createDatabase(1_000),
    ];
    const node = await startNode(benchRun, one);
    add(node, node.stop);
    const streamed = await writer(one, true);
    const alone = await writer(other, false);
    const wanted = { query: watch, variables: [{}] };
    await clients.call('open', 'node', { ...crowdOf(node, 1), wanted });
    add('node', () => clients.call('leave', 'node'));
    await settle(benchRun, 'node', () => streamed.commit());
    for (let round = 0; round <= rounds; round += 1) {
      const reached = clients.call('reached', 'node', commits.length, 60);
      const took = {
        streamed: await load(commits, connections, async () => void (await streamed.commit())),
      };
      await reached;
      await clients.call('reset', 'node');
      const { perSecond } = await load(
        commits,
        connections,
        async () => void (await alone.commit()),
      );
      if (round === 0) continue;
      rates.streamed.push(took.streamed.perSecond);
      rates.alone.push(perSecond);
    }
  } finally {
    await close();
  }
  return [
    figure(
      'commits at 32 connections, with streaming to without, per second',
      median(rates.streamed),
      {
        reference: median(rates.alone),
        atLeast: 0.9,
      },
    ),
  ];
}
