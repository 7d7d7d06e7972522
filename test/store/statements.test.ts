/** Statements that are asked for at once: PGlite is sent several of them in one go. */
import { afterAll, beforeEach, expect, test } from 'vitest';
import { sqlState } from '../../src/store/database/sql-error.ts';
import { openTestPglite } from '../harness/embedded.ts';

const database = await openTestPglite();
afterAll(() => database.close());

beforeEach(async () => {
  await database.query('drop table if exists counted');
  await database.query('create table counted (id int primary key, n int check (n < 100))');
});

const add = (id: number, n: number) =>
  database.query<{ id: number }>(
    'insert into counted (id, n) values ($1::int, $2::int) returning id',
    [id, n],
  );
const all = () => database.query<{ id: number; n: number }>('select * from counted order by id');

test('each of them is answered by itself and a transaction of its own', async () => {
  const numbers = Array.from({ length: 50 }, (_, at) => at + 1);
  const answers = await Promise.allSettled([
    ...numbers.map((id) => add(id, id % 7 === 0 ? 100 : id)),
    database.query('select nothing'),
    database.query('select $1::int / $2::int', [1, 0]),
    database.query<{ n: number }>('select count(*)::int as n from counted'),
  ]);
  const right = numbers.filter((id) => id % 7 !== 0);
  for (const id of numbers) {
    const answer = answers[id - 1];
    if (answer?.status === 'fulfilled') expect(answer.value).toEqual([{ id }]);
    else expect([id % 7, sqlState(answer?.reason)]).toEqual([0, '23514']);
  }
  const last = answers.slice(50);
  expect(
    last.map((each) => (each.status === 'rejected' ? sqlState(each.reason) : each.value)),
  ).toEqual(['42703', '22012', [{ n: right.length }]]);
  expect((await all()).map(({ id }) => id)).toEqual(right);
});

test('none of them is in the transaction of somebody else', async () => {
  const rolledBack = database.drizzle.transaction(async (transaction) => {
    await transaction.execute('insert into counted (id, n) values (1, 1)');
    void add(2, 2);
    await transaction.execute('select 1');
    transaction.rollback();
  });
  await expect(rolledBack).rejects.toThrow();
  expect(await all()).toEqual([{ id: 2, n: 2 }]);
});

test('a table that has changed is described anew', async () => {
  await Promise.all([add(1, 1), all()]);
  await database.query('alter table counted add column more int');
  const expected = [{ id: 1, n: 1, more: null }];
  expect(await Promise.all([all(), all(), all()])).toEqual([expected, expected, expected]);
});

test('those that wait are answered before the store closes', async () => {
  const other = await openTestPglite();
  const answers = Array.from({ length: 40 }, (_, n) => other.query('select $1::int as n', [n]));
  await other.close();
  expect(await Promise.all(answers)).toEqual(Array.from({ length: 40 }, (_, n) => [{ n }]));
});
