/** Transitions a second of the embedded store, in a process of its own. */
import { type Figure, median } from '../figures.ts';
import { held } from './aims.ts';
import type { BenchRun } from './bench-run.ts';
import type { EmbeddedWriter } from './embedded-writer.ts';
import { startChild } from './process.ts';

export async function measureEmbedded({ bench, quick }: BenchRun): Promise<Figure[]> {
  const writer = startChild<EmbeddedWriter>(new URL('./embedded-writer.ts', import.meta.url));
  try {
    const rates = await writer.call('write', await bench.createFolder(), 5, quick ? 200 : 2_000);
    return [
      held('transitions through the door of the embedded store, per second', median(rates), {
        atLeast: 1_700,
      }),
    ];
  } finally {
    await writer.stop();
  }
}
