/** What must never be is refused by Postgres itself, whatever the code above it does. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { sqlState, violatedConstraint } from '../../src/store/database/sql-error.ts';
import type { OpenStore } from '../../src/store/open.ts';
import { createSampleData } from '../../src/store/sample-data.ts';
import { everything, newCaller, one, openTestStore, storeKinds } from './stores.ts';

describe.each(storeKinds)('invariants on %s', (kind) => {
  let store: OpenStore;
  let organizationId: string;
  let instance: string;
  let host: string;

  beforeAll(async () => {
    store = await openTestStore(kind);
  });
  afterAll(() => store.close());
  beforeEach(async () => {
    // The names of hosts are unique in all organizations: the one before makes room.
    await store.database.query(`update hosts set dns_name = id::text`);
    ({ organizationId } = await newCaller(store));
    await createSampleData(store, organizationId);
    const found = await one<{ instance: string; host: string }>(
      store,
      `select id as instance, host_id as host from instances where organization_id = $1::uuid`,
      [organizationId],
    );
    ({ instance, host } = found);
  });

  const run = (text: string) =>
    store.database.query(
      text
        .replaceAll(':instance', `'${instance}'::uuid`)
        .replaceAll(':host', `'${host}'::uuid`)
        .replaceAll(':organization', `'${organizationId}'::uuid`),
    );

  /** Refuses, names this constraint (null: a trigger has none), and writes nothing. */
  async function refuses(text: string, state: string, constraint: string | null = null) {
    const before = await everything(store);
    const error = await run(text).then(
      () => null,
      (thrown: unknown) => thrown,
    );
    expect(sqlState(error), String(error)).toBe(state);
    if (constraint) expect(violatedConstraint(error)).toBe(constraint);
    expect(await everything(store)).toBe(before);
  }

  const hostTo = (state: string) =>
    run(`update hosts set state = '${state}', sequence = sequence + 1 where id = :host`);
  const instanceTo = (state: string) =>
    run(`update instances set state = '${state}', sequence = sequence + 1 where id = :instance`);

  test('an edge that is not in the table', async () => {
    await refuses(
      `update hosts set state = 'RUNNING', sequence = 1 where id = :host`,
      '23503',
      'hosts_edge',
    );
    await hostTo('DEPLOYING');
    await refuses(
      `update instances set state = 'RUNNING', sequence = 1 where id = :instance`,
      '23503',
      'instances_edge',
    );
  });

  test('a state without the next sequence, a sequence without a state', async () => {
    for (const set of [
      `state = 'DEPLOYING'`,
      `state = 'DEPLOYING', sequence = 2`,
      `sequence = 1`,
      `previous_state = 'RUNNING'`,
    ]) {
      await refuses(`update hosts set ${set} where id = :host`, '23514');
    }
    for (const set of [`state = 'STARTING_RUNTIME'`, `sequence = 1`]) {
      await refuses(`update instances set ${set} where id = :instance`, '23514');
    }
  });

  test('a new resource that is not OFFLINE', async () => {
    await refuses(
      `insert into hosts (id, organization_id, key, name, provider_id, driver, size, dns_name, state)
       select gen_random_uuid(), :organization, 'x', 'x', provider_id, 'PROCESS', 'SMALL', 'x.y', 'RUNNING'
         from hosts where id = :host`,
      '23514',
      'hosts_new',
    );
  });

  test('a live instance on a host that is down, from both sides', async () => {
    const start = `update instances set state = 'STARTING_RUNTIME', sequence = sequence + 1
                    where id = :instance`;
    await refuses(start, '23503', 'instances_host_up');
    await hostTo('DEPLOYING');
    await instanceTo('STARTING_RUNTIME');
    for (const down of ['OFFLINE', 'FAILED_DEPLOYMENT']) {
      await refuses(
        `update hosts set state = '${down}', sequence = sequence + 1 where id = :host`,
        '23503',
        'instances_host_up',
      );
    }
    await refuses(
      `update instances set host_id = null where id = :instance`,
      '23514',
      'instances_live_host',
    );
    await instanceTo('OFFLINE');
    await hostTo('FAILED_DEPLOYMENT');
    await refuses(start, '23503', 'instances_host_up');
  });

  test('a transition is in no index: one tuple is written, not one more in each of them', async () => {
    await hostTo('DEPLOYING');
    await instanceTo('STARTING_RUNTIME');
    const written = await store.database.drizzle.transaction(async (transaction) => {
      // A session may not have given up the counts of its last transactions yet.
      const count = async () => {
        const found = await transaction.execute<{ hot: number }>(
          `select n_tup_hot_upd::int as hot from pg_stat_xact_user_tables where relname = 'instances'`,
        );
        const [row] = ('rows' in found ? found.rows : [...found]) as { hot: number }[];
        return row?.hot ?? 0;
      };
      const before = await count();
      await transaction.execute(
        `update instances set state = 'INITIALIZING', sequence = sequence + 1 where id = '${instance}'`,
      );
      return (await count()) - before;
    });
    expect(written).toBe(1);
  });

  test('a second active operation on a resource', async () => {
    const begin = (resource: 'INSTANCE' | 'HOST', status: string) =>
      `insert into operations (id, organization_id, kind, status, resource_kind,
         ${resource === 'HOST' ? 'host_id' : 'instance_id'}, requested_by, created_at)
       values (gen_random_uuid(), :organization,
         '${resource === 'HOST' ? 'DEPLOY_HOST' : 'START_INSTANCE'}', '${status}', '${resource}',
         ${resource === 'HOST' ? ':host' : ':instance'}, '{}', now())`;
    for (const resource of ['INSTANCE', 'HOST'] as const) {
      await run(begin(resource, 'SUCCEEDED'));
      await run(begin(resource, 'QUEUED'));
      const constraint = `operations_active_${resource.toLowerCase()}`;
      await refuses(begin(resource, 'QUEUED'), '23505', constraint);
      await refuses(begin(resource, 'RUNNING'), '23505', constraint);
      await run(begin(resource, 'FAILED'));
    }
    await refuses(
      `update operations set host_id = :host where instance_id = :instance`,
      '23514',
      'operations_resource',
    );
  });

  test('a second open interval on a resource', async () => {
    const open = `insert into metering_intervals (id, organization_id, meter, resource_kind,
        resource_id, opened_at, opened_sequence, priced)
      values (gen_random_uuid(), :organization, 'RUN', 'INSTANCE', :instance, now(), 1, false)`;
    await run(open);
    await refuses(open, '23505', 'metering_intervals_open');
    await run(`update metering_intervals set closed_at = now(), closed_sequence = 2`);
    await run(open);
  });

  test('a history with a hole, a row twice, an edge that is none', async () => {
    const row = (sequence: number, from: string, to: string) =>
      `insert into log (organization_id, kind, resource_kind, resource_id, sequence, host_from,
         host_to, at, actor)
       values (:organization, 'TRANSITION', 'HOST', :host, ${sequence}, '${from}', '${to}', now(),
         '{}')`;
    await refuses(row(1, 'DEPLOYING', 'CONFIGURING_DNS'), '23514');
    await run(row(1, 'OFFLINE', 'DEPLOYING'));
    await refuses(row(1, 'OFFLINE', 'DEPLOYING'), '23505', 'log_history');
    await refuses(row(2, 'RUNNING', 'RESTARTING_HOST'), '23514');
    await refuses(row(2, 'DEPLOYING', 'RUNNING'), '23503', 'log_host_edge');
    await run(row(2, 'DEPLOYING', 'CONFIGURING_DNS'));
    await refuses(
      `insert into log (organization_id, kind, resource_kind, resource_id, sequence, at, actor)
       values (:organization, 'TRANSITION', 'HOST', :host, 3, now(), '{}')`,
      '23514',
    );
  });

  test('a key, a DNS name or a device repository twice', async () => {
    await refuses(
      `insert into hosts (id, organization_id, key, name, provider_id, driver, size, dns_name)
       select gen_random_uuid(), :organization, 'greenhouse-1-host', 'x', provider_id, 'PROCESS', 'SMALL', 'z'
         from hosts where id = :host`,
      '23505',
      'hosts_key',
    );
    await refuses(
      `insert into hosts (id, organization_id, key, name, provider_id, driver, size, dns_name)
       select gen_random_uuid(), :organization, 'x', 'x', provider_id, 'PROCESS', 'SMALL', dns_name
         from hosts where id = :host`,
      '23505',
      'hosts_dns_name',
    );
    await refuses(
      `insert into instances (id, organization_id, key, name, edition, solution_id,
         subscription_id, device_repository_id)
       select gen_random_uuid(), :organization, 'x', 'x', 'APP', solution_id, subscription_id,
         device_repository_id from instances where id = :instance`,
      '23505',
      'instances_device_repository',
    );
  });
});
