/** Waiting queries are counted for each token. */
import { expect, test } from 'vitest';
import { createSlots } from '../../src/api/base/slots.ts';

test('a token has as many waiters as the limit; who leaves makes room, once', () => {
  const waiters = createSlots(2);
  const first = waiters.enter('a');
  const second = waiters.enter('a');
  expect(waiters.enter('a')).toBeNull();
  first?.();
  first?.();
  const third = waiters.enter('a');
  expect(third).not.toBeNull();
  expect(waiters.enter('a')).toBeNull();
  second?.();
  third?.();
  expect([waiters.enter('a'), waiters.enter('a')]).not.toContain(null);
  expect(waiters.enter('a')).toBeNull();
});

test('another token has a limit of its own', () => {
  const waiters = createSlots(1);
  waiters.enter('a');
  expect(waiters.enter('a')).toBeNull();
  expect(waiters.enter('b')).not.toBeNull();
});

test('a limit of none lets nobody wait', () => {
  expect(createSlots(0).enter('a')).toBeNull();
});
