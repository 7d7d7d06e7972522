/** Deleting the old rows of the log on either store, and what those who read meanwhile are told. */
import { randomUUID } from 'node:crypto';
import postgres from 'postgres';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { openPostgres } from '../../src/store/database/postgres.ts';
import { readLogState } from '../../src/store/log/log.ts';
import { type Retention, startRetention } from '../../src/store/log/retention.ts';
import { APPEND, type Kind, type LogStore, openLogStore, places, take } from './log-store.ts';
import { openStream } from './stream.ts';

const warnings: string[] = [];
const started: Retention[] = [];

/** The retention of a node that keeps 30 days. */
function retentionOf({ database }: Pick<LogStore, 'database'>): Retention {
  const retention = startRetention(database, { days: 30, warn: (text) => warnings.push(text) });
  started.push(retention);
  return retention;
}

afterEach(async () => {
  for (const retention of started.splice(0)) await retention.stop();
  expect(warnings.splice(0)).toEqual([]);
});

describe.each<Kind>(['PGLITE', 'POSTGRES'])('on %s', (kind) => {
  let logStore: LogStore;
  beforeAll(async () => {
    logStore = await openLogStore(kind);
  });
  afterEach(() => logStore.reset());
  afterAll(() => logStore.close());
  const organization = () => ({ organizationId: logStore.organizationId });

  const age = (days: number, from: number, to = from) =>
    logStore.database.query(
      `update log set at = at - make_interval(secs => $1::float8)
        where revision between $2::bigint and $3::bigint`,
      [days * 86_400, from, to],
    );
  const revisions = async () =>
    (
      await logStore.database.query<{ revision: number }>(
        'select distinct revision from log order by revision',
      )
    ).map(({ revision }) => revision);

  test('only what is older goes, whole revisions of the beginning, and all of them', async () => {
    for (const count of [3, 1, 1500, 1, 2, 1]) await logStore.append({ count });
    await age(31, 1, 3);
    await age(29, 4);
    await age(31, 5); // A clock that went back: it stays until what is before it goes.
    const retention = retentionOf(logStore);
    await retention.look();
    expect(await revisions()).toEqual([4, 5, 6]);
    expect(await readLogState(logStore.database)).toMatchObject({ prunedThrough: 3, newest: 6 });
    await age(1.1, 4);
    await retention.look();
    expect(await revisions()).toEqual([6]);
    await age(31, 6);
    await retention.look();
    expect(await revisions()).toEqual([]);
    expect(await readLogState(logStore.database)).toMatchObject({ prunedThrough: 6, newest: 6 });
    await retention.look();
    expect(await logStore.append()).toBe(7);
  });

  test('nothing is due: nothing is written', async () => {
    await logStore.append();
    const identity = () =>
      logStore.database.query('select xmin::text, i::text as row from store_identity i');
    const before = await identity();
    await retentionOf(logStore).look();
    expect(await identity()).toEqual(before);
  });

  test('who is live notices nothing; who comes back too late is told the oldest cursor', async () => {
    const feed = await logStore.feed();
    const beginning = await feed.position(logStore.organizationId);
    const live = openStream(feed, { ...organization(), after: beginning });
    for (let n = 0; n < 5; n += 1) await logStore.append({ count: 2 });
    const seen = await take(live, 6);
    await feed.position(logStore.organizationId); // Has read them all.
    await age(31, 1, 4);
    await retentionOf(logStore).look();
    seen.push(...(await take(live, 4)));
    await logStore.append({ count: 2 });
    seen.push(...(await take(live, 2)));
    expect(seen.map(({ revision }) => revision)).toEqual([1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6]);

    const later = await logStore.feed({ apart: true, ringBytes: 0 });
    const refused = openStream(later, { ...organization(), after: beginning });
    const error = await refused.ready().catch((thrown) => thrown);
    expect(error).toMatchObject({ code: 'CURSOR_EXPIRED', oldestCursor: expect.any(String) });
    const rest = openStream(later, { ...organization(), after: error.oldestCursor });
    expect(places(await take(rest, 4))).toEqual(places(seen.slice(8)));
    const within = openStream(later, { ...organization(), after: seen[8]?.cursor ?? '' });
    expect(places(await take(within, 3))).toEqual(places(seen.slice(9)));
    const half = openStream(later, { ...organization(), after: seen[6]?.cursor ?? '' });
    await expect(half.ready()).rejects.toMatchObject({ code: 'CURSOR_EXPIRED' });
  });

  test('who stands behind and is overtaken is told so', async () => {
    const feed = await logStore.feed({ ringBytes: 0 });
    const beginning = await feed.position(logStore.organizationId);
    for (let n = 0; n < 30; n += 1) await logStore.append({ count: 50 });
    const behind = openStream(feed, { ...organization(), after: beginning });
    const seen = await take(behind, 50);
    await age(31, 1, 28);
    await retentionOf(logStore).look();
    const reading = (async () => {
      for (;;) seen.push(...(await take(behind, 1)));
    })();
    await expect(reading).rejects.toMatchObject({ code: 'CURSOR_EXPIRED' });
    // Nothing was left out before it was told.
    const order = [...new Set(seen.map(({ revision }) => revision))];
    expect(order).toEqual(order.map((_, index) => index + 1));
    expect(order.length).toBeLessThan(29);
  });
});

describe('nodes and writers', () => {
  let logStore: LogStore;
  let sql: postgres.Sql;
  beforeAll(async () => {
    logStore = await openLogStore('POSTGRES');
    sql = postgres(logStore.url ?? '', { max: 10, onnotice: () => {} });
  });
  afterEach(() => logStore.reset());
  afterAll(async () => {
    await sql.end();
    await logStore.close();
  });

  const organization = () => ({ organizationId: logStore.organizationId });

  /** Old rows at the beginning of the log. */
  const preload = (revisions: number) => sql`
    insert into log (revision, place, organization_id, kind, resource_kind, resource_id, sequence, at, actor)
    select nextval('log_revisions'), 0, ${logStore.organizationId}, 'DESIRED', 'INSTANCE',
           gen_random_uuid(), 0, clock_timestamp() - interval '40 days', '{}'
      from generate_series(1, ${revisions}::int)`;
  const left = async () => Number((await sql`select count(*) as n from log`)[0]?.n);

  test('two nodes delete each row once, and one that finds the other at it goes its way', async () => {
    await preload(4500);
    const other = openPostgres(logStore.url ?? '', { connections: 2 });
    const nodes = [retentionOf(logStore), retentionOf({ database: other })];
    const held = await sql.reserve();
    await held`begin`;
    await held`update store_identity set pruned_through = pruned_through`;
    await Promise.all(nodes.map((node) => node.look()));
    expect(await left()).toBe(4500);
    await held`rollback`;
    held.release();
    while ((await left()) > 0) await Promise.all(nodes.map((node) => node.look()));
    expect(await readLogState(logStore.database)).toMatchObject({ prunedThrough: 4500 });
    for (const node of nodes) await node.stop();
    await other.close();
  });

  test('a revision that may still commit is not said to be gone', async () => {
    await preload(10);
    const writer = await sql.reserve();
    await writer`begin`;
    await writer.unsafe(APPEND, [1, logStore.organizationId, randomUUID(), 0, null]);
    await preload(10);
    const looking = retentionOf(logStore).look();
    const looks = () => sql`select from pg_stat_activity where query like '%pg_locks%'`;
    await expect.poll(async () => (await looks()).length).toBeGreaterThan(0);
    expect(await left()).toBe(20);
    await writer`rollback`;
    writer.release();
    await looking;
    expect(await left()).toBe(0);
    expect(await readLogState(logStore.database)).toMatchObject({ prunedThrough: 21 });
  });

  test('while eight write: nothing lost, nothing out of order; how long it takes is printed', {
    timeout: 120_000,
  }, async () => {
    await preload(40_000);
    const feed = await logStore.feed();
    const stream = openStream(feed, organization());
    await stream.ready();
    const received: { resourceId: string; sequence: number; at: number }[] = [];
    const reading = (async () => {
      for await (const batch of stream)
        for (const event of batch)
          if (event.kind !== 'BOOKMARK') received.push({ ...event, at: performance.now() });
    })();

    const committed = new Map<string, { at: number; pruning: boolean }>();
    let pruning = false;
    let writing = true;
    const writers = Array.from({ length: 8 }, async () => {
      const resource = randomUUID();
      for (let sequence = 1; writing; sequence += 1) {
        const gone = Math.random() < 0.1;
        await sql
          .begin(async (tx) => {
            await tx.unsafe(APPEND, [1, logStore.organizationId, resource, sequence, null]);
            if (gone) throw new Error('rolled back');
          })
          .catch(() => {});
        if (gone) continue;
        committed.set(`${resource} ${sequence}`, { at: performance.now(), pruning });
        logStore.store.committed({ revision: 0, work: false });
      }
    });
    const commits = async (count: number) => {
      const enough = committed.size + count;
      await expect.poll(() => committed.size, { interval: 5 }).toBeGreaterThan(enough);
    };
    const pruned = async () => (await readLogState(logStore.database)).prunedThrough;
    // In turns: with nothing to delete, and deleting all the time.
    const before = await left();
    for (let n = 0; n < 5; n += 1) {
      await commits(100);
      const retention = retentionOf(logStore);
      const enough = (await pruned()) + 1000;
      pruning = true;
      const looking = retention.look();
      await expect.poll(pruned, { interval: 5 }).toBeGreaterThan(enough);
      await commits(1);
      await retention.stop();
      await looking;
      pruning = false;
    }
    writing = false;
    await Promise.all(writers);
    const prunedThrough = await pruned();
    expect(before).toBeGreaterThan(prunedThrough - 1);

    await expect.poll(() => received.length).toBe(committed.size);
    const last = new Map<string, number>();
    const delays: Record<'idle' | 'pruning', number[]> = { idle: [], pruning: [] };
    for (const { resourceId, sequence, at } of received) {
      expect(sequence).toBeGreaterThan(last.get(resourceId) ?? 0);
      last.set(resourceId, sequence);
      const commit = committed.get(`${resourceId} ${sequence}`);
      if (commit) delays[commit.pruning ? 'pruning' : 'idle'].push(at - commit.at);
    }
    const shown = Object.entries(delays).map(([when, all]) => {
      const sorted = all.sort((a, b) => a - b);
      const at = (share: number) => sorted[Math.floor(sorted.length * share)]?.toFixed(1);
      return `${when}: ${all.length} events, p50 ${at(0.5)}, p99 ${at(0.99)}, most ${at(0.99999)} ms`;
    });
    console.log(`commit to reader; ${prunedThrough} deleted meanwhile\n${shown.join('\n')}`);
    await stream.return();
    await reading;
  });
});
