import { expect, test } from 'vitest';
import { nextTimeSlice } from '../../src/feed/group/time-slices.ts';

const busy = (ms: number): void => {
  for (const until = performance.now() + ms; performance.now() < until; );
};

test('between turns the process looks at its sockets and timers', async () => {
  let looks = 0;
  let over = false;
  const look = (): void => {
    looks += 1;
    if (!over) setImmediate(look);
  };
  look();
  const order: number[] = [];
  await Promise.all(
    Array.from({ length: 200 }, async (_, n) => {
      await nextTimeSlice();
      busy(1);
      order.push(n);
    }),
  );
  over = true;
  expect(order).toEqual(Array.from({ length: 200 }, (_, n) => n));
  // Five milliseconds of turns, then a look.
  expect(looks).toBeGreaterThanOrEqual(200 / 6);
});

test('a turn lasts until what it does waits for something', async () => {
  const events: string[] = [];
  await Promise.all(
    ['a', 'b'].map(async (name) => {
      await nextTimeSlice();
      for (let step = 0; step < 10; step += 1) await events.push(`${name}${step}`);
      await nextTimeSlice();
      events.push(`${name} again`);
    }),
  );
  expect(events.slice(0, 11)).toEqual([...Array.from({ length: 10 }, (_, n) => `a${n}`), 'b0']);
  expect(events.slice(-2)).toEqual(['a again', 'b again']);
});
