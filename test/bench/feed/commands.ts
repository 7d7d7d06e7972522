/** Accepted commands over HTTP while subscribers are streamed to, beside the same without any. */
import { postAll } from '../commands.ts';
import { type Figure, figure, median } from '../figures.ts';
import { keyOf } from '../fleet.ts';
import { type BenchRun, closers, crowdOf, settle, startNode, watch } from './bench-run.ts';

const rounds = 4;

export async function measureCommands(benchRun: BenchRun): Promise<Figure[]> {
  const subscribers = benchRun.quick ? 50 : 1_000;
  const perRound = benchRun.quick ? 50 : 200;
  const { clients } = benchRun;
  const { add, close } = closers();
  const rates = { with: [] as number[], without: [] as number[] };
  try {
    const database = await benchRun.bench.createDatabase((rounds + 1) * (2 * perRound + 20));
    const node = await startNode(benchRun, database, { subscribesUnderLoad: true });
    add(node, node.stop);
    await clients.call('open', 'node', crowdOf(node, subscribers));
    add('node', () => clients.call('leave', 'node'));
    let next = 1;
    const take = () => Array.from({ length: perRound }, () => keyOf(next++));
    for (let round = 0; round <= rounds; round += 1) {
      const without = await postAll(node.url, take());
      await clients.call('subscribe', 'node', { query: watch, variables: [{}] });
      await settle(benchRun, 'node', () => postAll(node.url, [keyOf(next++)]));
      const streamed = await postAll(node.url, take());
      await clients.call('quiet', 'node');
      await clients.call('complete', 'node');
      if (round === 0) continue;
      rates.without.push(without.perSecond);
      rates.with.push(streamed.perSecond);
    }
  } finally {
    await close();
  }
  return [
    figure(
      `accepted commands over HTTP, ${subscribers} subscribers to none, per second`,
      median(rates.with),
      { reference: median(rates.without) },
    ),
  ];
}
