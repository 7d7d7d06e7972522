/**
 * CPU time that a delivery costs the server: a node, beside `ws.send` of the same text to the same
 * number of sockets, and beside the naive server. One event at a time: the next is made when all
 * have had the one before, so that nobody gains by joining what should be alone.
 */
import { type Figure, figure, median } from '../figures.ts';
import {
  type BenchRun,
  closers,
  documentsOf,
  settle,
  variablesOf,
  watch,
  watchInstances,
} from './bench-run.ts';
import { cpuSeconds } from './process.ts';
import { naiveSide, nodeSide, type Side, wsSide } from './sides.ts';

interface Case {
  readonly name: string;
  readonly subscribers: number;
  /** Documents among the subscribers: what they show differs. */
  readonly documents?: number;
  /** Filters among them: what they pick differs, though here each picks every event. */
  readonly filters?: number;
  /** Events of an emission. */
  readonly burst: number;
  readonly query?: string;
  readonly atLeast?: number;
  /** Is the naive server measured too? */
  readonly naive?: true;
}

/** Of the server, in each turn, in whole emissions; the CPU clock ticks a hundred times a second. */
const cpuSecondsPerTurn = 0.5;
const rounds = 5;
/** A case that takes longer than this is cut short after a round. */
const mostSeconds = 12;

export async function measureFanOut(benchRun: BenchRun): Promise<Figure[]> {
  const [many, some] = benchRun.quick ? [200, 100] : [5_000, 1_000];
  const [aFifth, few] = benchRun.quick ? [40, 10] : [1_000, 100];
  const cases: Case[] = [
    { name: 'one group', subscribers: many, burst: 1, atLeast: 1, naive: true },
    { name: 'bursts of 8', subscribers: many, burst: 8, atLeast: 5 },
    { name: 'bursts of 100', subscribers: many, burst: 100, atLeast: 5 },
    { name: `${few} documents`, subscribers: many, documents: few, burst: 1 },
    { name: `${aFifth} documents`, subscribers: many, documents: aFifth, burst: 1, atLeast: 0.7 },
    { name: `${aFifth} filters`, subscribers: many, filters: aFifth, burst: 1, atLeast: 0.7 },
    { name: 'all documents different', subscribers: many, documents: many, burst: 1 },
    {
      ...{ name: 'one group, with what the log does not hold' },
      ...{ subscribers: many, burst: 1, query: watchInstances },
    },
    { name: 'one group', subscribers: some, burst: 1, naive: true },
    { name: `${few} documents`, subscribers: some, documents: few, burst: 1 },
    { name: 'all documents different', subscribers: some, documents: some, burst: 1 },
  ];

  const { add, close } = closers();
  const { clients } = benchRun;
  try {
    const database = await benchRun.bench.createDatabase(200);
    let text = '';
    const node = await nodeSide(benchRun, database);
    add(node, node.stop);
    const ws = await wsSide(() => text);
    add(ws, ws.stop);
    const naive = await naiveSide(() => text);
    add(naive, naive.stop);
    for (const side of [node, ws, naive]) {
      await clients.call('open', side.name, side.crowd(many));
      add(side, () => clients.call('leave', side.name));
    }
    const figures: Figure[] = [];
    for (const each of cases) {
      process.stderr.write(`  ${each.subscribers} subscribers, ${each.name}\n`);
      await subscribe(benchRun, node, each);
      text = await clients.call('sample', node.name);
      await subscribe(benchRun, ws, each);
      if (each.naive) await subscribe(benchRun, naive, each);
      const sides = each.naive ? [node, ws, naive] : [node, ws];
      figures.push(...compare(each, await takeTurns(benchRun, sides, each)));
      await clients.call('complete', node.name);
      await clients.call('complete', naive.name);
    }
    return [...figures, figure('  bytes of an event', Buffer.byteLength(text))];
  } finally {
    await close();
  }
}

async function subscribe(benchRun: BenchRun, side: Side, each: Case): Promise<void> {
  const { subscribers, documents = 1, filters = 1, query = watch } = each;
  const isNode = side.name === 'node';
  await benchRun.clients.call('subscribe', side.name, {
    query: isNode ? documentsOf(query, documents) : (side.query ?? ''),
    variables: isNode ? variablesOf(filters) : [{}],
    first: subscribers,
  });
  await settle(benchRun, side.name, () => side.emit(1, subscribers));
}

interface Cost {
  /** Of the server's CPU. */
  readonly perCpuSecond: number[];
  readonly perSecond: number[];
}

async function takeTurns(
  benchRun: BenchRun,
  sides: readonly Side[],
  each: Case,
): Promise<Map<string, Cost>> {
  const costs = new Map(
    sides.map(({ name }) => [name, { perCpuSecond: [], perSecond: [] } as Cost]),
  );
  const began = performance.now();
  for (let round = 0; round <= rounds; round += 1) {
    if (round > 1 && performance.now() - began > mostSeconds * 1000) break;
    for (const side of sides) {
      const { perCpuSecond, perSecond } = await deliver(benchRun, side, each, round === 0);
      if (round === 0) continue;
      costs.get(side.name)?.perCpuSecond.push(perCpuSecond);
      costs.get(side.name)?.perSecond.push(perSecond);
    }
  }
  return costs;
}

async function deliver(
  { clients }: BenchRun,
  side: Side,
  { subscribers, burst }: Case,
  warmUp: boolean,
): Promise<{ perCpuSecond: number; perSecond: number }> {
  await clients.call('reset', side.name);
  const cpu = cpuSeconds(side.pid);
  const began = performance.now();
  let emissions = 0;
  let took = 0;
  do {
    emissions += 1;
    const reached = clients.call('reached', side.name, emissions * burst, 120);
    await side.emit(burst, subscribers);
    await reached;
    took = cpuSeconds(side.pid) - cpu;
  } while (!warmUp && took < cpuSecondsPerTurn);
  const deliveries = emissions * burst * subscribers;
  return {
    perCpuSecond: deliveries / took,
    perSecond: (deliveries * 1000) / (performance.now() - began),
  };
}

function compare({ name, subscribers, atLeast, naive }: Case, costs: Map<string, Cost>): Figure[] {
  const of = (side: string) => median(costs.get(side)?.perCpuSecond ?? []);
  const what = `deliveries per CPU second, ${subscribers} subscribers, ${name}`;
  const rows = [figure(`${what}, to ws.send`, of('node'), { reference: of('ws'), atLeast })];
  if (!naive) return rows;
  return [
    ...rows,
    figure('  to naive', of('node'), { reference: of('naive'), atLeast: 6 }),
    figure(
      '  per second of the wall clock, to ws.send',
      median(costs.get('node')?.perSecond ?? []),
      {
        reference: median(costs.get('ws')?.perSecond ?? []),
      },
    ),
  ];
}
