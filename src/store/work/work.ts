/**
 * Work items: claimed with SKIP LOCKED, held under a lease, finished with a fencing token. A worker
 * that has lost its lease can write nothing. See workers.ts and docs/feed.md, "Leases and fencing".
 */

import type { WorkKind } from '../../lifecycle/change.ts';
import type { HostDriver } from '../../lifecycle/compute.ts';
import type { HeldItem } from '../commit/options.ts';
import type { Store } from '../commit/store.ts';
import type { StoredFailure } from '../table/schema.ts';

export interface WorkItem extends HeldItem {
  readonly kind: WorkKind;
  readonly driver: HostDriver | null;
  readonly providerId: string | null;
  readonly organizationId: string;
  readonly operationId: string | null;
  readonly runId: string | null;
  readonly sequence: number;
  /** 1 for the first attempt. */
  readonly attempt: number;
  readonly firstCause: StoredFailure | null;
}

/** How long workers without the driver of an item leave it to the others. */
const leaveToOthersSeconds = 5;

// statement_timestamp() is stable, so that it can be a condition on the index; clock_timestamp() cannot.
/** SQL: the provider of the host of an item; null of an item that has no host. */
const providerOf = (work: string): string => `(
  select h.provider_id from hosts h where h.id = case ${work}.resource_kind when 'HOST' then ${work}.resource_id
    else (select i.host_id from instances i where i.id = ${work}.resource_id) end)`;

const CLAIM = /* sql */ `
with due as materialized (
  select d.resource_id, d.kind from jsonb_array_elements($2::text::jsonb) g
    cross join lateral (
      select resource_id, kind from work
       where worker is null and due_at <= statement_timestamp() and g->'kinds' ? kind::text
         and case when g->'driver' = 'null'
             then driver is null or $3::text::jsonb ? driver
               or due_at <= statement_timestamp() - interval '${leaveToOthersSeconds} seconds'
             else driver = g->>'driver' end
         and (g->'busy' is null or g->'busy' = '[]' or not coalesce(g->'busy' ? ${providerOf('work')}::text, false))
       order by due_at limit (g->>'limit')::int
       for update skip locked) d
)
update work w
   set worker = $1::bigint, token = nextval('fencing_tokens'), attempt = w.attempt + 1
  from due
 where w.resource_id = due.resource_id and w.kind = due.kind
   and exists (select from workers where id = $1::bigint and not dead)
returning w.resource_id as "resourceId", w.kind, w.driver, ${providerOf('w')} as "providerId", w.token, w.organization_id as "organizationId",
  w.operation_id as "operationId", w.run_id as "runId", w.sequence, w.attempt,
  w.first_cause as "firstCause"`;

/** Kinds of work, and how many items of these kinds may be claimed in total. */
export interface Claimable {
  readonly kinds: readonly WorkKind[];
  /**
   * Only items of hosts with this driver. Null: items of any driver, but those of a driver that this
   * node lacks only once they are overdue by `leaveToOthersSeconds`.
   */
  readonly driver: HostDriver | null;
  /** No items of hosts on these providers: they have as much to do as they may. */
  readonly busy?: readonly string[];
  readonly limit: number;
}

/**
 * Claims items that are due, in one statement. Each pair of kind and driver belongs to one group.
 * Items of a driver that no node has are claimed only by groups of any driver: the deadlines, which
 * then fail the operation.
 */
export function claim(
  store: Store,
  workerId: number,
  { groups, drivers }: { groups: readonly Claimable[]; drivers: readonly HostDriver[] },
): Promise<WorkItem[]> {
  return store.database.query<WorkItem>(CLAIM, [
    workerId,
    JSON.stringify(groups),
    JSON.stringify(drivers),
  ]);
}

/** Releases an item, due again later. Only the first `cause` is kept; with `resetAttempts` they are counted anew. */
export async function postpone(
  store: Store,
  item: WorkItem,
  options: { seconds: number; cause?: StoredFailure | null; resetAttempts?: boolean },
): Promise<void> {
  await store.database.query(
    `update work set worker = null, token = null,
            due_at = clock_timestamp() + make_interval(secs => $4::float8),
            first_cause = coalesce(first_cause, $5::text::jsonb),
            attempt = case when $6::boolean then 0 else attempt end
      where resource_id = $1::uuid and kind = $2::work_kind and token = $3::bigint`,
    [
      item.resourceId,
      item.kind,
      item.token,
      options.seconds,
      options.cause ? JSON.stringify(options.cause) : null,
      options.resetAttempts ?? false,
    ],
  );
}

/** Deletes items that are done. */
export async function finish(store: Store, items: readonly WorkItem[]): Promise<void> {
  const own = items.map(({ resourceId, kind, token }) => ({ resourceId, kind, token }));
  const [first] = own;
  const locked = own.length > 1 ? await finishUnlocked(store, own) : first ? [first] : [];
  for (const { resourceId, kind, token } of locked)
    await store.database.query(
      'delete from work where resource_id = $1::uuid and kind = $2::work_kind and token = $3::bigint',
      [resourceId, kind, token],
    );
}

/**
 * Deletes items in one statement. It does not wait while it holds locks, so it cannot deadlock with a
 * commit: items that another transaction has locked are returned instead.
 */
const finishUnlocked = (store: Store, items: readonly HeldItem[]): Promise<HeldItem[]> =>
  store.database.query<HeldItem>(
    `with own as materialized (
       select w.resource_id, w.kind, w.token
         from jsonb_to_recordset($1::text::jsonb) v("resourceId" uuid, kind work_kind, token bigint)
        cross join lateral (
         select * from work w
          where w.resource_id = v."resourceId" and w.kind = v.kind and w.token = v.token limit 1) w
     ), held as materialized (
       select w.* from own cross join lateral (
         select w.resource_id, w.kind, w.token from work w
          where w.resource_id = own.resource_id and w.kind = own.kind and w.token = own.token
            for update skip locked) w
     ), finished as (
       delete from work w using held h where w.resource_id = h.resource_id and w.kind = h.kind
     )
     select resource_id as "resourceId", kind, token from own
      where token not in (select token from held)`,
    [JSON.stringify(items)],
  );

/**
 * Requeues items that a worker holds without knowing: the claim committed, but its answer was lost
 * with the connection. Must not run during a claim.
 */
export async function requeueUnknown(
  store: Store,
  workerId: number,
  known: readonly WorkItem[],
): Promise<void> {
  await store.database.query(
    `update work set worker = null, token = null
      where worker = $1::bigint
        and token not in (select jsonb_array_elements_text($2::text::jsonb)::bigint)`,
    [workerId, JSON.stringify(known.map(({ token }) => token))],
  );
}

/** Stores which image a started runtime runs, and replaces the work of starting it by its checks. */
export async function runtimeStarted(
  store: Store,
  item: WorkItem,
  imageDigest: string,
): Promise<void> {
  await store.database.query(
    `with held as (
       delete from work where resource_id = $1::uuid and kind = $2::work_kind
          and token = $3::bigint returning *
     ), kept as (
       update runs r set image_digest = $4 from held where r.id = held.run_id
     )
     insert into work (resource_id, kind, organization_id, resource_kind, operation_id, run_id,
                       sequence, driver, due_at)
     select resource_id, 'WATCH_RUNTIME', organization_id, resource_kind, operation_id, run_id,
            sequence, driver, clock_timestamp() + interval '0.5 seconds' from held
     on conflict (resource_id, kind) do update set due_at = excluded.due_at`,
    [item.resourceId, item.kind, item.token, imageDigest],
  );
}

/** The first cause that was stored while work of these kinds was retried. */
export async function firstCause(
  store: Store,
  resourceId: string,
  kinds: readonly WorkKind[],
): Promise<StoredFailure | null> {
  const [row] = await store.database.query<{ firstCause: StoredFailure }>(
    `select first_cause as "firstCause" from work
      where resource_id = $1::uuid and first_cause is not null
        and kind::text in (select jsonb_array_elements_text($2::text::jsonb)) limit 1`,
    [resourceId, JSON.stringify(kinds)],
  );
  return row?.firstCause ?? null;
}

/** An hour of checks. */
const keptChecks = 60;

/** Keeps a health check. False: a later one was recorded already; ignore this one. */
export async function recordCheck(
  store: Store,
  hostId: string,
  check: { at: Date; answers: boolean },
): Promise<boolean> {
  const rows = await store.database.query(
    `with checked as (
       update hosts set last_check_at = $2::timestamptz,
              last_ok_at = case when $3::boolean then $2::timestamptz else last_ok_at end
        where id = $1::uuid and (last_check_at is null or last_check_at <= $2::timestamptz)
       returning id)
     insert into host_checks as kept (host_id, checks)
     select id, jsonb_build_array(jsonb_build_object('at', $4::text, 'answered', $3::boolean))
       from checked
     on conflict (host_id) do update set checks = excluded.checks ||
       case when jsonb_array_length(kept.checks) < ${keptChecks} then kept.checks
            else kept.checks - (${keptChecks} - 1) end
     returning host_id`,
    [hostId, check.at.toISOString(), check.answers, check.at.toISOString()],
  );
  return rows.length > 0;
}

/** The clock of the database, the only one that states and metering use. */
export async function databaseTime(store: Store): Promise<Date> {
  const [row] = await store.database.query<{ now: Date }>('select clock_timestamp() as now');
  if (!row) throw new Error('The database gave no time.');
  return row.now;
}

/**
 * Deletes expired idempotency keys, dead workers that were started more than a day ago, and fences of a week
 * ago, which no call can have outlived.
 */
export async function purge(store: Store): Promise<void> {
  await store.database.query(
    `delete from idempotency_keys where created_at < clock_timestamp() - interval '24 hours'`,
  );
  await store.database.query(
    "delete from workers where dead and started_at < now() - interval '1 day'",
  );
  await store.database.query(
    "delete from driver_fences where raised_at < now() - interval '7 days'",
  );
}
