/** A stream of the console whose server ends it. */
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { StreamSink } from '../../src/client/client.ts';
import { reopen, retryMilliseconds } from '../../src/console/live/reopen.ts';

// The files of a run share a process: no other test gets these timers.
beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** A client that notes the streams that were opened. */
function opened(isFinal = false) {
  const sinks: StreamSink<{ n: number }>[] = [];
  const failures: string[] = [];
  const subscribe = (_request: unknown, sink: unknown) => {
    sinks.push(sink as StreamSink<{ n: number }>);
    return () => {};
  };
  const close = reopen<{ n: number }, object>(
    { subscribe },
    { query: '' },
    { next() {}, failed: (message) => failures.push(message), isFinal: () => isFinal },
  );
  return { sinks, failures, close };
}

test.each([
  ['an error', (sink?: StreamSink<{ n: number }>) => sink?.error(new Error('refused'))],
  ['its end by the server', (sink?: StreamSink<{ n: number }>) => sink?.complete?.()],
])('after %s it is told, and opened again', (_name, end) => {
  const { sinks, failures, close } = opened();
  for (const count of [1, 2]) {
    end(sinks.at(-1));
    expect([sinks.length, failures.length]).toEqual([count, count]);
    vi.advanceTimersByTime(retryMilliseconds);
    expect(sinks.length).toBe(count + 1);
  }
  end(sinks.at(-1));
  close();
  vi.advanceTimersByTime(retryMilliseconds);
  expect(sinks.length).toBe(3);
});

test('it stays closed when the session is over', () => {
  const { sinks, failures } = opened(true);
  sinks[0]?.complete?.();
  vi.advanceTimersByTime(retryMilliseconds);
  expect([sinks.length, failures.length]).toEqual([1, 0]);
});
