/** What GraphiQL keeps of a subscription's events, and what it forgets. */
import { expect, test } from 'vitest';
import {
  createEventLog,
  type EventLog,
  mostCompared,
} from '../../src/graphiql/stream/event-log.ts';
import { spoken } from '../../src/graphiql/stream/line.ts';
import { emptyText } from '../../src/graphiql/stream/streams.ts';

const add = (log: EventLog, id: string, count: number): string => {
  log.add({ data: { event: { instance: { id, key: id }, count } } }, 0);
  return spoken(log.last()?.line ?? { subject: '', changes: [], more: 0 });
};

test('a line is compared with the last event of its resource', () => {
  const log = createEventLog();
  expect(add(log, 'a', 1)).toBe('a · instance.key a · count 1');
  add(log, 'b', 1);
  expect(add(log, 'a', 2)).toBe('a · count 1 → 2');
});

test('the resources that had no event for longest are no longer compared with', () => {
  const log = createEventLog();
  add(log, 'quiet', 1);
  add(log, 'busy', 1);
  for (let index = 0; index < mostCompared; index += 1) {
    add(log, `r${index}`, 1);
    add(log, 'busy', 2 + index);
  }
  expect(add(log, 'quiet', 2)).toBe('quiet · instance.key quiet · count 2');
  expect(add(log, 'busy', 0)).toBe(`busy · count ${mostCompared + 1} → 0`);
});

test('a cleared log holds nothing of its events but their number', () => {
  const log = createEventLog();
  expect(emptyText({ state: 'LIVE', log })).toMatch(/^No event yet\. Each/);
  expect(emptyText({ state: 'ENDED', log })).toBe('No event yet.');
  add(log, 'a', 1);
  add(log, 'a', 2);
  log.clear();
  expect([log.entries().length, log.count(), log.cleared(), log.dropped()]).toEqual([0, 2, 2, 0]);
  expect(emptyText({ state: 'LIVE', log })).toMatch(/^No event since the log was cleared\. Each/);
  expect(add(log, 'a', 3)).toBe('a · instance.key a · count 3');
  expect([log.count(), log.cleared()]).toEqual([3, 2]);
});
