/**
 * The one door for every state change: a change is written whole, in one statement, or not at all.
 *
 * The order inside the statement matters, because sibling CTEs have none of their own: the host is
 * locked, then the instances by id, each with the guard it was read at, then the fence; only when
 * all are locked are the updates made, then the operations, and last the log, with one revision.
 */
import type { Change, HostUpdate, InstanceUpdate } from '../lifecycle/change.ts';
import { hostMeter, instanceMeter } from '../lifecycle/metering.ts';
import { type Database, sqlState } from './database.ts';

/** The work item whose holder writes; without the token nothing is written. */
export interface Fence {
  readonly resourceId: string;
  readonly kind: string;
  readonly token: number;
}

export interface Idempotency {
  readonly caller: string;
  readonly field: string;
  readonly key: string;
  readonly inputHash: string;
}

export interface Written {
  /** The revision of the log, or null where the change had no row. */
  readonly revision: number | null;
  readonly at: Date;
}

export interface DoorOptions {
  readonly organizationId: string;
  readonly fence?: Fence;
  readonly idempotency?: Idempotency;
  /** Runtime command that is completed in the same statement. */
  readonly completes?: { id: string; outcome: 'DONE' | 'FAILED'; message: string | null };
}

const STATEMENT = /* sql */ `
with input as materialized (
  select $1::text::jsonb as c
), command as materialized (
  select r.id from runtime_commands r, input
   where r.id = (c->'completes'->>'id')::uuid and r.completed_at is null
   for update of r
), host_shared as materialized (
  select h.id from hosts h, input
   where h.id = (c->'hostGuard'->>'id')::uuid and h.guard = (c->'hostGuard'->>'guard')::bigint
   for share of h
), host_locked as materialized (
  select h.id from hosts h, input
   where h.id = (c->'host'->>'id')::uuid and h.guard = (c->'host'->>'guard')::bigint
     and h.archived_at is null
   for update of h
), hosts_held as materialized (
  select (select count(*) from host_shared) + (select count(*) from host_locked) as n
), instances_locked as materialized (
  select i.id from instances i
    join (select (v->>'id')::uuid as id, (v->>'guard')::bigint as guard
            from input, jsonb_array_elements(c->'guards') v) u on u.id = i.id
   where (select n from hosts_held) = (select (c->>'hosts')::int from input)
     and i.id = any (array(select (e->>'id')::uuid from input, jsonb_array_elements(c->'guards') e))
     and i.guard = u.guard and i.archived_at is null
   order by i.id
   for update of i
), fence as materialized (
  select 1 from work w, input
   where (select count(*) from instances_locked) = jsonb_array_length(c->'guards')
     and w.resource_id = (c->'fence'->>'resourceId')::uuid
     and w.kind = (c->'fence'->>'kind')::work_kind
     and w.token = (c->'fence'->>'token')::bigint
   for update of w
), ok as materialized (
  select clock_timestamp() as at from input
   where (select count(*) from fence) = (c->>'fences')::int
     and (select count(*) from command) = (c->>'commandsCompleted')::int
     and (select n from hosts_held) = (c->>'hosts')::int
     and (select count(*) from instances_locked) = jsonb_array_length(c->'guards')
), idempotency as (
  insert into idempotency_keys
         (organization_id, caller, field, key, input_hash, operation_id, resource_id)
  select (c->>'organizationId')::uuid, k->>'caller', k->>'field', k->>'key', k->>'inputHash',
         (c->>'operationId')::uuid, null
    from input cross join ok cross join lateral (select c->'idempotency' as k) i
   where jsonb_typeof(c->'idempotency') = 'object'
), completed as (
  update runtime_commands r
     set completed_at = ok.at, outcome = c->'completes'->>'outcome',
         message = c->'completes'->>'message'
    from input, ok, command where r.id = command.id
), ended_runs as (
  update runs r set ended_at = ok.at
    from input, ok, jsonb_array_elements(c->'instances') v, instances i
   where i.id = (v->>'id')::uuid and r.id = i.run_id and r.ended_at is null
     and (v ? 'runtimeGone' or v ? 'beginRun')
), begun_runs as (
  insert into runs (id, organization_id, instance_id, solution_version_id, image, image_tag, started_at)
  select (v->>'beginRun')::uuid, i.organization_id, i.id,
         coalesce(i.solution_version_id, (
           select s.id from solution_versions s where s.solution_id = i.solution_id
            order by s.ordinal desc limit 1)),
         r.image, coalesce(i.container_tag, r.default_tag), ok.at
    from input cross join ok cross join lateral jsonb_array_elements(c->'instances') v
    join instances i on i.id = (v->>'id')::uuid
    left join container_repositories r on r.id = i.container_repository_id
   where v ? 'beginRun'
), updated_host as (
  update hosts h set
    state = coalesce((u->>'to')::host_state, h.state),
    sequence = h.sequence + case when u->>'to' is null then 0 else 1 end,
    guard = h.guard + 1,
    state_since = case when u->>'to' is null then h.state_since else ok.at end,
    last_transition = case when u->>'to' is null then h.last_transition else jsonb_build_object(
      'from', h.state, 'to', u->>'to', 'at', ok.at, 'operationId', u->>'operationId') end,
    removing = coalesce((u->>'removing')::boolean, h.removing),
    failed_stage = case when u ? 'failedStage' then (u->>'failedStage')::host_state else h.failed_stage end,
    failure = case when u ? 'failure' then nullif(u->'failure', 'null') ||
      jsonb_build_object('at', ok.at, 'operationId', u->>'operationId', 'sequence',
        h.sequence + case when u->>'to' is null then 0 else 1 end) else h.failure end,
    handle = case when u ? 'handle' then nullif(u->'handle', 'null') else h.handle end,
    address = case when u ? 'address' then u->>'address' else h.address end,
    image_digest = coalesce(u->>'imageDigest', h.image_digest),
    archived_at = case when u ? 'archive' then ok.at else h.archived_at end
    from input cross join ok cross join lateral (select c->'host' as u) x
   where h.id = (u->>'id')::uuid
  returning h.id
), updated_instances as (
  update instances i set
    state = coalesce((v->>'to')::instance_state, i.state),
    sequence = i.sequence + case when v->>'to' is null then 0 else 1 end,
    guard = i.guard + 1,
    state_since = case when v->>'to' is null then i.state_since else ok.at end,
    last_transition = case when v->>'to' is null then i.last_transition else jsonb_build_object(
      'from', i.state, 'to', v->>'to', 'at', ok.at, 'operationId', v->>'operationId') end,
    desired = coalesce((v->>'desired')::desired_instance_state, i.desired),
    reachability = coalesce((v->'reachability'->>'value')::reachability, i.reachability),
    unreachable_because = case when v ? 'reachability'
      then (v->'reachability'->>'because')::unreachable_because else i.unreachable_because end,
    last_seen_at = case when v ? 'seen' then ok.at else i.last_seen_at end,
    failure = case when v ? 'failure' then nullif(v->'failure', 'null') ||
      jsonb_build_object('at', ok.at, 'operationId', v->>'operationId', 'sequence',
        i.sequence + case when v->>'to' is null then 0 else 1 end) else i.failure end,
    run_id = coalesce((v->>'beginRun')::uuid, i.run_id),
    runtime_gone = case when v ? 'beginRun' then false when v ? 'runtimeGone' then true
      else i.runtime_gone end,
    endpoints = case when v ? 'endpoints' then nullif(v->'endpoints', 'null') else i.endpoints end,
    counters = case when v ? 'beginRun' then null else i.counters end,
    archived_at = case when v ? 'archive' then ok.at else i.archived_at end
    from ok, (select v from input, jsonb_array_elements(c->'instances') v) u
   where i.id = (v->>'id')::uuid and (select count(*) from updated_host) >= 0
     and i.id = any (array(select id from instances_locked))
  returning i.id
), resources as materialized (
  select (select count(*) from updated_host) + (select count(*) from updated_instances) as n
), ended_operations as (
  update operations o set
    status = (v->>'status')::operation_status,
    phase = case when v ? 'phase' then v->>'phase' else o.phase end,
    deadline_at = case when v ? 'deadlineInSeconds'
      then ok.at + make_interval(secs => (v->>'deadlineInSeconds')::float8) else o.deadline_at end,
    failure = case when v ? 'failure' then nullif(v->'failure', 'null') ||
      jsonb_build_object('at', ok.at, 'operationId', o.id) else o.failure end,
    started_at = coalesce(o.started_at, case when v->>'status' = 'RUNNING' then ok.at end),
    ended_at = case when v->>'status' in ('QUEUED', 'RUNNING') then null else ok.at end
    from ok, resources, input, jsonb_array_elements(c->'operations') v
   where o.id = (v->>'id')::uuid and o.status in ('QUEUED', 'RUNNING')
  returning o.id
), begun_operations as (
  insert into operations (id, organization_id, kind, status, phase, resource_kind, instance_id,
    host_id, requested_by, reason, parent_id, created_at, started_at,
    ended_at, deadline_at)
  select (v->>'id')::uuid, (c->>'organizationId')::uuid, (v->>'kind')::operation_kind,
    (v->>'status')::operation_status, v->>'phase', (v->>'resource')::resource_kind,
    case when v->>'resource' = 'INSTANCE' then (v->>'resourceId')::uuid end,
    case when v->>'resource' = 'HOST' then (v->>'resourceId')::uuid end,
    c->'actor', c->>'reason', (v->>'parentId')::uuid, ok.at,
    case when v->>'status' = 'QUEUED' then null else ok.at end,
    case when v->>'status' = 'SUCCEEDED' then ok.at end,
    ok.at + make_interval(secs => (v->>'deadlineInSeconds')::float8)
    from ok, resources, input, jsonb_array_elements(c->'begins') v
   where (select count(*) from ended_operations) >= 0
), deadlines as (
  update operations o
     set deadline_at = ok.at + make_interval(secs => (v->>'deadlineInSeconds')::float8)
    from ok, resources, input, jsonb_array_elements(c->'deadlines') v
   where o.id = (v->>'id')::uuid
), metered_off as (
  update metering_intervals m
     set closed_at = ok.at, closed_sequence = (v->>'sequence')::int
    from ok, resources, input, jsonb_array_elements(c->'metersOff') v
   where m.resource_id = (v->>'id')::uuid and m.closed_at is null
  returning m.id
), metered_on as (
  insert into metering_intervals (id, organization_id, meter, resource_kind, resource_id,
    opened_at, opened_sequence, priced)
  select gen_random_uuid(), (c->>'organizationId')::uuid, (v->>'meter')::meter,
    (v->>'resource')::resource_kind, (v->>'id')::uuid, ok.at, (v->>'sequence')::int,
    case when v->>'resource' = 'INSTANCE' then coalesce((
      select i.deployment_type = 'MANAGED' and not s.trial from instances i
        join billing_subscriptions s on s.id = i.subscription_id
       where i.id = (v->>'id')::uuid), false)
    else coalesce((select not s.trial from hosts h
        join billing_subscriptions s on s.id = h.subscription_id
       where h.id = (v->>'id')::uuid), true) end
    from ok, resources, input, jsonb_array_elements(c->'metersOn') v
   where (select count(*) from metered_off) >= 0
), dropped_work as (
  delete from work w using ok, input, jsonb_array_elements(c->'dropped') v
   where w.resource_id = (v->>'resourceId')::uuid
     and w.kind = (v->>'kind')::work_kind
  returning 1
), added_work as (
  insert into work (resource_id, kind, organization_id, resource_kind, operation_id, run_id,
    sequence, due_at)
  select (v->>'resourceId')::uuid, (v->>'kind')::work_kind, (c->>'organizationId')::uuid,
    (v->>'resource')::resource_kind, (v->>'operationId')::uuid, (v->>'runId')::uuid,
    (v->>'sequence')::int, ok.at + make_interval(secs => (v->>'dueInSeconds')::float8)
    from ok, input, jsonb_array_elements(c->'work') v
   where (select count(*) from dropped_work) >= 0
  on conflict (resource_id, kind) do update set
    operation_id = excluded.operation_id, run_id = excluded.run_id,
    sequence = excluded.sequence, due_at = excluded.due_at, attempt = 0, first_cause = null,
    worker = null, token = null
), added_commands as (
  insert into runtime_commands (id, organization_id, instance_id, run_id, kind, payload, created_at)
  select (v->>'id')::uuid, (c->>'organizationId')::uuid, (v->>'instanceId')::uuid,
    (v->>'runId')::uuid, (v->>'kind')::runtime_command_kind, v->'payload', ok.at
    from ok, input, jsonb_array_elements(c->'commands') v
), logged as (
  insert into log (revision, place, organization_id, kind, resource_kind, resource_id, sequence,
    instance_from, instance_to, host_from, host_to, at, operation_id, caused_by_operation_id,
    caused_by_resource_id, caused_by_sequence, actor, details)
  select r.revision, (l.place - 1)::int, (c->>'organizationId')::uuid, (v->>'kind')::change_kind,
    (v->>'resource')::resource_kind, (v->>'id')::uuid, (v->>'sequence')::int,
    (v->>'instanceFrom')::instance_state, (v->>'instanceTo')::instance_state,
    (v->>'hostFrom')::host_state, (v->>'hostTo')::host_state, ok.at,
    (v->>'operationId')::uuid, (v->>'causedByOperationId')::uuid,
    (v->>'causedByResourceId')::uuid, (v->>'causedBySequence')::int, c->'actor',
    coalesce(v->'details', '{}')
    from ok cross join input cross join
      (select nextval('log_revisions') as revision from resources where n >= 0) r
      cross join lateral jsonb_array_elements(c->'log') with ordinality as l(v, place)
  returning revision
)
select ok.at, (select max(revision) from logged) as revision from ok`;

/** Nothing is written: what was read has changed since, or the fence is lost. */
export interface Lost {
  readonly lost: true;
  /** What Postgres refused, where it came to that. */
  readonly cause: unknown;
}

/** Writes a change, whole. Where the race is lost: read and decide again. */
export async function write(
  database: Database,
  change: Change,
  options: DoorOptions,
): Promise<Written | Lost> {
  const input = statementInput(change, options);
  try {
    const [row] = await database.query<{ at: Date; revision: number | null }>(STATEMENT, [
      JSON.stringify(input),
    ]);
    return row ? { revision: row.revision, at: row.at } : { lost: true, cause: null };
  } catch (error) {
    // A foreign key, a unique index, a check of ours, a deadlock: a lost race.
    const state = sqlState(error);
    if (state && ['23503', '23505', '23514', '40001', '40P01', '23P01'].includes(state)) {
      return { lost: true, cause: error };
    }
    throw error;
  }
}

function statementInput(change: Change, options: DoorOptions): object {
  const host = change.updates.find((update) => update.kind === 'HOST') ?? null;
  const instances = change.updates.filter((update) => update.kind === 'INSTANCE');
  const { fence, idempotency, completes } = options;
  const readded =
    fence && change.work.some((w) => w.resourceId === fence.resourceId && w.kind === fence.kind);
  const dropped = change.dropped.flatMap(({ resourceId, kinds }) =>
    kinds.map((kind) => ({ resourceId, kind: kind as string })),
  );
  if (fence && !readded) dropped.push({ resourceId: fence.resourceId, kind: fence.kind });
  const meters = change.updates.flatMap(meterChange);
  const deadlines = new Map(
    change.work
      .filter(({ kind }) => kind.endsWith('DEADLINE'))
      .map(({ operationId, dueInSeconds }) => [operationId, dueInSeconds]),
  );
  const dated = <O extends { id: string }>(operation: O) => {
    const deadlineInSeconds = deadlines.get(operation.id);
    deadlines.delete(operation.id);
    return deadlineInSeconds === undefined ? operation : { ...operation, deadlineInSeconds };
  };
  const begins = change.begins.map(dated);
  const operations = change.operations.map(dated);
  return {
    organizationId: options.organizationId,
    operationId: change.operationId,
    actor: change.actor,
    reason: change.reason,
    fence: fence ?? null,
    fences: fence ? 1 : 0,
    completes: completes ?? null,
    commandsCompleted: completes ? 1 : 0,
    idempotency: idempotency ?? null,
    hostGuard: change.hostGuard,
    hosts: (host ? 1 : 0) + (change.hostGuard ? 1 : 0),
    host,
    instances,
    guards: [...change.guards, ...instances.map(({ id, guard }) => ({ id, guard }))],
    operations,
    begins,
    deadlines: [...deadlines].map(([id, deadlineInSeconds]) => ({ id, deadlineInSeconds })),
    work: change.work,
    dropped,
    commands: change.commands,
    metersOff: meters.filter(({ off }) => off),
    metersOn: meters.filter(({ meter }) => meter),
    log: logRows(change),
  };
}

function meterChange(update: InstanceUpdate | HostUpdate): {
  id: string;
  resource: string;
  sequence: number;
  off: boolean;
  meter: string | null;
}[] {
  if (!update.to) return [];
  const [before, after] =
    update.kind === 'HOST'
      ? [hostMeter(update.from), hostMeter(update.to)]
      : [instanceMeter(update.from), instanceMeter(update.to as InstanceUpdate['from'])];
  if (before === after) return [];
  return [
    {
      id: update.id,
      resource: update.kind,
      sequence: update.sequence + 1,
      off: before !== null,
      meter: after,
    },
  ];
}

/** The rows of the log that a change appends: transitions, then what they do not show. */
function logRows(change: Change): object[] {
  const rows: object[] = [];
  const shown = new Set<string | null>();
  const sequences = new Map<string, number>();
  const ordered = [...change.updates].sort(
    (a, b) => Number(b.kind === 'HOST') - Number(a.kind === 'HOST'),
  );
  for (const update of ordered) {
    const sequence = update.sequence + (update.to ? 1 : 0);
    sequences.set(update.id, sequence);
    const base = {
      resource: update.kind,
      id: update.id,
      sequence,
      operationId: update.operationId,
      causedByOperationId: update.causedBy?.operationId ?? null,
      causedByResourceId: update.causedBy?.transition?.resourceId ?? null,
      causedBySequence: update.causedBy?.transition?.sequence ?? null,
    };
    const also = (kind: string, details: object = {}) => rows.push({ ...base, kind, details });
    if (update.to) {
      shown.add(update.operationId);
      const [from, to] =
        update.kind === 'HOST' ? ['hostFrom', 'hostTo'] : ['instanceFrom', 'instanceTo'];
      rows.push({
        ...base,
        kind: 'TRANSITION',
        [from]: update.from,
        [to]: update.to,
        details: update.details,
      });
    }
    if (update.archive) also('ARCHIVED');
    if (update.kind === 'HOST') {
      if (update.removing !== undefined) also('REMOVING', { removing: update.removing });
    } else {
      if (update.desired) also('DESIRED', { desired: update.desired });
      if (update.reachability && (!update.to || update.reachability.value === 'UNKNOWN')) {
        also('REACHABILITY', { reachability: update.reachability.value });
      }
    }
  }
  for (const operation of [...change.operations, ...change.begins]) {
    if (shown.has(operation.id)) continue;
    rows.push({
      kind: 'OPERATION',
      resource: operation.resource,
      id: operation.resourceId,
      sequence: sequences.get(operation.resourceId) ?? 0,
      operationId: operation.id,
      details: { status: operation.status },
    });
  }
  return rows;
}
