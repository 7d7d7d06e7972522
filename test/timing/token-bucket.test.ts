import { expect, test } from 'vitest';
import { createTokenBucket, tokensAt } from '../../src/timing/token-bucket.ts';

test('a burst passes at once, what follows waits for its token', () => {
  let now = 1000;
  const bucket = createTokenBucket({ perSecond: 100, burst: 2 }, () => now);
  expect([bucket.take(), bucket.take(), bucket.take(), bucket.take()]).toEqual([0, 0, 10, 20]);
  now += 30;
  expect(bucket.take()).toBe(0);
  expect(bucket.take()).toBe(10);
});

test('an idle bucket holds no more than a burst', () => {
  let now = 0;
  const bucket = createTokenBucket({ perSecond: 100, burst: 2 }, () => now);
  now = 1e9;
  expect([bucket.take(), bucket.take(), bucket.take()]).toEqual([0, 0, 10]);
});

test('the level of a bucket grows with time, up to its burst', () => {
  const rate = { perSecond: 10, burst: 5 };
  expect(tokensAt(rate, { tokens: 1, atMs: 0 }, 250)).toBe(3.5);
  expect(tokensAt(rate, { tokens: -2, atMs: 0 }, 100)).toBe(-1);
  expect(tokensAt(rate, { tokens: 1, atMs: 0 }, 10_000)).toBe(5);
});
