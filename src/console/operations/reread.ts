/** Reads a view's data anew when the fleet changes: at once, then at most once in a while. */
import { useEffect } from 'preact/hooks';
import { client, connection, streamEnded } from '../app/connection.ts';

/** Between two reads that changes cause. */
const spacingMilliseconds = 500;

/**
 * Reads now, after each change of the fleet, and when the connection is back: a change that comes while a read
 * is under way causes another one. `read` keeps what is shown where it fails.
 */
export function useReread(read: () => Promise<void>, depends: readonly unknown[]): void {
  useEffect(() => {
    let isOver = false;
    let isReading = false;
    let isStale = false;
    let timer: ReturnType<typeof setTimeout> | undefined;

    async function readNow(): Promise<void> {
      timer = undefined;
      isReading = true;
      isStale = false;
      await read();
      isReading = false;
      if (isStale) changed();
    }
    function changed(): void {
      isStale = true;
      if (isOver || isReading || timer !== undefined) return;
      timer = setTimeout(() => void readNow(), spacingMilliseconds);
    }
    void readNow();
    const stop = client.subscribe(
      {
        query: `subscription ($after: Cursor) {
          changes(after: $after, delivery: LATEST_PER_RESOURCE) { __typename } }`,
        snapshot: { query: '{ feedPosition }' },
        onReset: changed,
      },
      { next: changed, error: streamEnded },
    );
    const stopWatching = connection.subscribe((state) => {
      if (state === 'LIVE') changed();
    });
    return () => {
      isOver = true;
      clearTimeout(timer);
      stop();
      stopWatching();
    };
  }, depends);
}
