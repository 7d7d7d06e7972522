/** Reading the rows of one resource: it costs what that resource wrote, whatever the others did. */
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Database, Parameter, Queries } from '../../src/store/database/database.ts';
import { readLogAfter, readLogBefore } from '../../src/store/log/log.ts';
import { type LogStore, openLogStore } from './log-store.ts';

let logStore: LogStore;
const resourceId = randomUUID();
const through = 1_000_000;

beforeAll(async () => {
  logStore = await openLogStore('POSTGRES');
  await logStore.append({ resourceId });
  for (let n = 0; n < 20; n += 1) await logStore.append({ count: 1_000 });
  await logStore.append({ resourceId });
  await logStore.database.query('vacuum analyze log');
});
afterAll(() => logStore.close());

interface Plan {
  readonly 'Node Type': string;
  readonly 'Index Name'?: string;
  readonly 'Actual Rows': number;
  readonly 'Rows Removed by Filter'?: number;
  readonly Plans?: readonly Plan[];
}

/** The scans of a statement when its plan is made for any parameters, as it is when it is kept. */
async function scansOf(database: Database, text: string, parameters: readonly Parameter[]) {
  const session = database.openSession?.();
  if (!session) throw new Error('PostgreSQL has sessions.');
  await session.query('set plan_cache_mode = force_generic_plan');
  await session.query(`prepare read as ${text}`);
  const literals = parameters.map((each) => (typeof each === 'string' ? `'${each}'` : `${each}`));
  const [row] = await session.query<{ 'QUERY PLAN': { Plan: Plan }[] }>(
    `explain (analyze, format json) execute read(${literals.join(', ')})`,
  );
  session.close();
  const flat = (plan: Plan): Plan[] => [plan, ...(plan.Plans ?? []).flatMap(flat)];
  return flat(row!['QUERY PLAN'][0]!.Plan).filter((plan) => plan['Node Type'].includes('Scan'));
}

/** Runs a read, and returns its rows and its statements. */
async function watched<Result>(read: (queries: Queries) => Promise<Result>) {
  const statements: { text: string; parameters: readonly Parameter[] }[] = [];
  const { kind, query } = logStore.database;
  const queries: Queries = {
    kind,
    query(text, parameters = []) {
      statements.push({ text, parameters });
      return query(text, parameters);
    },
  };
  return { result: await read(queries), statements };
}

test.each([
  [
    'after',
    (queries: Queries, selection: { organizationId: string }) =>
      readLogAfter(
        queries,
        { revision: 1, place: 0 },
        { ...selection, resourceId, through, limit: 200 },
      ),
    [22],
  ],
  [
    'before',
    (queries: Queries, selection: { organizationId: string }) =>
      readLogBefore(
        queries,
        { revision: through, place: 0 },
        { ...selection, resourceId, limit: 200 },
      ),
    [22, 1],
  ],
] as const)('the rows %s a position are found by an index', async (_where, read, revisions) => {
  const { organizationId } = logStore;
  const { result, statements } = await watched((queries) => read(queries, { organizationId }));
  expect(result.rows.map(({ revision }) => revision)).toEqual(revisions);
  expect(statements).toHaveLength(1);
  const [{ text, parameters }] = statements as [(typeof statements)[number]];
  for (const scan of await scansOf(logStore.database, text, parameters))
    expect(scan['Actual Rows'] + (scan['Rows Removed by Filter'] ?? 0)).toBeLessThan(10);
});
