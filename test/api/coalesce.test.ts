import { expect, test } from 'vitest';
import { coalesce } from '../../src/graphql/coalesce.ts';

/** A source that is pushed by hand. */
function source() {
  const waiting: ((result: IteratorResult<null>) => void)[] = [];
  let queued = 0;
  let ended = false;
  const end = () => {
    ended = true;
    for (const resolve of waiting.splice(0)) resolve({ done: true, value: undefined });
  };
  return {
    push() {
      const resolve = waiting.shift();
      if (resolve) resolve({ done: false, value: null });
      else queued += 1;
    },
    end,
    isEnded: () => ended,
    [Symbol.asyncIterator]: () => ({
      next: () => {
        if (queued > 0) {
          queued -= 1;
          return Promise.resolve({ done: false as const, value: null });
        }
        if (ended) return Promise.resolve({ done: true as const, value: undefined });
        return new Promise<IteratorResult<null>>((resolve) => waiting.push(resolve));
      },
      return: async () => {
        end();
        return { done: true as const, value: undefined };
      },
    }),
  };
}

test('ticks at once, then no more often than it may, the last one after the last event', async () => {
  const events = source();
  const ticks = coalesce(events, 40);
  const begun = performance.now();
  expect(await ticks.next()).toEqual({ done: false, value: null });
  expect(performance.now() - begun).toBeLessThan(30);

  let lastEvent = 0;
  const timer = setInterval(() => {
    events.push();
    lastEvent = performance.now();
  }, 3);
  const times: number[] = [];
  for (let n = 0; n < 4; n += 1) {
    await ticks.next();
    times.push(performance.now());
  }
  clearInterval(timer);
  times.reduce((before, time) => {
    expect(time - before).toBeGreaterThan(35);
    return time;
  });
  // What came after the fourth tick is not lost.
  events.push();
  lastEvent = performance.now();
  await ticks.next();
  expect(performance.now()).toBeGreaterThan(lastEvent);

  const next = ticks.next();
  events.end();
  expect(await next).toEqual({ done: true, value: undefined });
});

test('closing ends the source and whoever waits', async () => {
  const events = source();
  const ticks = coalesce(events, 40);
  await ticks.next();
  const waits = ticks.next();
  await ticks.return?.();
  expect(await waits).toEqual({ done: true, value: undefined });
  expect(events.isEnded()).toBe(true);
});

test('a source that fails fails the ticks', async () => {
  const ticks = coalesce(
    {
      [Symbol.asyncIterator]: () => ({ next: () => Promise.reject(new Error('gone')) }),
    },
    10,
  );
  await ticks.next();
  await expect(ticks.next()).rejects.toThrow('gone');
});
