import { GraphQLSchema, parse, validate } from 'graphql';
import { createSchema, createYoga } from 'graphql-yoga';
import postgres from 'postgres';
import { expect, test } from 'vitest';
import { createTestDatabase } from './database.ts';

test('every test database is its own, on a PostgreSQL that we support', async () => {
  const [one, other] = [await createTestDatabase(), await createTestDatabase()];
  const sql = postgres(one.url, { max: 2, onnotice: () => {} });
  const [row] = await sql<{ version: number }[]>`
    SELECT current_setting('server_version_num')::int AS version`;
  expect(row?.version).toBeGreaterThanOrEqual(150_000);
  expect(other.url).not.toBe(one.url);
  await one.drop(); // Although sql is still connected to it.
  await expect(sql`SELECT 1`).rejects.toThrow();
  await sql.end({ timeout: 5 });
  await other.drop();
});

test('the tests and the libraries share one build of graphql', async () => {
  const schema = createSchema({
    typeDefs: 'type Query { ok: Boolean }',
    resolvers: { Query: { ok: () => true } },
  });
  expect(schema).toBeInstanceOf(GraphQLSchema);
  expect(validate(schema, parse('{ ok }'))).toEqual([]);
  const response = await createYoga({ schema }).fetch('http://localhost/graphql?query={ok}');
  expect(await response.json()).toEqual({ data: { ok: true } });
});
