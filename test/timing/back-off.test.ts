import { expect, test } from 'vitest';
import { backOff } from '../../src/timing/back-off.ts';

test('the first wait doubles with each failure, up to the maximum', () => {
  const waits = [0, 1, 2, 3, 4].map((failures) => backOff({ first: 50, max: 500 }, failures));
  expect(waits).toEqual([50, 100, 200, 400, 500]);
});

test('no number of failures makes it longer', () => {
  expect(backOff({ first: 0.2, max: 30 }, 100_000)).toBe(30);
  expect(backOff({ first: 1, max: 0.5 }, 0)).toBe(0.5);
  expect(backOff({ first: 1, max: 30 }, -1)).toBe(1);
});

test('the jitter takes away up to its share', () => {
  const waits = [0, 0.5, 1].map((random) =>
    backOff({ first: 100, max: 1000, jitter: 0.75 }, 1, () => random),
  );
  expect(waits).toEqual([200, 125, 50]);
  expect(backOff({ first: 100, max: 1000 }, 1, () => 1)).toBe(200);
});
