/**
 * Subscribers that come, go, fill up and drain while the log grows: each has the log from its
 * beginning, in order, each event once. The ring is so small that who lags reads the table.
 *
 * GROUP_RUNS and GROUP_SEED: more of them, or the same again.
 */
import { setImmediate } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { eventually } from '../harness/eventually.ts';
import { type Appended, type OpenPipeline, openPipeline, Reader } from './open-pipeline.ts';
import { randomOf } from './random.ts';

const runs = Number(process.env.GROUP_RUNS ?? 3);
const seed = Number(process.env.GROUP_SEED ?? Math.floor(Math.random() * 2 ** 31));

/** Subscriptions, and which events they get. */
const documents = [
  {
    query: `subscription ($after: Cursor, $filter: ChangeFilter) {
      changes(after: $after, filter: $filter) { __typename } }`,
    matches: () => true,
  },
  {
    query: `subscription ($after: Cursor) { changes(after: $after) {
      ... on InstanceTransition { instance { host { key } } } } }`,
    matches: () => true,
  },
  {
    query: `subscription ($after: Cursor) {
      instanceTransitions(after: $after) { instance { host { key } } } }`,
    matches: ({ kind }: Appended) => kind === 'TRANSITION',
  },
  {
    query: `subscription ($after: Cursor) {
      instanceTransitions(after: $after, instance: "greenhouse-1") { to } }`,
    matches: ({ kind }: Appended) => kind === 'TRANSITION',
  },
] as const;

interface Joined {
  readonly reader: Reader;
  readonly document: (typeof documents)[number];
  /** It gets what was appended from here on; without a cursor it is somewhere between. */
  readonly from: number;
  latestFrom: number;
  isOpen: boolean;
}

async function interleave(opened: OpenPipeline, number: number): Promise<void> {
  const random = randomOf(seed + 7919 * number);
  const begin = await opened.feed.position(opened.api.organizationId);
  const log: Appended[] = [];
  /** Rows that were asked for: whoever comes now may begin behind one whose answer is on its way. */
  let asked = 0;
  const joined: Joined[] = [];
  const joining: Promise<void>[] = [];
  const some = () => joined[random(joined.length)];

  const acts: (() => Promise<void> | void)[] = [
    async () => {
      const count = 1 + random(6);
      const kind = random(2) === 0 ? 'TRANSITION' : 'UPDATED';
      asked += count;
      log.push(...(await opened.append({ count, kind })));
    },
    () => {
      const document = documents[random(documents.length)]!;
      const reader = new Reader();
      if (random(3) === 0) reader.fullAfter = 1 + random(4);
      if (random(6) === 0) reader.full = true;
      const isLive = random(3) === 0;
      const from = isLive ? log.length : random(log.length + 1);
      const after = isLive ? null : from === 0 ? begin : log[from - 1]?.cursor;
      const its: Joined = { reader, document, from, latestFrom: from, isOpen: true };
      const run = async () => {
        await opened.join(document.query, { after }, { reader });
        if (isLive) its.latestFrom = asked;
        joined.push(its);
      };
      joining.push(run());
    },
    () => {
      const its = some();
      if (!its || random(3) > 0) return;
      its.isOpen = false;
      its.reader.end();
    },
    () => {
      const its = some();
      if (its) its.reader.full = true;
    },
    () => some()?.reader.drain(),
    () => {
      const its = some();
      if (its) its.reader.fullAfter = 1 + random(3);
    },
    async () => {
      for (let turns = random(20); turns > 0; turns -= 1) await setImmediate();
    },
  ];
  for (let step = 0; step < 50; step += 1) {
    // Appending takes its time; what follows shall also happen meanwhile.
    const act = acts[random(3) === 0 ? 0 : random(acts.length)]!;
    const done = act();
    if (random(2) === 0) await done;
    else if (done) joining.push(done);
    if (act === acts[0]) await done;
  }
  await Promise.all(joining);
  log.push(...(await opened.append({ kind: 'TRANSITION' })));
  await opened.feed.position(opened.api.organizationId);
  for (const { reader, document, from, latestFrom, isOpen } of joined) {
    const expected = (first: number) =>
      log
        .slice(first)
        .filter(document.matches)
        .map(({ cursor }) => cursor);
    if (isOpen) {
      reader.fullAfter = Number.POSITIVE_INFINITY;
      reader.drain();
      // The last one is everybody's.
      await eventually(() => expect(reader.cursors.at(-1)).toBe(log.at(-1)?.cursor));
    }
    await setImmediate();
    const { cursors, pushedWhileFull } = reader;
    const all = expected(from);
    const first = cursors.length === 0 ? 0 : all.indexOf(cursors[0]!);
    const context = `seed ${seed}, run ${number}`;
    expect(first, context).toBeGreaterThanOrEqual(0);
    expect(first, context).toBeLessThanOrEqual(all.length - expected(latestFrom).length);
    expect(cursors, context).toEqual(
      isOpen ? all.slice(first) : all.slice(first, first + cursors.length),
    );
    expect(pushedWhileFull, context).toBe(0);
    expect(reader.over, context).toEqual(isOpen ? null : {});
    reader.end();
  }
}

describe.each(['PGLITE', 'POSTGRES'] as const)('on %s', (kind) => {
  let opened: OpenPipeline;
  beforeAll(async () => {
    opened = await openPipeline(kind, { ringBytes: 8_000 });
  });
  afterAll(() => opened?.close());

  test(`${runs} interleavings: nothing lost, doubled or out of order`, async () => {
    for (let run = 0; run < runs; run += 1) await interleave(opened, run);
  });

  test('one that lags behind the ring catches up from the table', async () => {
    const reader = await opened.join(documents[0].query);
    reader.full = true;
    const appended: Appended[] = [];
    for (let n = 0; n < 30; n += 1) appended.push(...(await opened.append({ count: 40 })));
    await opened.feed.position(opened.api.organizationId);
    expect(reader.received).toHaveLength(0);
    reader.fullAfter = 3;
    reader.drain();
    await eventually(() => expect(reader.full).toBe(true));
    expect(reader.received.length).toBeLessThan(1200);
    reader.drain();
    await reader.has(1200);
    expect(reader.cursors).toEqual(appended.map(({ cursor }) => cursor));
    reader.end();
  });

  test('one that pruning has overtaken ends with CURSOR_EXPIRED, others go on', async () => {
    const [reader, other] = [
      await opened.join(documents[0].query),
      await opened.join(documents[0].query),
    ];
    reader.full = true;
    for (let n = 0; n < 10; n += 1) await opened.append({ count: 5 });
    await other.has(50);
    const { database } = opened.api.store;
    await database.query(
      'update store_identity set pruned_through = (select max(revision) - 2 from log)',
    );
    await database.query(
      'delete from log where revision <= (select pruned_through from store_identity)',
    );
    reader.drain();
    const { error } = await reader.isEnded();
    expect(error).toMatchObject({
      extensions: { code: 'CURSOR_EXPIRED', oldestCursor: expect.any(String) },
    });
    expect(reader.received).toHaveLength(0);
    await opened.append();
    await other.has(51);
    expect(other.over).toBeNull();
    const { oldestCursor } = (error as { extensions: { oldestCursor: string } }).extensions;
    const again = await opened.join(documents[0].query, { after: oldestCursor });
    await again.has(11);
    expect(again.cursors).toEqual(other.cursors.slice(-11));
    again.end();
    other.end();
  });
});
