/** What is logged of an error of the store. */
import { sql } from 'drizzle-orm';
import { describe, expect, test } from 'vitest';
import { describeError } from '../../src/store/database/sql-error.ts';
import { storeKinds, useStore } from './stores.ts';

describe.each(storeKinds)('errors of the store on %s', (kind) => {
  const its = useStore(kind);

  test('a description has the cause and no parameter', async () => {
    const { database } = its.store;
    const failing = [
      () => database.query('select $1::text, 1 / $2::int', ['hush', 0]),
      () => database.query('select $1::text::uuid', ['hush']),
      () => database.drizzle.execute(sql`select ${'hush'}::text::uuid`),
    ];
    const described: string[] = [];
    for (const attempt of failing) {
      const error = await attempt().then(
        () => null,
        (thrown: unknown) => thrown,
      );
      described.push(JSON.stringify(describeError(error)));
    }
    expect(described[0]).toContain('division by zero');
    expect(described[1]).toContain('22P02');
    expect(described[2]).toContain('22P02');
    expect(described.join()).not.toContain('hush');
  });
});
