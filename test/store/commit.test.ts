/** What the door's statement writes and returns, whatever its shape; on both stores. */
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { decideHostCommand } from '../../src/lifecycle/host-commands.ts';
import {
  type Command,
  commandHost,
  commandInstance,
} from '../../src/store/command/lifecycle-commands.ts';
import { hostSnapshot } from '../../src/store/command/snapshot.ts';
import { commitChange } from '../../src/store/commit/commit.ts';
import { commitStatement } from '../../src/store/commit/statement.ts';
import type { OpenStore } from '../../src/store/open.ts';
import { createFleet, keyOf } from '../bench/fleet.ts';
import { everything, openTestStore, storeKinds } from './stores.ts';

const actor = { kind: 'USER', name: 'tester' } as const;
const fleet = 30;

describe.each(storeKinds)('the door on %s', (kind) => {
  let store: OpenStore;
  let taken = 0;
  beforeAll(async () => {
    store = await openTestStore(kind);
    await createFleet(store.database, store.defaultOrganizationId, { from: 1, to: fleet });
  });
  afterAll(() => store.close());

  const next = (): number => {
    taken += 1;
    return taken;
  };
  const command = (reference: string, rest: Partial<Command> = {}): Command => ({
    organizationId: store.defaultOrganizationId,
    actor,
    reference,
    reason: null,
    expectedSequence: null,
    idempotency: null,
    ...rest,
  });

  /** The host of so many instances of the fleet, which are RUNNING on it. */
  async function hostOf(count: number): Promise<string> {
    const numbers = Array.from({ length: count }, next);
    const [host] = await store.database.query<{ id: string }>(
      `update instances i set host_id = h.id from hosts h
        where h.key = $1 and i.key in (select jsonb_array_elements_text($2::text::jsonb))
       returning h.id`,
      [`host-${numbers[0]}`, JSON.stringify(numbers.map(keyOf))],
    );
    return host?.id ?? '';
  }

  async function decided(hostId: string) {
    const snapshot = await hostSnapshot(store, hostId);
    if (!snapshot) throw new Error('no host');
    const { deadlines } = store;
    const context = { newId: randomUUID, deadlines, actor, reason: 'because' };
    const change = decideHostCommand(snapshot, 'FORCE_REMOVE', context);
    if ('refused' in change) throw new Error(change.message);
    return change;
  }

  test.each([1, 2, 7])(
    'a host and %d instances change at once, with one revision',
    async (count) => {
      const hostId = await hostOf(count);
      const change = await decided(hostId);
      expect(change.updates).toHaveLength(count + 1);
      const { defaultOrganizationId: organizationId } = store;
      const written = await commitChange(store.database, change, { organizationId });
      if ('lost' in written) throw written.cause;
      const rows = await store.database.query<{ kind: string; place: number }>(
        'select kind, place from log where revision = $1::bigint order by place',
        [written.revision],
      );
      expect(rows.map(({ place }) => place)).toEqual(rows.map((_, place) => place));
      expect(rows.filter((row) => row.kind === 'TRANSITION')).toHaveLength(
        change.updates.filter(({ to }) => to).length,
      );
      const after = await hostSnapshot(store, hostId);
      for (const update of change.updates) {
        const row = [after?.host, ...(after?.instances ?? [])].find(
          (each) => each?.id === update.id,
        );
        expect(row).toMatchObject({
          state: update.to ?? update.from,
          sequence: update.sequence + (update.to ? 1 : 0),
          guard: update.guard + 1,
        });
      }
    },
  );

  test.each([2, 6])('one guard of %d that is old, and nothing is written', async (count) => {
    const change = await decided(await hostOf(count));
    const last = change.updates.at(-1);
    const stale = {
      ...change,
      updates: change.updates.map((each) =>
        each === last ? { ...each, guard: each.guard - 1 } : each,
      ),
    };
    const before = await everything(store);
    const { defaultOrganizationId: organizationId } = store;
    expect(await commitChange(store.database, stale, { organizationId })).toEqual({
      lost: true,
      cause: null,
    });
    expect(await everything(store)).toBe(before);
  });

  test('a command returns its rows as they are read afterwards', async () => {
    const { query } = store.database.drizzle;
    const paused = await commandInstance(store, 'PAUSE', command(keyOf(next())));
    const restarted = await commandHost(store, 'RESTART_CONTAINER', command(`host-${next()}`));
    if (paused.outcome !== 'ACCEPTED' || restarted.outcome !== 'ACCEPTED') throw new Error('not');
    const byId = (id: string) => ({ where: { id } });
    expect(paused.rows).toEqual({
      resource: await query.instances.findFirst(byId(paused.resourceId)),
      operation: await query.operations.findFirst(byId(paused.operationId)),
    });
    expect(restarted.rows).toEqual({
      resource: await query.hosts.findFirst(byId(restarted.resourceId)),
      operation: await query.operations.findFirst(byId(restarted.operationId)),
    });
  });

  test('of commands at once one is accepted; the same key answers all with it', async () => {
    const reference = keyOf(next());
    const many = await Promise.all(
      Array.from({ length: 8 }, () => commandInstance(store, 'PAUSE', command(reference))),
    );
    expect(many.map(({ outcome }) => outcome).sort()).toEqual([
      'ACCEPTED',
      ...Array(7).fill('REFUSED'),
    ]);
    const other = keyOf(next());
    const idempotency = { caller: 'c', field: 'pauseInstance', key: 'k', inputHash: 'h' };
    const same = await Promise.all(
      Array.from({ length: 8 }, () =>
        commandInstance(store, 'PAUSE', command(other, { idempotency })),
      ),
    );
    expect(new Set(same.map((each) => ('operationId' in each ? each.operationId : each)))).toEqual(
      new Set([expect.any(String)]),
    );
    const another = { ...idempotency, inputHash: 'another' };
    expect(
      await commandInstance(store, 'PAUSE', command('nobody', { idempotency: another })),
    ).toMatchObject({ outcome: 'CONFLICT', code: 'IDEMPOTENCY_CONFLICT' });
  });

  test('a key of more than a day ago is new again', async () => {
    const idempotency = { caller: 'c', field: 'pauseInstance', key: 'old', inputHash: 'h' };
    await commandInstance(store, 'PAUSE', command(keyOf(next()), { idempotency }));
    await store.database.query(
      `update idempotency_keys set created_at = created_at - interval '25 hours' where key = 'old'`,
    );
    const reference = keyOf(next());
    const again = { ...idempotency, inputHash: 'another' };
    expect(
      await commandInstance(store, 'PAUSE', command(reference, { idempotency: again })),
    ).toMatchObject({ outcome: 'ACCEPTED' });
  });

  test('the text is of the shape alone: stores prepare it once', async () => {
    const { defaultOrganizationId: organizationId } = store;
    const [first, second, more] = [
      await decided(await hostOf(1)),
      await decided(await hostOf(1)),
      await decided(await hostOf(2)),
    ];
    const textOf = (change: typeof first) => commitStatement(change, { organizationId }).text;
    expect(textOf(first)).toBe(textOf(second));
    expect(textOf(first)).not.toContain(first.updates[0]?.id);
    expect(textOf(first)).not.toBe(textOf(more));
  });
});
