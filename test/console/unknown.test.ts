/** What an address asks for that a view does not know. */
import { expect, test } from 'vitest';
import { isMoment, unknownIn } from '../../src/console/part/unknown.ts';

const known = { status: ['FAILED', 'RUNNING'], since: isMoment };

test.each([
  ['', []],
  ['status=FAILED,RUNNING&since=2026-01-01T00:00:00.000Z&text=NOPE', []],
  ['status=NOPE', [{ name: 'status', value: 'NOPE', rest: null }]],
  ['status=FAILED,NOPE,failed', [{ name: 'status', value: 'NOPE, failed', rest: 'FAILED' }]],
  ['since=yesterday', [{ name: 'since', value: 'yesterday', rest: null }]],
])('?%s', (query, unknown) => {
  expect(unknownIn(new URLSearchParams(query), known)).toEqual(unknown);
});
