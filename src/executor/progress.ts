/** The progress of a driver's call, shown on the operation of its item. */
import { recordProgress } from '../store/resource/operation-progress.ts';
import type { WorkItem } from '../store/work/work.ts';
import type { WorkContext } from './work-handler.ts';

/** Least time between two writes. */
const showMs = 1_000;

/**
 * Runs a call that tells its progress. It is stored once a second at most, one write after the other; the
 * call does not wait for a write, and one that fails is left out.
 */
export async function withProgress<T>(
  { store }: Pick<WorkContext, 'store'>,
  item: WorkItem,
  run: (onProgress: (fraction: number) => void) => Promise<T>,
): Promise<T> {
  let shownAt = performance.now();
  let shown = -1;
  let writing: Promise<void> | null = null;
  const result = await run((fraction) => {
    if (writing || fraction === shown || performance.now() - shownAt < showMs) return;
    [shownAt, shown] = [performance.now(), fraction];
    writing = recordProgress(store, item, fraction)
      .catch(() => undefined)
      .finally(() => {
        writing = null;
      });
  });
  // What is written after the transition would be the progress of another phase.
  await writing;
  return result;
}
