/**
 * Concurrent writers that dawdle and roll back, beside a transaction that stays open: two nodes lose
 * nothing, double nothing, reorder nothing. FEED_WRITES=50000 takes so many, on 32 connections.
 */
import { randomUUID } from 'node:crypto';
import postgres from 'postgres';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { LogEvent } from '../../src/feed/channel/event.ts';
import { APPEND, type LogStore, openLogStore, places, take } from './log-store.ts';
import { openStream } from './stream.ts';

const transactions = Number(process.env.FEED_WRITES ?? 4000);
const connections = transactions > 4000 ? 32 : 16;
const resources = Array.from({ length: 48 }, () => randomUUID());

let logStore: LogStore;
let sql: postgres.Sql;

beforeAll(async () => {
  logStore = await openLogStore('POSTGRES');
  sql = postgres(logStore.url ?? '', { max: connections + 1, onnotice: () => {} });
  await sql`create table resource_rows (id uuid primary key, sequence int not null default 0)`;
  await sql`insert into resource_rows (id) select unnest(${resources}::uuid[])`;
});
afterAll(async () => {
  await sql.end();
  await logStore.close();
});

const dawdle = (most: number): string => String(Math.max(0, Math.random() * 2 * most - most));

/** The row of a resource, then its event; between them and before the end, some time. */
async function write(): Promise<boolean> {
  const resource = resources[Math.floor(Math.random() * resources.length)] ?? '';
  const count = 1 + Math.floor(Math.random() * 3);
  const gone = new Error('rolled back');
  const fate = Math.random();
  const written = sql.begin(async (tx) => {
    const [row] = await tx`
      update resource_rows set sequence = sequence + 1 where id = ${resource}
      returning sequence, pg_sleep(${dawdle(0.004)}::float8)::text`;
    await tx.unsafe(APPEND, [count, logStore.organizationId, resource, row?.sequence, null], {
      prepare: true,
    });
    if (fate < 0.4) await tx`select pg_sleep(${dawdle(0.01)}::float8)`;
    if (fate < 0.1) throw gone;
  });
  return written.then(
    () => true,
    (error) => {
      if (error !== gone) throw error;
      return false;
    },
  );
}

test(`${transactions} transactions on ${connections} connections`, {
  timeout: 60_000 + transactions * 10,
}, async () => {
  const began = performance.now();
  const nodes = [await logStore.feed(), await logStore.feed({ apart: true })];
  const streams = nodes.map((node) =>
    openStream(node, { organizationId: logStore.organizationId }),
  );
  await Promise.all(streams.map((stream) => stream.ready()));
  const received: LogEvent[][] = nodes.map(() => []);
  const reading = streams.map(async (stream, index) => {
    for await (const batch of stream) received[index]?.push(...(batch as LogEvent[]));
  });

  // The reader that everybody writes first.
  const naive = new Set<number>();
  let writing = true;
  const naively = (async () => {
    for (let last = 0, over = false; !over; ) {
      over = !writing;
      const rows = await logStore.database.query<{ revision: number }>(
        'select distinct revision from log where revision > $1::bigint order by revision',
        [last],
      );
      for (const { revision } of rows) naive.add(revision);
      last = rows.at(-1)?.revision ?? last;
    }
  })();

  // It has nothing to do with the log, and everybody passes it.
  const unrelated = await sql.reserve();
  await unrelated`begin`;
  await unrelated`insert into organizations (id, key, name) values (${randomUUID()}, 'a', 'A')`;

  let begun = 0;
  let committed = 0;
  await Promise.all(
    Array.from({ length: connections }, async () => {
      while (begun < transactions) {
        begun += 1;
        if (!(await write())) continue;
        committed += 1;
        // Of every third commit the first node hears, of the others nobody does.
        if (committed % 3 === 0) logStore.store.committed({ revision: 0, work: false });
      }
    }),
  );
  writing = false;
  await naively;

  const log = await logStore.database.query<{ revision: number; place: number }>(
    'select revision, place from log order by revision, place',
  );
  const revisions = new Set(log.map(({ revision }) => revision));
  expect(revisions.size).toBe(committed);
  const expected = log.map(({ revision, place }) => `${revision}/${place}`);
  for (const events of received) {
    await expect.poll(() => events.length).toBeGreaterThanOrEqual(log.length);
    expect(places(events)).toEqual(expected);
    const sequences = new Map<string, number>();
    for (const { resourceId, sequence, place } of events) {
      const before = sequences.get(resourceId) ?? 0;
      expect(sequence).toBe(place === 0 ? before + 1 : before);
      sequences.set(resourceId, sequence);
    }
  }
  await unrelated`rollback`;
  unrelated.release();
  expect(committed).toBeLessThan(transactions); // Some rolled back,
  expect(naive.size).toBeLessThan(revisions.size); // and the naive reader did lose rows.
  console.log(
    `${transactions} transactions on ${connections} connections in ` +
      `${((performance.now() - began) / 1000).toFixed(1)} s: ${committed} committed, ${log.length} ` +
      `events to each node; \`id > last\` lost ${revisions.size - naive.size} revisions`,
  );

  // From any place, on either node and on one that begins now, the rest is the same.
  nodes.push(await logStore.feed({ apart: true, ringBytes: 100_000 }));
  const [all = []] = received;
  for (let n = 0; n < 30; n += 1) {
    const from = Math.floor(Math.random() * (all.length - 1));
    const node = nodes[n % nodes.length];
    if (!node) break;
    const stream = openStream(node, {
      organizationId: logStore.organizationId,
      after: all[from]?.cursor,
    });
    const rest = await take(stream, all.length - from - 1);
    expect(places(rest)).toEqual(expected.slice(from + 1));
    await stream.return();
  }
  await Promise.all(streams.map((stream) => stream.return()));
  await Promise.all(reading);
});
