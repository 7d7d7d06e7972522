/** The feed on either store: what a reader is promised, one reader at a time. */
import { randomUUID } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { CursorError } from '../../src/feed/channel/cursor.ts';
import { type Kind, type LogStore, openLogStore, places, take } from './log-store.ts';
import { openStream } from './stream.ts';

describe.each<Kind>(['PGLITE', 'POSTGRES'])('on %s', (kind) => {
  let logStore: LogStore;
  beforeAll(async () => {
    logStore = await openLogStore(kind);
  });
  afterEach(() => logStore.reset());
  afterAll(() => logStore.close());
  const organization = () => ({ organizationId: logStore.organizationId });

  test('without a cursor a stream begins at the call, and revisions come whole', async () => {
    await logStore.append();
    const feed = await logStore.feed();
    await logStore.append();
    const stream = openStream(feed, organization());
    await stream.ready();
    const resourceId = randomUUID();
    const operationId = randomUUID();
    const revision = await logStore.append({ count: 3, resourceId, sequence: 7, operationId });
    const { value } = await stream.next();
    expect(value).toHaveLength(3);
    expect(value[1]).toMatchObject({
      ...organization(),
      revision,
      place: 1,
      kind: 'DESIRED',
      resourceKind: 'INSTANCE',
      resourceId,
      sequence: 7,
      from: null,
      to: null,
      at: expect.any(Date),
      operationId,
      causedByOperationId: null,
      causedByResourceId: null,
      causedBySequence: null,
      actor: { kind: 'USER', name: 'test' },
      details: { n: 2 },
      cursor: expect.stringMatching(/^[\w-]{23}$/),
    });
  });

  test('query, then subscribe after the position: nothing is missed', async () => {
    const feed = await logStore.feed();
    const empty = await feed.position(logStore.organizationId);
    const revisions = [await logStore.append(), await logStore.append({ told: false })];
    const behind = await feed.position(logStore.organizationId);
    revisions.push(await logStore.append());
    const all = await take(openStream(feed, { ...organization(), after: empty }), 3);
    expect(all.map(({ revision }) => revision)).toEqual(revisions);
    const [last] = await take(openStream(feed, { ...organization(), after: behind }), 1);
    expect(last?.revision).toBe(revisions[2]);
  });

  test('a stream resumes behind any event, from the ring and from the table', async () => {
    const first = await logStore.feed();
    const start = await first.position(logStore.organizationId);
    for (let n = 0; n < 12; n += 1) await logStore.append({ count: 1 + (n % 3) });
    const all = await take(openStream(first, { ...organization(), after: start }), 24);
    const another = await logStore.feed({ apart: true }); // Its ring begins behind all of these.
    for (const feed of [first, another]) {
      for (const [index, { cursor }] of all.entries()) {
        const stream = openStream(feed, { ...organization(), after: cursor });
        const rest = await take(stream, all.length - index - 1);
        expect(places(rest)).toEqual(places(all.slice(index + 1)));
        await stream.return();
      }
    }
  });

  test('pages of the table, then the ring, then live: no seam', async () => {
    const start = await (await logStore.feed()).position(logStore.organizationId);
    for (let n = 0; n < 60; n += 1) await logStore.append({ count: 20 });
    await logStore.append({ count: 1100 }); // More than a page.
    const feed = await logStore.feed({ apart: true, ringBytes: 20_000 });
    const stream = openStream(feed, { ...organization(), after: start });
    const events = await take(stream, 100);
    for (let n = 0; n < 60; n += 1) await logStore.append({ count: 20 });
    events.push(...(await take(stream, 3500 - events.length)));
    const live = take(stream, 1);
    await logStore.append();
    events.push(...(await live));
    const rows = await logStore.database.query<{ at: string }>(
      `select revision || '/' || place as at from log order by revision, place`,
    );
    expect(rows).toHaveLength(3501);
    expect(places(events)).toEqual(rows.map(({ at }) => at));
  });

  test('the newest first, oldest of them first, then live', async () => {
    const resourceId = randomUUID();
    for (let n = 1; n <= 700; n += 1)
      await logStore.append(n % 100 === 0 ? { resourceId, sequence: n } : {});
    const feed = await logStore.feed();
    const one = openStream(feed, { ...organization(), last: 3, resourceId });
    const same = openStream(feed, {
      ...organization(),
      last: 3,
      matches: (event) => event.resourceId === resourceId,
    });
    await Promise.all([one.ready(), same.ready()]);
    await logStore.append();
    await logStore.append({ resourceId, sequence: 701 });
    for (const stream of [one, same]) {
      const events = await take(stream, 4);
      expect(events.map(({ sequence }) => sequence)).toEqual([500, 600, 700, 701]);
    }
    const few = openStream(feed, { ...organization(), last: 30, resourceId });
    expect(await take(few, 8)).toHaveLength(8);
  });

  test('another organization sees nothing, and cannot use a cursor', async () => {
    const feed = await logStore.feed();
    const other = randomUUID();
    const cursor = await feed.position(logStore.organizationId);
    const stream = openStream(feed, { organizationId: other });
    await stream.ready();
    await logStore.append();
    await logStore.append({ organizationId: other });
    const [event] = await take(stream, 1);
    expect(event?.organizationId).toBe(other);
    const stolen = openStream(feed, { organizationId: other, after: cursor });
    await expect(stolen.ready()).rejects.toMatchObject({ code: 'CURSOR_INVALID' });
    await expect(stolen.next()).rejects.toBeInstanceOf(CursorError);
    expect(await stolen.next()).toEqual({ done: true, value: undefined });
  });

  test('cursors of the future, of another epoch and garbage are invalid', async () => {
    const feed = await logStore.feed();
    const revision = await logStore.append();
    const known = await feed.position(logStore.organizationId);
    const future = feed.cursorOf(logStore.organizationId, { revision: revision + 1, place: 0 });
    const flipped = known.replace(/.$/, (last) => (last === 'A' ? 'B' : 'A'));
    for (const after of ['', 'x', future, flipped, `${known}A`, `${known}\n`, 'é'.repeat(28)]) {
      const stream = openStream(feed, { ...organization(), after });
      await expect(stream.ready(), after).rejects.toMatchObject({ code: 'CURSOR_INVALID' });
    }
    const live = openStream(feed, { ...organization(), after: known });
    const next = live.next();
    next.catch(() => {});
    await logStore.database.query('update store_identity set epoch = gen_random_uuid()');
    await expect(next).rejects.toMatchObject({ code: 'CURSOR_INVALID' });
    const stream = openStream(feed, { ...organization(), after: known });
    await expect(stream.ready()).rejects.toMatchObject({ code: 'CURSOR_INVALID' });
  });

  test('a cursor older than the log is expired, and told the oldest', async () => {
    const before = await logStore.feed();
    const old = await before.position(logStore.organizationId);
    for (let n = 0; n < 5; n += 1) await logStore.append();
    await before.position(logStore.organizationId); // Has read them, too.
    await logStore.database.query(
      `with pruned as (delete from log where revision <= 3 returning 1)
       update store_identity set pruned_through = 3 where (select count(*) from pruned) = 3`,
    );
    const feed = await logStore.feed({ apart: true });
    const stream = openStream(feed, { ...organization(), after: old });
    const error = await stream.ready().catch((thrown: CursorError) => thrown);
    expect(error).toMatchObject({ code: 'CURSOR_EXPIRED', oldestCursor: expect.any(String) });
    const after = (error as CursorError).oldestCursor;
    const rest = await take(openStream(feed, { ...organization(), after }), 2);
    expect(rest.map(({ revision }) => revision)).toEqual([4, 5]);
    // The node that has them still, serves them still.
    expect(await take(openStream(before, { ...organization(), after: old }), 5)).toHaveLength(5);
  });

  test('a node that was overtaken by pruning says so to its readers', async () => {
    const feed = await logStore.feed();
    const stream = openStream(feed, organization());
    await stream.ready();
    const next = stream.next();
    next.catch(() => {});
    await logStore.database.query(
      `with drawn as (select setval('log_revisions', 9))
       update store_identity set pruned_through = 9 from drawn`,
    );
    await expect(next).rejects.toMatchObject({ code: 'CURSOR_EXPIRED' });
    expect(await feed.position(logStore.organizationId)).toEqual(expect.any(String));
  });

  test('bookmarks, while nothing is on its way', async () => {
    const feed = await logStore.feed();
    const stream = openStream(feed, { ...organization(), bookmarkSeconds: 0.02 });
    await stream.ready();
    await logStore.append({ organizationId: randomUUID() });
    const behind = await feed.position(logStore.organizationId);
    for (;;) {
      const { value } = await stream.next();
      expect(value).toMatchObject([{ kind: 'BOOKMARK', cursor: expect.any(String) }]);
      if (value[0].cursor === behind) break;
    }
  });

  test('a filter that throws ends its own stream alone', async () => {
    const feed = await logStore.feed();
    const matches = () => {
      throw new Error('of the filter');
    };
    const [bad, good] = [
      openStream(feed, { ...organization(), matches }),
      openStream(feed, organization()),
    ];
    const results = Promise.allSettled([bad.next(), good.next()]);
    await Promise.all([bad.ready(), good.ready()]);
    await logStore.append();
    expect(await results).toMatchObject([
      { status: 'rejected', reason: { message: 'of the filter' } },
      { status: 'fulfilled' },
    ]);
  });

  test('what one listener throws is said, and nobody else misses the event', async () => {
    const errors: unknown[] = [];
    const feed = await logStore.feed({ onError: (error) => errors.push(error) });
    const heard: number[] = [];
    feed.onEvent(() => {
      throw new Error('of the listener');
    });
    feed.onEvent(({ revision }) => heard.push(revision));
    const followed: number[] = [];
    feed.channel(organization()).follow({
      onItems: (events) => followed.push(...events.map(({ revision }) => revision)),
      onSkip: () => {},
      end: () => {},
    });
    const stream = openStream(feed, organization());
    await stream.ready();
    const live = take(stream, 2);
    const revisions = [await logStore.append(), await logStore.append()];
    expect((await live).map(({ revision }) => revision)).toEqual(revisions);
    await expect.poll(() => followed).toEqual(revisions);
    expect(heard).toEqual(revisions);
    expect(errors).toEqual([
      expect.objectContaining({ message: 'of the listener' }),
      expect.objectContaining({ message: 'of the listener' }),
    ]);
  });

  test('return and stop end what waits', async () => {
    const feed = await logStore.feed();
    const over = { done: true, value: undefined };
    const one = openStream(feed, organization());
    const waiting = [one.next(), one.next()];
    await one.ready();
    await one.return();
    expect(await Promise.all(waiting)).toEqual([over, over]);
    const [stream, signals, eventSignals] = [
      openStream(feed, organization()),
      feed.signals('a'),
      feed.eventSignals(randomUUID()),
    ];
    await Promise.all([stream.ready(), signals.next(), eventSignals.next()]);
    // A signal of the safety poll may come before the end.
    const toTheEnd = async () => {
      for (;;) {
        const result = await signals.next();
        if (result.done) return result;
      }
    };
    const ended = Promise.all([stream.next(), toTheEnd(), eventSignals.next()]);
    await feed.stop();
    expect(await ended).toEqual([over, over, over]);
    expect(await stream.next()).toEqual(over);
    await expect(openStream(feed, organization()).ready()).rejects.toThrow('stopped');
    await expect(feed.position(logStore.organizationId)).rejects.toThrow('stopped');
  });

  test('eventSignals: at once, then for events that name the id', async () => {
    const feed = await logStore.feed();
    const [resourceId, operationId] = [randomUUID(), randomUUID()];
    const [byResource, byOperation] = [
      feed.eventSignals(resourceId),
      feed.eventSignals(operationId),
    ];
    await Promise.all([byResource.next(), byOperation.next()]);
    const touched = Promise.all([byResource.next(), byOperation.next()]);
    await logStore.append({ resourceId, operationId });
    expect(await touched).toEqual([{ done: false }, { done: false }]);
  });

  test('signals: at once, then here and on the other nodes, and every second', async () => {
    const [here, there] = [await logStore.feed(), await logStore.feed({ apart: true })];
    const [own, others] = [here.signals('logs:1'), there.signals('logs:1')];
    await Promise.all([own.next(), others.next()]);
    // The embedded store has one node.
    const notified = kind === 'POSTGRES' ? [own, others] : [own];
    const began = performance.now();
    for (let n = 0; n < 10; n += 1) {
      const all = Promise.all(notified.map((signals) => signals.next()));
      here.signal('logs:1');
      await all;
    }
    // With those of every second alone it would take ten.
    expect(performance.now() - began).toBeLessThan(5_000);
    await Promise.all([own.next(), others.next()]);
  });
});
