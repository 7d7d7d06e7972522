/**
 * A fleet that is there at once, written by SQL past the triggers: every instance RUNNING on a host of
 * its own that is RUNNING, both with the history that leads there. No agent and no runtime stands
 * behind it: the hosts have no handle, so the server's executor leaves them alone.
 */
import type { Database } from '../../src/store/database/database.ts';

/** Every instance has been paused and resumed so often: 4 + 4 × 4 rows of history. */
const pauses = 4;
const start = ['OFFLINE', 'STARTING_RUNTIME', 'INITIALIZING', 'STARTING', 'RUNNING'];
const pause = ['PAUSING', 'PAUSED', 'STARTING', 'RUNNING'];
const instancePath = [...start, ...Array.from({ length: pauses }, () => pause).flat()];
const hostPath = [
  'OFFLINE',
  'DEPLOYING',
  'CONFIGURING_DNS',
  'DEPLOYING_CONTAINER',
  'STARTING_CONTAINER',
  'RUNNING',
];

export const keyOf = (number: number): string => `instance-${number}`;

const filled = [
  'solutions',
  'solution_versions',
  'billing_subscriptions',
  'device_repositories',
  'hosts',
  'runs',
  'instances',
  'operations',
  'log',
];

/** Triggers and foreign keys are off for this one statement; the rows are right by themselves. */
const off = `off as (select set_config('session_replication_role', 'replica', true))`;
const id = (what: string) => `md5('${what}-' || n)::uuid`;
const long = `now() - interval '1 day'`;

/** Writes the instances `from` to `to`, and what they need. */
export async function createFleet(
  database: Database,
  organizationId: string,
  { from, to }: { from: number; to: number },
): Promise<void> {
  const statements = [
    `insert into solutions (id, organization_id, key, name)
     values (${fixed('solution')}, $1::uuid, 'bench', 'Bench') on conflict do nothing`,
    `insert into solution_versions (id, organization_id, solution_id, version, ordinal, definition)
     values (${fixed('version')}, $1::uuid, ${fixed('solution')}, '1.0', 1, '{}')
     on conflict do nothing`,
    `insert into billing_subscriptions (id, organization_id, key, name)
     values (${fixed('subscription')}, $1::uuid, 'bench', 'Bench') on conflict do nothing`,
  ];
  for (const statement of statements) await database.query(statement, [organizationId]);

  const rows = `from off, generate_series($2::int, $3::int) n`;
  const each = [
    `insert into device_repositories (id, organization_id, key, name, storage)
     select ${id('devices')}, $1::uuid, 'devices-' || n, 'Devices', 'LOCAL' ${rows}`,
    `insert into hosts (id, organization_id, key, name, provider_id, driver, size, dns_name, state,
       previous_state, sequence, state_since, last_check_at, last_ok_at)
     select ${id('host')}, $1::uuid, 'host-' || n, 'Host',
       (select id from compute_providers where organization_id = $1::uuid and is_default), 'PROCESS', 'SMALL',
       'host-' || n || '.instances.test', 'RUNNING', 'STARTING_CONTAINER',
       ${hostPath.length - 1}, ${long}, now(), now() ${rows}`,
    `insert into runs (id, organization_id, instance_id, solution_version_id, started_at)
     select ${id('run')}, $1::uuid, ${id('instance')}, ${fixed('version')}, ${long} ${rows}`,
    // Heard from in the future: nobody will miss their heartbeats.
    `insert into instances (id, organization_id, key, name, solution_id, subscription_id,
       device_repository_id, host_id, edition, state, previous_state, sequence, state_since,
       desired, run_id, runtime_gone, last_seen_at)
     select ${id('instance')}, $1::uuid, 'instance-' || n, 'Instance', ${fixed('solution')},
       ${fixed('subscription')}, ${id('devices')}, ${id('host')}, 'APP', 'RUNNING', 'STARTING',
       ${instancePath.length - 1}, ${long}, 'RUNNING', ${id('run')}, false,
       now() + interval '1 day' ${rows}`,
    `insert into operations (id, organization_id, kind, status, resource_kind, instance_id,
       requested_by, created_at, started_at, ended_at)
     select ${id('operation')}, $1::uuid, 'START_INSTANCE', 'SUCCEEDED', 'INSTANCE',
       ${id('instance')}, '{"kind":"USER","name":"bench"}', ${long}, ${long}, ${long} ${rows}`,
    history('HOST', hostPath),
    history('INSTANCE', instancePath),
  ];
  for (const statement of each) {
    await database.query(`with ${off} ${statement}`, [organizationId, from, to]);
  }
  // Not the tables that are empty: who knows them to be so reads all of them when they no longer are.
  await database.query(`vacuum analyze ${filled.join(', ')}`);
}

function fixed(what: string): string {
  return `md5('bench-${what}')::uuid`;
}

/** The rows of the log that lead along a path, for every resource. */
function history(resource: 'INSTANCE' | 'HOST', path: readonly string[]): string {
  const name = resource.toLowerCase();
  const states = `('{${path.join(',')}}'::text[])`;
  return `insert into log (organization_id, kind, resource_kind, resource_id, sequence,
       ${name}_from, ${name}_to, at, operation_id, actor)
     select $1::uuid, 'TRANSITION', '${resource}', ${id(name)}, s,
       ${states}[s]::${name}_state, ${states}[s + 1]::${name}_state, ${long},
       ${resource === 'INSTANCE' ? id('operation') : 'null'}, '{"kind":"SYSTEM","name":"bench"}'
       from off, generate_series($2::int, $3::int) n, generate_series(1, ${path.length - 1}) s`;
}
