/** Turns many events into few ticks, none of them lost: the last tick comes after the last event. */

/**
 * Ticks at once, and then after events, but never more often than every `milliseconds`. Ends when
 * the source does, after a last tick where one is due.
 */
export function coalesce(
  source: AsyncIterable<unknown>,
  milliseconds: number,
): AsyncIterableIterator<null> {
  const events = source[Symbol.asyncIterator]();
  let due = true;
  let ended = false;
  let failure: unknown = null;
  let lastTick = Number.NEGATIVE_INFINITY;
  let wake: () => void = () => {};

  const pump = async () => {
    try {
      for (;;) {
        const { done } = await events.next();
        if (done) break;
        due = true;
        wake();
      }
    } catch (error) {
      failure = error;
    }
    ended = true;
    wake();
  };
  const started = pump();

  /** Until something happens, or so many milliseconds are over. */
  const pause = (atMost: number | null) =>
    new Promise<void>((resolve) => {
      const timer = atMost === null ? null : setTimeout(resolve, atMost);
      wake = () => {
        if (timer) clearTimeout(timer);
        resolve();
      };
    });

  let closed = false;
  const close = async () => {
    closed = true;
    ended = true;
    due = false;
    wake();
    await events.return?.();
    await started;
  };

  return {
    async next() {
      while (!closed) {
        const wait = lastTick + milliseconds - performance.now();
        if (due && (wait <= 0 || ended)) {
          due = false;
          lastTick = performance.now();
          return { done: false, value: null };
        }
        if (failure) throw failure;
        if (ended) break;
        await pause(due ? wait : null);
      }
      return { done: true, value: undefined };
    },
    async return() {
      await close();
      return { done: true, value: undefined };
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}
