/** Reads a view's data anew when the fleet changes: at once, then at most once in a while. */
import { useEffect } from 'preact/hooks';
import { connection } from '../app/connection.ts';
import { keepOpen } from '../resource/keep-open.ts';

/** From the end of a read to the next one: at least this, and longer where a read takes long. */
const spacingMilliseconds = 500;
/** Changes that come together are read together. */
const gatherMilliseconds = 30;
/** A page that follows a busy fleet reads a fifth of the time at most. */
const spacingPerRead = 4;

/**
 * Reads now, after each change of the fleet, when the connection or the viewer is back: a change that comes while a read
 * is under way causes another one. `read` keeps what is shown where it fails, and shows nothing that is no longer asked for.
 */
export function useReread(
  read: (isAsked: () => boolean) => Promise<void>,
  depends: readonly unknown[],
): void {
  useEffect(() => {
    let isOver = false;
    let isReading = false;
    let isStale = false;
    let timer: ReturnType<typeof setTimeout> | undefined;
    /** No read before. */
    let next = 0;

    async function readNow(): Promise<void> {
      timer = undefined;
      isReading = true;
      isStale = false;
      const begin = performance.now();
      await read(() => !isOver);
      const end = performance.now();
      next = end + Math.max(spacingMilliseconds, spacingPerRead * (end - begin));
      isReading = false;
      if (isStale) changed();
    }
    function changed(): void {
      isStale = true;
      if (isOver || isReading || timer !== undefined) return;
      const wait = Math.max(gatherMilliseconds, next - performance.now());
      timer = setTimeout(() => void readNow(), wait);
    }
    void readNow();
    const stop = keepOpen(
      {
        query: `subscription ($after: Cursor) {
          changes(after: $after, delivery: LATEST_PER_RESOURCE) { __typename } }`,
        snapshot: { query: '{ feedPosition }' },
        onReset: changed,
      },
      changed,
    );
    const stopWatching = connection.subscribe((state) => {
      if (state === 'LIVE') changed();
    });
    // Solutions and repositories have no events.
    addEventListener('focus', changed);
    return () => {
      isOver = true;
      removeEventListener('focus', changed);
      clearTimeout(timer);
      stop();
      stopWatching();
    };
  }, depends);
}
