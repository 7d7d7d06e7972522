/** What a client that does not read does to the others, and to the memory of the server. */
import { type Figure, figure, median, quantile } from '../figures.ts';
import {
  atRate,
  type BenchRun,
  closers,
  crowdOf,
  notifierOf,
  settle,
  startNode,
  watch,
} from './bench-run.ts';
import { between } from './latency.ts';
import { residentBytes, watchPeak } from './process.ts';
import { openTransitions } from './transitions.ts';

const rounds = 5;
const seconds = 4;
const perSecond = 20;
/** The slow one has so many subscriptions on its socket, and events are large: its buffers are full soon. */
const subscriptions = 60;
const padding = 1_600;
/** Made before it is measured, for the buffers of the kernel. */
const flood = 40;

export async function measureSlow(benchRun: BenchRun): Promise<Figure[]> {
  const count = benchRun.quick ? 50 : 1_000;
  const { clients } = benchRun;
  const { add, close } = closers();
  const late: { with: number[]; without: number[] } = { with: [], without: [] };
  const grown: { with: number[]; without: number[] } = { with: [], without: [] };
  try {
    const database = await benchRun.bench.createDatabase(200);
    const node = await startNode(benchRun, database, { subscribesUnderLoad: true });
    add(node, node.stop);
    const notifier = notifierOf(database);
    add(notifier, notifier.stop);
    const transitions = await openTransitions(database.store.database, {
      organizationId: database.store.defaultOrganizationId,
      notifier,
      padding,
    });
    const wanted = { query: watch, variables: [{}] };
    await clients.call('open', 'others', { ...crowdOf(node, count), wanted });
    add('others', () => clients.call('leave', 'others'));
    await settle(benchRun, 'others', () => transitions.commit());

    const measure = async (): Promise<number[]> => {
      const flooded = clients.call('reached', 'others', flood, 90);
      await transitions.commit(flood);
      await flooded;
      const committed = new Map<number, number>();
      await clients.call('stamp', 'others');
      const reached = clients.call('reached', 'others', flood + perSecond * seconds, 90);
      await atRate(perSecond, seconds, async () => {
        const { number, at } = await transitions.commit();
        committed.set(number, at);
      });
      await reached;
      const arrived = await clients.call('stamps', 'others');
      await clients.call('reset', 'others');
      return between(committed, arrived);
    };
    const watched = async (into: number[]): Promise<number[]> => {
      node.collect();
      const before = residentBytes(node.pid);
      const peak = watchPeak(node.pid);
      const took = await measure();
      into.push((peak() - before) / 2 ** 20);
      return took;
    };

    const withSlow = async (): Promise<number[]> => {
      await clients.call('open', 'slow', {
        ...crowdOf(node, 1),
        wanted: { ...wanted, times: subscriptions },
      });
      await settle(benchRun, 'slow', () => transitions.commit());
      await clients.call('quiet', 'others');
      await clients.call('reset', 'others');
      await clients.call('stall', 'slow');
      const took = await watched(grown.with);
      await clients.call('leave', 'slow');
      return took;
    };
    await watched([]);
    for (let round = 1; round <= rounds; round += 1) {
      // Each goes first in turn, so that what gets slower with time is slower for both.
      const before = round % 2 ? quantile(await watched(grown.without), 0.99) : null;
      late.with.push(quantile(await withSlow(), 0.99));
      late.without.push(before ?? quantile(await watched(grown.without), 0.99));
    }
  } finally {
    await close();
  }
  const what = `commit to frame, ${count} subscribers, with one that does not read to without`;
  return [
    figure(`${what}, p99, ms`, median(late.with), {
      reference: median(late.without),
      atMost: 1.2,
    }),
    figure('  memory that the server takes more meanwhile, to without, MB', median(grown.with), {
      reference: median(grown.without),
    }),
  ];
}
