/** How work is claimed: one statement for every group of kinds, shared by what comes together. */
import { afterEach, expect, test, vi } from 'vitest';
import type { Database } from '../../src/store/database/database.ts';
import { claim, finish } from '../../src/store/work/work.ts';
import { registerWorker } from '../../src/store/work/workers.ts';
import { createFleet, type Fleet } from './fleet.ts';

let fleet: Fleet;
afterEach(() => fleet.close());

/** Counts the statements of a database that contain a text, from now on. */
function countStatements(database: Database, text: string): () => number {
  let count = 0;
  const { query } = database;
  Object.assign(database, {
    query: (...args: Parameters<Database['query']>) => {
      if (args[0].includes(text)) count += 1;
      return query(...args);
    },
  });
  return () => count;
}

test.each(['PGLITE', 'POSTGRES'] as const)(
  'one statement claims as much as each group has room for, on %s',
  async (kind) => {
    fleet = await createFleet(kind);
    for (let n = 0; n < 5; n += 1) {
      await fleet.host(`host-${n}`);
      await fleet.hostCommand('DEPLOY', `host-${n}`);
    }
    await fleet.store.database.query(`update work set due_at = now() - interval '1 second'`);
    const worker = await registerWorker(fleet.store, 'test');
    const driver = 'PROCESS';
    const drivers = [driver] as const;
    const claimed = await claim(fleet.store, worker, {
      drivers,
      groups: [
        { kinds: ['HOST_DEADLINE', 'INSTANCE_DEADLINE'], driver: null, limit: 2 },
        { kinds: ['CHECK_HOST'], driver, limit: 5 },
        { kinds: ['ALLOCATE_HOST', 'CONFIGURE_DNS'], driver, limit: 3 },
      ],
    });
    expect(claimed.map((item) => item.kind).sort()).toEqual([
      ...['ALLOCATE_HOST', 'ALLOCATE_HOST', 'ALLOCATE_HOST'],
      ...['HOST_DEADLINE', 'HOST_DEADLINE'],
    ]);
    expect(new Set(claimed.map(({ token }) => token)).size).toBe(5);
    const none = await claim(fleet.store, worker, {
      drivers,
      groups: [{ kinds: ['ALLOCATE_HOST'], driver, limit: 0 }],
    });
    expect(none).toEqual([]);
  },
);

test('commands that come together share their claims', async () => {
  fleet = await createFleet('POSTGRES');
  const keys = Array.from({ length: 60 }, (_, n) => `host-${n}`);
  for (const key of keys) await fleet.host(key);
  const claims = countStatements(fleet.store.database, `nextval('fencing_tokens')`);
  await fleet.startExecutor();
  const before = claims();
  await Promise.all(keys.map((key) => fleet.hostCommand('DEPLOY', key)));
  expect(claims() - before).toBeLessThan(keys.length / 2);
  for (const key of keys) await fleet.until(key, 'RUNNING');
});

test.each(['PGLITE', 'POSTGRES'] as const)(
  'work of another driver is left to the servers that have it, and its deadline ends it, on %s',
  async (kind) => {
    fleet = await createFleet(kind);
    for (const key of ['ours', 'theirs']) await fleet.host(key);
    const { query } = fleet.store.database;
    // A driver of a later version: this server has read the row, and cannot serve it.
    await query(`update hosts set driver = 'OTHER' where key = 'theirs'`);
    for (const key of ['theirs', 'ours']) await fleet.hostCommand('DEPLOY', key);
    const workOfOther = () =>
      query(
        `select kind, driver, attempt from work where driver = 'OTHER' and kind <> 'HOST_DEADLINE'`,
      );
    await fleet.startExecutor();
    await fleet.until('ours', 'RUNNING');
    expect(await workOfOther()).toEqual([{ kind: 'ALLOCATE_HOST', driver: 'OTHER', attempt: 0 }]);

    const overdue = (seconds: number) =>
      query(
        `update work set due_at = clock_timestamp() - make_interval(secs => $1::float8)
          where driver = 'OTHER' and kind = 'HOST_DEADLINE'`,
        [seconds],
      );
    await overdue(1);
    // Deadlines of other drivers are looked at by then: this one expires after it.
    await query(
      `update work set due_at = clock_timestamp() where kind = 'CHECK_HOST' and driver = 'PROCESS'`,
    );
    await fleet.hostCommand('RESTART', 'ours');
    await fleet.until('ours', 'RUNNING');
    expect(await fleet.history('theirs')).toEqual(['DEPLOYING']);

    await overdue(6);
    await fleet.until('theirs', 'FAILED_DEPLOYMENT');
    const [failed] = await query<{ failure: object }>(
      `select failure from hosts where key = 'theirs'`,
    );
    expect(failed?.failure).toMatchObject({
      message: expect.stringContaining('This server has no driver OTHER; it has PROCESS.'),
    });
  },
);

test('items end together; one that a commit has locked ends when that is over', async () => {
  fleet = await createFleet('POSTGRES');
  const { store } = fleet;
  for (const key of ['one', 'two', 'three']) {
    await fleet.host(key);
    await fleet.hostCommand('DEPLOY', key);
  }
  const worker = await registerWorker(store, 'test');
  const items = await claim(store, worker, {
    drivers: ['PROCESS'],
    groups: [{ kinds: ['ALLOCATE_HOST'], driver: 'PROCESS', limit: 3 }],
  });
  expect(items).toHaveLength(3);
  const left = async () => {
    const rows = await store.database.query<{ id: string }>(
      `select resource_id as id from work where kind = 'ALLOCATE_HOST'`,
    );
    return rows.map(({ id }) => id);
  };
  const commit = store.database.openSession?.();
  if (!commit) throw new Error('PostgreSQL has sessions.');
  const [held] = items;
  await commit.query('begin');
  await commit.query('select from work where resource_id = $1::uuid for update', [
    held?.resourceId ?? '',
  ]);
  // The token of another holder ends nothing.
  await finish(
    store,
    items.map((item) => ({ ...item, token: item.token + 100 })),
  );
  expect(await left()).toHaveLength(3);
  const finished = finish(store, items);
  await vi.waitFor(async () => expect(await left()).toEqual([held?.resourceId]));
  await commit.query('commit');
  await finished;
  expect(await left()).toEqual([]);
  commit.close();
});
