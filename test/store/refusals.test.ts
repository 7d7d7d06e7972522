import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type HostAction, hostActions, hostStates } from '../../src/lifecycle/host.ts';
import {
  type InstanceAction,
  instanceActions,
  instanceStates,
} from '../../src/lifecycle/instance.ts';
import { createFleet, type Fleet } from '../executor/fleet.ts';
import { createOperation } from '../harness/rows.ts';

const tables = [
  'instances',
  'hosts',
  'log',
  'operations',
  'work',
  'metering_intervals',
  'runs',
  'runtime_commands',
  'idempotency_keys',
];

describe.each(['PGLITE', 'POSTGRES'] as const)('on %s', (kind) => {
  let fleet: Fleet;
  let hostId: string;
  let instanceId: string;
  beforeAll(async () => {
    fleet = await createFleet(kind);
    hostId = await fleet.host('host');
    instanceId = await fleet.instance('one', 'host');
  });
  afterAll(() => fleet.close());

  /** Puts both where they should be, past the triggers and keys that would not have it. */
  const force = async (host: string, instance: string, operation: boolean) => {
    const { database } = fleet.store;
    await database.query(`delete from operations`);
    for (const [table, id, state] of [
      ['hosts', hostId, host],
      ['instances', instanceId, instance],
    ]) {
      await database.query(
        `with off as (select set_config('session_replication_role', 'replica', true))
         update ${table} set state = $2::text::${table === 'hosts' ? 'host_state' : 'instance_state'},
                sequence = sequence + 1, previous_state = state
           from off where id = $1::uuid`,
        [id ?? '', state ?? ''],
      );
    }
    if (operation) {
      await createOperation(database, instanceId, { kind: 'RESTART_INSTANCE', status: 'RUNNING' });
    }
  };
  /** A digest of each table. */
  const digest = (table: string) =>
    `(select coalesce(md5(string_agg(t::text, '|' order by t::text)), '') from ${table} t) ${table}`;
  const everything = async () => {
    const [row] = await fleet.store.database.query<Record<string, string>>(
      `select ${tables.map(digest).join(', ')}`,
    );
    return row ?? {};
  };

  test.each(hostStates)('host %s: whatever is refused has written nothing', async (host) => {
    let refused = 0;
    for (const instance of instanceStates) {
      if ((host === 'OFFLINE' || host === 'FAILED_DEPLOYMENT') && instance !== 'OFFLINE') continue;
      for (const operation of [false, true]) {
        await force(host, instance, operation);
        const before = await everything();
        const attempts: [() => Promise<{ outcome: string }>, string][] = [
          ...instanceActions
            .filter((action) => action !== 'DELETE')
            .map((action): [() => Promise<{ outcome: string }>, string] => [
              () => fleet.command(action as Exclude<InstanceAction, 'DELETE'>, 'one'),
              action,
            ]),
          ...hostActions
            .filter((action) => action !== 'DELETE')
            .map((action): [() => Promise<{ outcome: string }>, string] => [
              () => fleet.hostCommand(action as Exclude<HostAction, 'DELETE'>, 'host'),
              action,
            ]),
        ];
        for (const [attempt] of attempts) {
          const { outcome } = await attempt();
          if (outcome === 'REFUSED') refused += 1;
          else {
            expect(outcome).toBe('ACCEPTED');
            await reset();
            await force(host, instance, operation);
          }
        }
        const after = await everything();
        for (const table of ['log', 'work', 'metering_intervals', 'runs', 'runtime_commands']) {
          expect(after[table]).toBe(before[table]);
        }
      }
    }
    expect(refused).toBeGreaterThan(5);
  });

  /** Takes back what an accepted command wrote, so that the next cell starts from nothing. */
  const reset = async () => {
    const { database } = fleet.store;
    await database.query(
      `with off as (select set_config('session_replication_role', 'replica', true)),
            free as (update instances set run_id = null, runtime_gone = true from off),
            ${['log', 'work', 'metering_intervals', 'runtime_commands']
              .map((table) => `no_${table} as (delete from ${table} using off)`)
              .join(', ')}
       delete from runs using off`,
    );
  };
});
