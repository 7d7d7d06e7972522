/** Commits that tell of themselves: what other nodes hear is what they would read. */
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import type { Change } from '../../src/lifecycle/change.ts';
import { commitChange, type Written } from '../../src/store/commit/commit.ts';
import { type LogRow, type LogState, readLogAfter } from '../../src/store/log/log.ts';
import type { Notification } from '../../src/store/log/notification.ts';
import { type Notifier, startNotifier } from '../../src/store/log/notifier.ts';
import type { OpenStore } from '../../src/store/open.ts';
import { randomOf } from '../api/random.ts';
import { createFleet } from '../bench/fleet.ts';
import { eventually } from '../harness/eventually.ts';
import { openTestStore } from './stores.ts';

let store: OpenStore;
let own: Notifier;
let other: Notifier;
const notifications: Notification[] = [];
const ownNotifications: Notification[] = [];

beforeAll(async () => {
  store = await openTestStore('POSTGRES');
  await createFleet(store.database, store.defaultOrganizationId, { from: 1, to: 8 });
  own = startNotifier(store.database);
  other = startNotifier(store.database);
  own.onNotification((hint) => ownNotifications.push(hint));
  other.onNotification((hint) => notifications.push(hint));
  // They listen when each has said that something may have been missed.
  await eventually(() => expect([notifications.length, ownNotifications.length]).toEqual([1, 1]));
  own.notifyLog();
  await eventually(() => expect([notifications.length, ownNotifications.length]).toEqual([2, 2]));
});
afterAll(async () => {
  await own?.stop();
  await other?.stop();
  await store?.close();
});
beforeEach(async () => {
  // What was sent before has arrived at both.
  own.notifyTopic('begin');
  await eventually(() => {
    const last = [notifications.at(-1), ownNotifications.at(-1)];
    expect(last.map((each) => each?.topics)).toEqual([['begin'], ['begin']]);
  });
  notifications.length = ownNotifications.length = 0;
});

const path: Record<string, string> = {
  RUNNING: 'PAUSING',
  PAUSING: 'PAUSED',
  PAUSED: 'STARTING',
  STARTING: 'RUNNING',
};

/** So many instances of the fleet take a step, with these details. */
async function step(
  details: Record<string, unknown>,
  options: { count: number },
): Promise<Written> {
  const { database } = store;
  const rows = await database.query<{ id: string; guard: number; sequence: number; state: string }>(
    'select id, guard, sequence, state from instances order by key limit $1::int',
    [options.count],
  );
  const [one] = rows;
  const change = {
    actor: { name: 'tester', kind: 'USER' },
    reason: null,
    hostGuard: null,
    guards: [],
    updates: rows.map(({ id, guard, sequence, state: from }, at) => ({
      kind: 'INSTANCE',
      operationId: null,
      causedBy:
        at === 0 ? null : { operationId: null, transition: { resourceId: one?.id, sequence: 3 } },
      ...{ id, guard, sequence, details, from },
      to: path[from],
      desired: at % 2 === 0 ? 'PAUSED' : undefined,
    })),
    begins: [],
    operations: [],
    work: [],
    dropped: [],
    commands: [],
    operationId: null,
  } as unknown as Change;
  const written = await commitChange(database, change, {
    organizationId: store.defaultOrganizationId,
    notifier: own,
  });
  if ('lost' in written) throw new Error('It is not written.', { cause: written.cause });
  return written;
}

async function logged(revision: number | null) {
  const { rows } = await readLogAfter(
    store.database,
    { revision: Number(revision) - 1, place: 1000 },
    {
      organizationId: store.defaultOrganizationId,
      resourceId: null,
      through: Number(revision),
      limit: 100,
    },
  );
  // Each comes with the state of the log.
  return (rows as (LogRow & LogState)[]).map(({ epoch, prunedThrough, newest, ...row }) => row);
}

test('what is told is what is read, to the order of the keys', async () => {
  const random = randomOf(7);
  const letters = ['a', 'B', 'ß', 'é', '"', '\\', '漢', '😀', '_', '0', ' '];
  const word = () => Array.from({ length: random(5) }, () => letters[random(11)]).join('');
  const value = (depth: number): unknown => {
    const kind = random(depth > 2 ? 5 : 7);
    if (kind === 0) return word();
    if (kind === 1) return [0.1, -3, 1e21, 2 ** 53, 1e-7][random(5)];
    if (kind === 2) return null;
    if (kind < 5) return kind === 3;
    const inner = Array.from({ length: random(5) }, () => value(depth + 1));
    return kind === 5 ? inner : Object.fromEntries(inner.map((each) => [word(), each]));
  };
  for (let run = 0; run < 40; run += 1) {
    notifications.length = 0;
    const details = { [word()]: value(0), [word()]: value(0), n: run };
    const { revision, published } = await step(details, { count: 1 + random(4) });
    expect(published).toBe(true);
    await eventually(() => expect(notifications).toHaveLength(1));
    const read = await logged(revision);
    expect(read.length).toBeGreaterThan(0);
    expect(notifications[0]?.pushed?.rows).toEqual(read);
    for (const [at, row] of read.entries()) {
      const pushed = notifications[0]?.pushed?.rows[at];
      expect(JSON.stringify([pushed?.actor, pushed?.details])).toBe(
        JSON.stringify([row.actor, row.details]),
      );
    }
  }
});

test('its own node receives it too; a commit that published need not notify again', async () => {
  const { revision } = await step({}, { count: 1 });
  await eventually(() => expect([notifications.length, ownNotifications.length]).toEqual([1, 1]));
  expect(ownNotifications[0]).toMatchObject({ isOwn: true, pushed: { rows: [{ revision }, {}] } });
  expect(notifications[0]).toMatchObject({ isOwn: false, log: true, topics: [] });
});

test('rows too long for a NOTIFY are left to the notification of the committer', async () => {
  const { published, revision } = await step({ note: '漢'.repeat(3000) }, { count: 1 });
  expect(published).toBe(false);
  expect(await logged(revision)).not.toHaveLength(0);
  own.notifyLog();
  await eventually(() => expect(notifications).toHaveLength(1));
  expect(notifications[0]).toMatchObject({ log: true, pushed: null });
});

test('a store that may have gone back in time says that anything may be new', async () => {
  await store.database.query("update store_identity set lineage = 'elsewhere'");
  try {
    await step({}, { count: 1 });
    await eventually(() => expect(notifications).toHaveLength(1));
    expect(notifications[0]).toEqual({ isOwn: false, log: true, pushed: null, topics: null });
  } finally {
    await store.database.query('update store_identity set lineage = null');
  }
  own.notifyLog();
  await eventually(() => expect(ownNotifications.at(-1)).toMatchObject({ isOwn: true }));
});

test('other messages on the channel mean that anything may be new', async () => {
  const channel = own.commitBegun()?.channel ?? '';
  own.commitEnded();
  expect(channel).not.toBe('');
  for (const message of ['', 'x', '{}', '[]', `{"node":"${randomUUID()}","rows":[{}]}`]) {
    notifications.length = 0;
    await store.database.query('select pg_notify($1, $2)', [channel, message]);
    await eventually(() => expect(notifications).toHaveLength(1));
    expect(notifications[0], message).toEqual({
      isOwn: false,
      log: true,
      pushed: null,
      topics: null,
    });
  }
});
