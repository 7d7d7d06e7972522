/** Commits that tell the other nodes of themselves, and what happens where they cannot. */
import {
  afterAll,
  beforeAll,
  beforeEach,
  describe,
  expect,
  onTestFinished,
  test,
  vi,
} from 'vitest';
import { createFeed } from '../../src/feed/feed.ts';
import { defaultDeadlines } from '../../src/lifecycle/change.ts';
import { commandInstance } from '../../src/store/command/lifecycle-commands.ts';
import { openPostgres } from '../../src/store/database/postgres.ts';
import type { Notification } from '../../src/store/log/notification.ts';
import { type Notifier, startNotifier } from '../../src/store/log/notifier.ts';
import { type OpenStore, setUpStore } from '../../src/store/open.ts';
import { createFleet, keyOf } from '../bench/fleet.ts';
import { startNetwork } from '../client/network.ts';
import { createMigratedDatabase } from '../harness/database.ts';
import { eventually } from '../harness/eventually.ts';
import { openTestStore } from './stores.ts';

let store: OpenStore;
let own: Notifier;
let other: Notifier;
let stop: () => Promise<void>;
const received: Notification[] = [];
const ownReceived: Notification[] = [];
let taken = 0;

beforeAll(async () => {
  store = await openTestStore('POSTGRES');
  await createFleet(store.database, store.defaultOrganizationId, { from: 1, to: 20 });
  own = startNotifier(store.database);
  other = startNotifier(store.database);
  own.onNotification((notification) => ownReceived.push(notification));
  other.onNotification((notification) => received.push(notification));
  const feed = createFeed(store, { notifier: own });
  await feed.start();
  stop = () => feed.stop();
  // They listen when each has said that something may have been missed.
  await eventually(() => expect([received.length, ownReceived.length]).toEqual([1, 1]));
  expect(own.commitBegun()).toBeNull(); // Not before what it says comes back to it.
  own.commitEnded();
  await comesBack(own);
});
afterAll(async () => {
  await stop?.();
  await own?.stop();
  await other?.stop();
  await store?.close();
});
beforeEach(async () => {
  // What was sent before has arrived at both.
  await receivedBefore('begin');
  await eventually(() => expect(ownReceived.at(-1)?.topics).toEqual(['begin']));
  received.length = ownReceived.length = 0;
});

/** Before that nothing comes back of what it says. */
const listens = (notifier: Notifier) =>
  new Promise<void>((resolve) => void notifier.onNotification(() => resolve()));

/** A NOTIFY that fails is not repeated by the notifier, so each attempt sends one. */
async function comesBack(notifier: Notifier): Promise<void> {
  await eventually(() => {
    notifier.notifyLog();
    const target = notifier.commitBegun();
    notifier.commitEnded();
    expect(target).not.toBeNull();
  });
}

function pause() {
  taken += 1;
  return commandInstance(store, 'PAUSE', {
    organizationId: store.defaultOrganizationId,
    actor: { kind: 'USER', name: 'tester' },
    reference: keyOf(taken),
    reason: null,
    expectedSequence: null,
    idempotency: null,
  });
}

/** What was received before this signal. */
async function receivedBefore(topic: string): Promise<Notification[]> {
  own.notifyTopic(topic);
  await eventually(() => expect(received.at(-1)?.topics).toEqual([topic]));
  return received.slice(0, -1);
}

test('a commit notifies its own node and the others, once', async () => {
  const notifyLog = vi.spyOn(own, 'notifyLog');
  expect(await pause()).toMatchObject({ outcome: 'ACCEPTED' });
  const [notification, ...others] = await receivedBefore('after');
  expect(notification).toMatchObject({ isOwn: false, log: true, topics: [] });
  expect(notification?.pushed?.rows[0]).toMatchObject({ kind: 'TRANSITION', to: 'PAUSING' });
  expect(others).toEqual([]);
  expect(ownReceived[0]).toEqual({ ...notification, isOwn: true });
  expect(notifyLog).not.toHaveBeenCalled();
});

test('in a burst no commit publishes its own rows, after it each does again', async () => {
  const begun = Array.from({ length: 200 }, () => own.commitBegun() !== null);
  expect(begun[0]).toBe(true);
  expect(begun.at(-1)).toBe(false);
  const notifyLog = vi.spyOn(own, 'notifyLog');
  expect(await pause()).toMatchObject({ outcome: 'ACCEPTED' });
  expect(notifyLog).toHaveBeenCalledOnce();
  expect(await receivedBefore('burst')).toMatchObject([{ log: true, pushed: null, topics: [] }]);
  for (const _ of begun) own.commitEnded();
  expect(own.commitBegun()).not.toBeNull();
  own.commitEnded();
});

test('a node that does not receive its own notifications does not publish', async () => {
  own.publishMissed();
  expect(own.commitBegun()).toBeNull();
  own.commitEnded();
  await comesBack(own);
  await store.database.query(
    `select pg_terminate_backend(pid) from pg_stat_activity
      where query like 'do %listen%' and datname = current_database()`,
  );
  // Both connections were ended: what is sent before both listen again is lost.
  const missed = expect.objectContaining({ isOwn: false, topics: null });
  await eventually(() => expect(ownReceived).toContainEqual(missed));
  await eventually(() => expect(received).toContainEqual(missed));
  expect(own.commitBegun()).toBeNull();
  own.commitEnded();
  await comesBack(own);
});

test('nobody else knows the channel', async () => {
  const target = own.commitBegun();
  own.commitEnded();
  const { database } = store;
  const found = await database.query(
    'select 1 from pg_stat_activity where position($1 in query) > 0',
    [target?.channel ?? ''],
  );
  expect(found).toEqual([]);
  await database.query('update store_identity set cursor_secret = cursor_secret || $1', ['x']);
  const another = startNotifier(database);
  await listens(another);
  await comesBack(another);
  expect(another.commitBegun()?.channel).not.toBe(target?.channel);
  another.commitEnded();
  await another.stop();
});

test('one that stops leaves no connection behind, though the network is silent', async () => {
  const { url, drop } = await createMigratedDatabase();
  onTestFinished(drop);
  const network = await startNetwork({ url });
  const through = new URL(url);
  through.host = new URL(network.url).host;
  const database = openPostgres(through.href, { connections: 1 });
  const closing = await setUpStore(
    database,
    { deadlines: defaultDeadlines, dnsZone: 'instances.test' },
    { close: () => database.close() },
  );
  const notifier = startNotifier(database);
  await listens(notifier);
  await comesBack(notifier);
  network.stall();
  await notifier.stop();
  await closing.close().catch(() => {});
  await eventually(() => expect(network.open).toBe(0));
});

describe('where the commit fails for its NOTIFY', () => {
  // The queue is full, the lock is not to be had, the role may not.
  test.each(['54000', '55P03', '42501'])('%s: it is written all the same', async (code) => {
    const notifier = startNotifier(store.database);
    await listens(notifier);
    const restore = store.publishThrough(notifier);
    const { database } = store;
    // As PostgreSQL does, at the end of the transaction; the first time only.
    await database.query(`create sequence refusals`);
    await database.query(
      `create function refuse() returns trigger language plpgsql as $$
       begin
         if nextval('refusals') = 1 then raise exception 'no NOTIFY' using errcode = '${code}'; end if;
         return null;
       end $$`,
    );
    await database.query(
      `create constraint trigger refuses after insert on log deferrable initially deferred
       for each row execute function refuse()`,
    );
    try {
      await comesBack(notifier);
      expect(await pause()).toMatchObject({ outcome: 'ACCEPTED' });
      // One attempt that told, one that did not, and no more attempts to tell.
      expect(notifier.commitBegun()).toBeNull();
      notifier.commitEnded();
    } finally {
      restore();
      await notifier.stop();
      await database.query('drop trigger refuses on log');
      await database.query('drop function refuse');
      await database.query('drop sequence refusals');
    }
  });
});
