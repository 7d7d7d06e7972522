import { getEventListeners } from 'node:events';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { runWithin, waitAtMost, withTimeLimit } from '../../src/timing/time-limit.ts';

afterEach(() => {
  vi.useRealTimers();
});

const never = new Promise<never>(() => {});
const late = () => new Error('late');

describe('withTimeLimit', () => {
  test('gives the outcome of work that ends in time, and leaves no timer', async () => {
    vi.useFakeTimers();
    await expect(withTimeLimit(1000, Promise.resolve(1), late)).resolves.toBe(1);
    await expect(withTimeLimit(1000, Promise.reject(late()), () => new Error())).rejects.toThrow(
      'late',
    );
    expect(vi.getTimerCount()).toBe(0);
  });

  test('rejects once the time is over', async () => {
    vi.useFakeTimers();
    const rejected = expect(withTimeLimit(1000, never, late)).rejects.toThrow('late');
    await vi.advanceTimersByTimeAsync(1000);
    await rejected;
  });
});

describe('waitAtMost', () => {
  test('resolves with the end of the work, whatever it is, and leaves no timer', async () => {
    vi.useFakeTimers();
    await waitAtMost(1000, Promise.resolve());
    await waitAtMost(1000, Promise.reject(late()));
    await waitAtMost(1000, null);
    expect(vi.getTimerCount()).toBe(0);
  });

  test('resolves once the time is over', async () => {
    vi.useFakeTimers();
    const waiting = waitAtMost(1000, never);
    await vi.advanceTimersByTimeAsync(1000);
    await waiting;
  });
});

describe('runWithin', () => {
  /** Ends with its signal. */
  const untilAborted = (signal: AbortSignal) =>
    new Promise<never>((_, reject) => {
      if (signal.aborted) reject(signal.reason);
      signal.addEventListener('abort', () => reject(signal.reason), { once: true });
    });

  test('gives the outcome of the work, and leaves neither timer nor listener', async () => {
    vi.useFakeTimers();
    const outer = new AbortController().signal;
    await expect(runWithin(1000, outer, async () => 1)).resolves.toBe(1);
    await expect(runWithin(1000, outer, () => Promise.reject(late()))).rejects.toThrow('late');
    expect(vi.getTimerCount()).toBe(0);
    expect(getEventListeners(outer, 'abort')).toEqual([]);
  });

  test('aborts once the time is over', async () => {
    vi.useFakeTimers();
    const outer = new AbortController().signal;
    const rejected = expect(runWithin(1500, outer, untilAborted)).rejects.toThrow('1.5 s');
    await vi.advanceTimersByTimeAsync(1500);
    await rejected;
  });

  test('aborts with the outer signal and its reason, before the start too', async () => {
    const outer = new AbortController();
    const running = runWithin(60_000, outer.signal, untilAborted);
    outer.abort(late());
    await expect(running).rejects.toThrow('late');
    await expect(runWithin(60_000, outer.signal, untilAborted)).rejects.toThrow('late');
  });

  test('the limit holds though garbage is collected', async () => {
    setFlagsFromString('--expose-gc');
    const collectGarbage = runInNewContext('gc') as () => void;
    const running = runWithin(50, new AbortController().signal, (signal) => {
      setImmediate(collectGarbage);
      return untilAborted(signal);
    });
    await expect(running).rejects.toThrow('0.05 s');
  });
});
