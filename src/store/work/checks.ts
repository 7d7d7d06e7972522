/** Which checks of hosts and runtimes are due: work that no command creates. */
import type { Store } from '../commit/store.ts';
import { downHosts, liveHosts, liveInstances, watchedInstances } from '../table/state-sets.ts';

/**
 * SQL: the runtime of the instance was started. Before that it must not be checked: a run that was
 * never started looks like one that has exited.
 */
const isStarted = `not exists (
  select from work s where s.resource_id = instances.id and s.kind = 'START_RUNTIME')`;

const driverOfInstance = '(select driver from hosts where hosts.id = instances.host_id)';

/** SQL: the check of the runtime of each of these instances that has one to be checked. */
const insertChecks = (joined: string, dueAt: string): string => `
  insert into work (resource_id, kind, organization_id, resource_kind, run_id, sequence, driver, due_at)
  select id, 'WATCH_RUNTIME', organization_id, 'INSTANCE', run_id, sequence, ${driverOfInstance}, ${dueAt}
    from instances ${joined}
     and not runtime_gone and ${isStarted} and state in ${watchedInstances}
      on conflict (resource_id, kind) do`;

/** SQL: a check that is being done may have looked too early, so it is done again. */
const checkAnew =
  'update set due_at = least(work.due_at, excluded.due_at), worker = null, token = null';

/**
 * Schedules a prompt check of an instance's runtime: its command stream ended, or heartbeats were missed.
 */
export async function watchRuntime(
  store: Store,
  instanceId: string,
  seconds: number,
): Promise<void> {
  const dueAt = 'clock_timestamp() + make_interval(secs => $2::float8)';
  await store.database.query(`${insertChecks('where id = $1::uuid', dueAt)} ${checkAnew}`, [
    instanceId,
    seconds,
  ]);
  store.committed({ revision: null, work: true });
}

/** The same for runs that have exited, as their provider says. Of runs that are over nothing is scheduled. */
export async function watchExited(
  store: Store,
  runs: readonly { readonly instanceId: string; readonly runId: string }[],
): Promise<void> {
  const joined = `join jsonb_to_recordset($1::text::jsonb) exited("instanceId" uuid, "runId" uuid)
      on exited."instanceId" = instances.id and exited."runId" = instances.run_id`;
  const scheduled = await store.database.query(
    `${insertChecks(joined, 'clock_timestamp()')} ${checkAnew} returning resource_id`,
    [JSON.stringify(runs)],
  );
  if (scheduled.length > 0) store.committed({ revision: null, work: true });
}

/** The same for the runs on the hosts of a provider that are not among those which run there. */
export async function watchAbsent(
  store: Store,
  providerId: string,
  presentRunIds: readonly string[],
): Promise<void> {
  const joined = `where host_id in (select id from hosts where provider_id = $1::uuid)
     and not $2::text::jsonb ? run_id::text`;
  const scheduled = await store.database.query(
    `${insertChecks(joined, 'clock_timestamp()')} nothing returning resource_id`,
    [providerId, JSON.stringify(presentRunIds)],
  );
  if (scheduled.length > 0) store.committed({ revision: null, work: true });
}

/**
 * After a start, a new registration or a takeover: makes the check of every host due, which also passes on the address
 * of the API, and schedules the check of every runtime that has none.
 */
export async function scheduleChecks(store: Store): Promise<void> {
  await store.database.query(
    `insert into work (resource_id, kind, organization_id, resource_kind, sequence, driver, due_at)
     select id, 'CHECK_HOST', organization_id, 'HOST', sequence, driver, clock_timestamp() from hosts
      where handle is not null and not removing and archived_at is null
        and state not in ${downHosts}
     on conflict (resource_id, kind) do update set due_at = excluded.due_at
      where work.worker is null`,
  );
  await store.database.query(`${insertChecks('where true', 'clock_timestamp()')} nothing`);
}

/** Runtimes that have not reported for so long while their host is up: 500 at most. */
export function silentRuntimes(
  store: Store,
  silentSeconds: number,
): Promise<{ id: string; runId: string }[]> {
  return store.database.query(
    `select i.id, i.run_id as "runId" from instances i join hosts h on h.id = i.host_id
      where i.state in ${liveInstances} and i.live_up and i.reachability = 'OK'
        and h.state in ${liveHosts} and i.last_seen_at < clock_timestamp() - make_interval(secs => $1::float8)
      limit 500`,
    [silentSeconds],
  );
}
