import { afterEach, expect, test } from 'vitest';
import { decideHostCommand } from '../../src/lifecycle/host-commands.ts';
import type { HostObservation } from '../../src/lifecycle/host-observations.ts';
import {
  recordHostObservation,
  recordInstanceObservation,
} from '../../src/store/command/observations.ts';
import { hostSnapshot, instanceSnapshot } from '../../src/store/command/snapshot.ts';
import { decideAndCommit } from '../../src/store/commit/store.ts';
import { claim } from '../../src/store/work/work.ts';
import { registerWorker } from '../../src/store/work/workers.ts';
import { eventually } from '../harness/eventually.ts';
import { actor, createFleet, type Fleet } from './fleet.ts';

let fleet: Fleet;
afterEach(() => fleet.close());

const observe = (hostId: string, observation: HostObservation) =>
  recordHostObservation(fleet.store, hostId, observation);

/** A host that is RUNNING, without a driver: the observations are the test's. */
async function deploy(key: string, hostId: string): Promise<void> {
  await fleet.hostCommand('DEPLOY', key);
  await observe(hostId, { kind: 'HOST_ONLINE', handle: {}, address: '127.9.9.9' });
  await observe(hostId, { kind: 'DNS_ANSWERS' });
  await observe(hostId, { kind: 'CONTAINER_CREATED', imageDigest: 'sha256:0' });
  await observe(hostId, { kind: 'HOST_ANSWERS' });
}

test('a start against a removal of its host, 1,000 times: never live on a host that is gone', async () => {
  fleet = await createFleet('POSTGRES');
  const lanes = 8;
  let started = 0;
  let removed = 0;
  const lane = async (n: number) => {
    const hostId = await fleet.host(`host-${n}`);
    const id = await fleet.instance(`one-${n}`, `host-${n}`, 'STOPPED');
    let isDeployed = false;
    for (let round = 0; round < 1_000 / lanes; round += 1) {
      if (!isDeployed) await deploy(`host-${n}`, hostId);
      const [start] = await Promise.all([
        fleet.command('START', `one-${n}`),
        (async () => {
          const removal = await fleet.hostCommand('REMOVE', `host-${n}`);
          if (removal.outcome === 'ACCEPTED') await observe(hostId, { kind: 'HOST_RELEASED' });
        })(),
      ]);
      if (start.outcome === 'ACCEPTED') started += 1;
      const [row] = await fleet.store.database.query<{ host: string; instance: string }>(
        `select h.state::text host, i.state::text instance
           from instances i join hosts h on h.id = i.host_id where i.id = $1::uuid`,
        [id],
      );
      isDeployed = row?.host !== 'OFFLINE';
      if (!isDeployed) {
        removed += 1;
        expect(row?.instance).toBe('OFFLINE');
        continue;
      }
      // The start won: end it. The next one is that of a stopped instance.
      await fleet.command('FORCE_STOP', `one-${n}`);
      const runId = (await instanceSnapshot(fleet.store, id))?.instances[0]?.runId ?? '';
      await recordInstanceObservation(
        fleet.store,
        id,
        { kind: 'RUNTIME_GONE', runId, exitCode: 0, signal: null, logTail: null },
        { actor },
      );
    }
    await fleet.hostCommand('FORCE_REMOVE', `host-${n}`);
    await observe(hostId, { kind: 'HOST_RELEASED' });
    expect(await fleet.stateOf(`host-${n}`)).toBe('OFFLINE');
  };
  await Promise.all(Array.from({ length: lanes }, (_, n) => lane(n)));
  // The race is one: both sides won some of it.
  expect(started).toBeGreaterThan(0);
  expect(removed).toBeGreaterThan(0);
});

test('work of a worker that is gone is taken over, and its late finish is fenced', async () => {
  fleet = await createFleet('POSTGRES');
  await fleet.host('host');
  const dead = await registerWorker(fleet.store, 'dead');
  await fleet.hostCommand('DEPLOY', 'host');
  const [held] = await claim(fleet.store, dead, {
    drivers: ['PROCESS'],
    groups: [{ kinds: ['ALLOCATE_HOST'], driver: 'PROCESS', limit: 1 }],
  });
  expect(held?.kind).toBe('ALLOCATE_HOST');
  await fleet.startExecutor();
  await fleet.until('host', 'RUNNING');
  const late = await recordHostObservation(
    fleet.store,
    held?.resourceId ?? '',
    { kind: 'HOST_CHECKED', answers: false, reason: 'late' },
    held ? { heldItem: held } : {},
  );
  expect(late.outcome).toBe('NOTHING');
  expect(await fleet.stateOf('host')).toBe('RUNNING');
  expect(fleet.driver.script.calls.filter(({ verb }) => verb === 'allocateHost')).toHaveLength(1);
});

test('a removal decided before a start was written loses to it, and is refused when decided anew', async () => {
  fleet = await createFleet('POSTGRES');
  const hostId = await fleet.host('host');
  await fleet.instance('one', 'host', 'STOPPED');
  await deploy('host', hostId);
  let started = false;
  const removal = await decideAndCommit(
    fleet.store,
    async () => {
      const snapshot = await hostSnapshot(fleet.store, hostId);
      if (!started)
        expect(await fleet.command('START', 'one')).toMatchObject({ outcome: 'ACCEPTED' });
      started = true;
      return snapshot;
    },
    (snapshot, context) => decideHostCommand(snapshot, 'REMOVE', context),
    { actor },
  );
  expect(removal).toMatchObject({
    outcome: 'REFUSED',
    refusal: { refused: 'HOST_HAS_LIVE_INSTANCES' },
  });
});

test('work that a dead worker claimed while it was being buried is done all the same', async () => {
  fleet = await createFleet('POSTGRES');
  await fleet.host('host');
  await fleet.hostCommand('DEPLOY', 'host');
  const dead = await registerWorker(fleet.store, 'dead');
  await fleet.store.database.query('update workers set dead = true where id = $1::bigint', [dead]);
  await fleet.store.database.query('update work set worker = $1::bigint, token = 1', [dead]);
  await fleet.startExecutor();
  await fleet.until('host', 'RUNNING', 10);
});

test('the same idempotency key, 20 times at once: one operation', async () => {
  fleet = await createFleet('POSTGRES');
  await fleet.host('host');
  await fleet.instance('one', 'host');
  const { commandInstance } = await import('../../src/store/command/lifecycle-commands.ts');
  const [{ organizationId }] = (await fleet.store.database.query<{ organizationId: string }>(
    'select id as "organizationId" from organizations',
  )) as [{ organizationId: string }];
  const answers = await Promise.all(
    Array.from({ length: 20 }, () =>
      commandInstance(fleet.store, 'DEPLOY', {
        organizationId,
        actor,
        reference: 'one',
        reason: null,
        expectedSequence: 0,
        idempotency: { caller: 'me', field: 'deployInstance', key: 'k', inputHash: 'h' },
      }),
    ),
  );
  // One has what it wrote; the others are told which operation that was.
  expect(answers.filter((answer) => 'rows' in answer && answer.rows !== null)).toHaveLength(1);
  const told = answers.map((answer) => JSON.stringify({ ...answer, rows: null }));
  expect(new Set(told).size).toBe(1);
  expect(answers[0]).toMatchObject({ outcome: 'ACCEPTED' });
  await eventually(async () => {
    const rows = await fleet.store.database.query('select 1 from operations');
    expect(rows).toHaveLength(2);
  });
});
