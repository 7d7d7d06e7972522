/** The feed while transactions stay open, connections die and readers dawdle. */
import { randomUUID } from 'node:crypto';
import postgres from 'postgres';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import type { LogEvent } from '../../src/feed/channel/event.ts';
import { APPEND, type LogStore, openLogStore, places, take } from './log-store.ts';
import { openStream } from './stream.ts';

let logStore: LogStore;
let sql: postgres.Sql;
beforeAll(async () => {
  logStore = await openLogStore('POSTGRES');
  sql = postgres(logStore.url ?? '', { max: 4, onnotice: () => {} });
});
afterEach(() => logStore.reset());
afterAll(async () => {
  await sql.end();
  await logStore.close();
});
const organization = () => ({ organizationId: logStore.organizationId });

/** A transaction that has drawn its revision and stays open until it is told how to end. */
async function open(): Promise<(how: 'commit' | 'rollback') => Promise<void>> {
  const connection = await sql.reserve();
  await connection`begin`;
  await connection.unsafe(APPEND, [1, logStore.organizationId, randomUUID(), 0, null]);
  return async (how) => {
    await connection.unsafe(how);
    connection.release();
  };
}

/** Ends backends of others in the test's database; how many. */
async function terminate(which: string): Promise<number> {
  const ended = await sql.unsafe(
    `select pg_terminate_backend(pid) from pg_stat_activity
      where datname = current_database() and pid <> pg_backend_pid()
        and backend_type = 'client backend' and ${which}`,
  );
  return ended.length;
}

test('a position under an open transaction is before it, and nothing is missed', async () => {
  const feed = await logStore.feed();
  const first = await logStore.append();
  const end = await open();
  const later = [await logStore.append(), await logStore.append()];
  const position = await feed.position(logStore.organizationId);
  expect(position).toBe(feed.cursorOf(logStore.organizationId, { revision: first, place: 0xffff }));
  const stream = openStream(feed, { ...organization(), after: position });
  const events = take(stream, 3);
  await feed.position(logStore.organizationId);
  await end('commit');
  expect((await events).map(({ revision }) => revision)).toEqual([first + 1, ...later]);
});

test('what rolls back is passed as soon as it has, though another stays open', async () => {
  const feed = await logStore.feed();
  const stream = openStream(feed, organization());
  await stream.ready();
  const endFirst = await open();
  const visible = await logStore.append();
  await feed.position(logStore.organizationId); // The first is known as the one waited for.
  const endSecond = await open();
  await endFirst('rollback');
  const [event] = await take(stream, 1);
  expect(event?.revision).toBe(visible);
  await endSecond('commit');
  expect((await take(stream, 1))[0]?.revision).toBe(visible + 1);
});

test('a transaction that writes elsewhere holds nothing up', async () => {
  const feed = await logStore.feed();
  const stream = openStream(feed, organization());
  await stream.ready();
  const elsewhere = await sql.reserve();
  await elsewhere`begin`;
  await elsewhere`insert into organizations (id, key, name) values (${randomUUID()}, 'a', 'A')`;
  const revision = await logStore.append();
  expect((await take(stream, 1))[0]?.revision).toBe(revision);
  await elsewhere`rollback`;
  elsewhere.release();
});

test('a node that starts while a transaction is open does not pass it', async () => {
  const end = await open();
  await logStore.append();
  const starting = logStore.feed();
  let started = false;
  void starting.then(() => {
    started = true;
  });
  await expect
    .poll(
      async () => (await sql`select 1 from pg_stat_activity where query like '%pg_locks%'`).length,
    )
    .toBeGreaterThan(0);
  expect(started).toBe(false);
  await end('commit');
  const feed = await starting;
  const stream = openStream(feed, organization());
  await stream.ready();
  const revision = await logStore.append();
  expect((await take(stream, 1))[0]?.revision).toBe(revision);
});

test('a subscription that was asked for while the node starts misses nothing from then on', async () => {
  const end = await open();
  const starting = logStore.feed();
  const revision = await logStore.append();
  await end('rollback');
  const feed = await starting;
  const position = await feed.position(logStore.organizationId);
  expect(position).toBe(feed.cursorOf(logStore.organizationId, { revision, place: 0xffff }));
});

test('the listener is ended: events go on by the poll, then NOTIFY is heard again', async () => {
  const feed = await logStore.feed({ apart: true });
  const stream = openStream(feed, organization());
  await stream.ready();
  const listeners = `query like 'do %listen%'`;
  await expect.poll(() => terminate(listeners)).toBeGreaterThan(0);
  const unheard = await logStore.append({ told: false });
  expect((await take(stream, 1))[0]?.revision).toBe(unheard);
  // Listening again: a signal of another node comes before the net of a second does.
  const other = await logStore.feed();
  await expect
    .poll(
      async () => (await sql.unsafe(`select 1 from pg_stat_activity where ${listeners}`)).length,
    )
    .toBeGreaterThan(1);
  let quickest = Number.POSITIVE_INFINITY;
  const signals = feed.signals('test');
  await signals.next();
  for (let n = 0; n < 5; n += 1) {
    const at = performance.now();
    other.signal('test');
    await signals.next();
    quickest = Math.min(quickest, performance.now() - at);
  }
  expect(quickest).toBeLessThan(200);
});

test('all backends are ended again and again under load: nothing lost, no error', async () => {
  const feed = await logStore.feed({ apart: true });
  const stream = openStream(feed, organization());
  await stream.ready();
  const received: LogEvent[] = [];
  const reading = (async () => {
    for await (const batch of stream) received.push(...(batch as LogEvent[]));
  })();
  let ended = 0;
  for (let n = 0; n < 300; n += 1) {
    await logStore.append({ told: n % 2 === 0 }).catch(() => {});
    if (n % 20 === 10) ended += await terminate('true');
  }
  expect(ended).toBeGreaterThan(20);
  const count = async () => (await sql`select 1 from log`).length;
  const rows = await sql<{ at: string }[]>`
    select revision || '/' || place as at from log order by revision, place`;
  expect(rows.length).toBeGreaterThan(200);
  await expect.poll(() => received.length).toBe(await count());
  expect(places(received)).toEqual(rows.map(({ at }) => at));
  await feed.stop();
  await reading;
});

test('a reader that does not come back holds nothing, and then misses nothing', async () => {
  const feed = await logStore.feed({ ringBytes: 50_000 });
  const stream = openStream(feed, organization());
  const first = take(stream, 1);
  await stream.ready();
  await logStore.append();
  const events = await first;
  for (let n = 0; n < 40; n += 1) await logStore.append({ count: 50 });
  await feed.position(logStore.organizationId);
  events.push(...(await take(stream, 2000)));
  const rows = await sql<{ at: string }[]>`
    select revision || '/' || place as at from log order by revision, place`;
  expect(places(events)).toEqual(rows.map(({ at }) => at));
});

test('many readers catch up at once, eight at a time', async () => {
  const start = await (await logStore.feed()).position(logStore.organizationId);
  for (let n = 0; n < 20; n += 1) await logStore.append({ count: 60 });
  const feed = await logStore.feed({ apart: true });
  const streams = Array.from({ length: 30 }, () =>
    openStream(feed, { ...organization(), after: start }),
  );
  const all = await Promise.all(streams.map((stream) => take(stream, 1200)));
  const [one = []] = all;
  expect(one).toHaveLength(1200);
  for (const events of all) expect(places(events)).toEqual(places(one));
});
