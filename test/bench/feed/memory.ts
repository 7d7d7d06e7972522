/** Memory that an idle subscriber takes, on each side in a process of its own. */
import type { Figure } from '../figures.ts';
import { held } from './aims.ts';
import { type BenchRun, closers, settle } from './bench-run.ts';
import { settledBytes } from './process.ts';
import { naiveSide, nodeSide, type Side, wsSide } from './sides.ts';

export async function measureMemory(benchRun: BenchRun): Promise<Figure[]> {
  const count = benchRun.quick ? 200 : 5_000;
  let text = '';
  const database = await benchRun.bench.createDatabase(10);
  const node = await kilobytes(benchRun, await nodeSide(benchRun, database), count, (sample) => {
    text = sample;
  });
  const ws = await kilobytes(benchRun, await wsSide(() => text), count);
  const naive = await kilobytes(benchRun, await naiveSide(() => text), count);
  const what = `memory of an idle subscriber of ${count}`;
  return [
    held(`${what}, to bare ws, KB`, node, { atMost: 14, reference: ws }),
    held('  to naive, KB', node, { reference: naive }),
  ];
}

async function kilobytes(
  benchRun: BenchRun,
  side: Side,
  count: number,
  sampled: (text: string) => void = () => {},
): Promise<number> {
  const { clients } = benchRun;
  const { name, pid, query } = side;
  const { add, close } = closers();
  const open = async (subscribers: number) => {
    const wanted = { query: query ?? '', variables: [{}] };
    await clients.call('open', name, { ...side.crowd(subscribers), wanted });
  };
  try {
    add(side, side.stop);
    // What the first of them bring along is not theirs.
    await open(50);
    await settle(benchRun, name, () => side.emit(1, 50));
    if (side.name === 'node') sampled(await clients.call('sample', name));
    await clients.call('leave', name);
    const before = await settledBytes(pid, side.collect);
    await open(count);
    add(name, () => clients.call('leave', name));
    const after = await settledBytes(pid, side.collect);
    // They were subscribed indeed.
    await settle(benchRun, name, () => side.emit(1, count + 50));
    return (after - before) / count / 1024;
  } finally {
    await close();
  }
}
