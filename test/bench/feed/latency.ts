/**
 * From a commit, as its writer hears of it, to the frame at the client, beside a bare NOTIFY between
 * two connections at the same rate; with no NOTIFY at all; and from a command to the same node.
 */
import postgres from 'postgres';
import { type Figure, figure, median, quantile } from '../figures.ts';
import { openPoster } from '../load.ts';
import { adminToken } from '../server.ts';
import { held } from './aims.ts';
import {
  atRate,
  type BenchRun,
  closers,
  crowdOf,
  type Node,
  notifierOf,
  settle,
  startNode,
  watch,
} from './bench-run.ts';
import { now } from './clock.ts';
import { openTransitions, type Transitions } from './transitions.ts';

const subscribers = 10;
const rounds = 4;
const seconds = 2;
const crowd = 'node';

export async function measureLatency(benchRun: BenchRun): Promise<Figure[]> {
  const { clients } = benchRun;
  const { add, close } = closers();
  try {
    const database = await benchRun.bench.createDatabase(2_000);
    const { store } = database;
    const node = await startNode(benchRun, database, { subscribesUnderLoad: true });
    add(node, node.stop);
    const notifier = notifierOf(database);
    add(notifier, notifier.stop);
    const options = { organizationId: store.defaultOrganizationId, keys: 'instance-1%' };
    const told = await openTransitions(store.database, { ...options, notifier });
    await clients.call('open', crowd, {
      ...crowdOf(node, subscribers),
      wanted: { query: watch, variables: [{}] },
    });
    add(crowd, () => clients.call('leave', crowd));
    await settle(benchRun, crowd, () => told.commit());
    const bare = await bareNotifies(benchRun, database.url);
    add(bare, bare.close);

    const figures: Figure[] = [];
    for (const [perSecond, each] of [
      [200, 1],
      [200, 5],
      [1_000, 1],
    ] as const)
      figures.push(...(await besideNotify(benchRun, { perSecond, each, told, bare })));
    const untold = await openTransitions(store.database, { ...options, notifier: null });
    const dropped = await deliver(benchRun, untold, {
      ...{ perSecond: 50, each: 1 },
      seconds: benchRun.quick ? 2 : 8,
    });
    figures.push(
      held('commit to frame with every NOTIFY dropped, p99, ms', quantile(dropped, 0.99), {
        atMost: 300,
      }),
      figure('  p50, ms', median(dropped)),
      ...(await ownCommands(benchRun, node)),
    );
    return figures;
  } finally {
    await close();
  }
}

interface Compared {
  readonly perSecond: number;
  /** Transitions of one commit. */
  readonly each: number;
  readonly told: Transitions;
  readonly bare: Bare;
}

async function besideNotify(
  benchRun: BenchRun,
  { perSecond, each, told, bare }: Compared,
): Promise<Figure[]> {
  const half: { ours: number[]; bare: number[] } = { ours: [], bare: [] };
  const most: { ours: number[]; bare: number[] } = { ours: [], bare: [] };
  for (let round = 0; round <= (benchRun.quick ? 1 : rounds); round += 1) {
    const ours = await deliver(benchRun, told, { perSecond, each, seconds });
    const notified = await bare.deliver({ perSecond, seconds });
    if (round === 0) continue;
    half.ours.push(median(ours));
    half.bare.push(median(notified));
    most.ours.push(quantile(ours, 0.99));
    most.bare.push(quantile(notified, 0.99));
  }
  return [
    figure(
      `commit to frame at ${perSecond}${each > 1 ? ` commits of ${each}` : ''} a second, p99, to a bare NOTIFY, ms`,
      median(most.ours),
      { reference: median(most.bare), atMost: 2 },
    ),
    figure('  p50, ms', median(half.ours), { reference: median(half.bare) }),
  ];
}

interface Rate {
  readonly perSecond: number;
  readonly seconds: number;
}

/** Milliseconds from each commit to each frame of its first transition. */
async function deliver(
  { clients }: BenchRun,
  transitions: Transitions,
  { perSecond, each, seconds: during }: Rate & { readonly each: number },
): Promise<number[]> {
  const committed = new Map<number, number>();
  await clients.call('reset', crowd);
  await clients.call('stamp', crowd);
  const reached = clients.call('reached', crowd, perSecond * each * during, during + 30);
  await atRate(perSecond, during, async () => {
    const { number, at } = await transitions.commit(each);
    committed.set(number, at);
  });
  await reached;
  return between(committed, await clients.call('stamps', crowd));
}

/** Milliseconds from what was sent to what arrived: pairs of number and moment. */
export function between(sent: ReadonlyMap<number, number>, arrived: Float64Array): number[] {
  const milliseconds: number[] = [];
  for (let at = 0; at < arrived.length; at += 2) {
    const from = sent.get(arrived[at] ?? 0);
    if (from !== undefined) milliseconds.push((arrived[at + 1] ?? 0) - from);
  }
  return milliseconds;
}

interface Bare {
  deliver(rate: Rate): Promise<number[]>;
  close(): Promise<void>;
}

/** NOTIFYs from a connection of this process to one of the client process. */
async function bareNotifies({ clients }: BenchRun, url: string): Promise<Bare> {
  const channel = 'bench_feed';
  const sql = postgres(url, { max: 1, onnotice: () => {} });
  await clients.call('listen', url, channel);
  let number = 0;
  return {
    async deliver({ perSecond, seconds: during }) {
      const sent = new Map<number, number>();
      await atRate(perSecond, during, async () => {
        number += 1;
        sent.set(number, now());
        await sql`select pg_notify(${channel}, ${String(number)})`;
      });
      await new Promise((resolve) => setTimeout(resolve, 100));
      return between(sent, await clients.call('heard'));
    },
    async close() {
      await sql.end({ timeout: 1 });
      await clients.call('unlisten');
    },
  };
}

const pause = /* GraphQL */ `
  mutation Pause($instance: ID!) {
    pauseInstance(input: { instance: $instance }) { __typename }
  }`;
const watchPauses = watch.replace('at: { since: $since }', 'to: [PAUSING], at: { since: $since }');

/** A command to the node itself: from the request to the frame, beside from the request to the answer. */
async function ownCommands(benchRun: BenchRun, node: Node): Promise<Figure[]> {
  const { clients } = benchRun;
  await clients.call('complete', crowd);
  await clients.call('subscribe', crowd, { query: watchPauses, variables: [{}] });
  const poster = await openPoster(node.url, adminToken);
  const took: { frame: number[]; answer: number[] } = { frame: [], answer: [] };
  let next = 200; // Not one of those that begin with 1.
  const one = async (): Promise<void> => {
    await poster.post(pause, { instance: `instance-${next++}` });
  };
  try {
    await settle(benchRun, crowd, one);
    for (let count = 1; count <= 100; count += 1) {
      const reached = clients.call('reached', crowd, count, 10);
      const from = now();
      await one();
      took.answer.push(now() - from);
      took.frame.push((await reached) - from);
    }
  } finally {
    poster.close();
  }
  return [
    figure('command to frame on the same node, to its answer, p50, ms', median(took.frame), {
      reference: median(took.answer),
    }),
    figure('  p99, ms', quantile(took.frame, 0.99), { reference: quantile(took.answer, 0.99) }),
  ];
}
