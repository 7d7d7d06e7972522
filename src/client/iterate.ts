/** A stream as an async iterable. */
import type { Reset, StreamEvent, StreamSink } from './stream.ts';

/** An event, or with `reset` a snapshot that replaces everything before it. */
export type StreamItem<Data, Snapshot> =
  | (StreamEvent<Data> & { readonly reset?: undefined })
  | { readonly reset: Reset<Snapshot>; readonly data?: undefined };

/**
 * Subscribes, and buffers what has not been taken yet. `return` unsubscribes; leaving a `for await`
 * calls it.
 */
export function iterate<Data, Snapshot>(
  subscribe: (sink: StreamSink<Data>, onReset: (reset: Reset<Snapshot>) => void) => () => void,
): AsyncIterableIterator<StreamItem<Data, Snapshot>, void> {
  const waiting: StreamItem<Data, Snapshot>[] = [];
  let readers: (() => void)[] = [];
  let end: { error?: Error } | null = null;

  function wake(): void {
    const all = readers;
    readers = [];
    for (const each of all) each();
  }
  function finish(how: { error?: Error }): void {
    end ??= how;
    wake();
  }
  function push(item: StreamItem<Data, Snapshot>): void {
    waiting.push(item);
    wake();
  }

  const stop = subscribe(
    { next: push, error: (error) => finish({ error }), complete: () => finish({}) },
    (reset) => push({ reset }),
  );
  return {
    [Symbol.asyncIterator]() {
      return this;
    },
    async next() {
      while (waiting.length === 0 && !end) {
        await new Promise<void>((resolve) => readers.push(resolve));
      }
      const item = waiting.shift();
      if (item) return { done: false, value: item };
      const error = end?.error;
      end = {};
      if (error) throw error;
      return { done: true, value: undefined };
    },
    async return() {
      stop();
      waiting.length = 0;
      finish({});
      return { done: true, value: undefined };
    },
  };
}
