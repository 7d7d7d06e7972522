/** The parts of the commit statement that write operations and metered intervals. */
import type { Change } from '../../lifecycle/change.ts';
import { operations } from '../table/schema.ts';
import { active } from '../table/state-sets.ts';
import { meterChanges } from './log-rows.ts';
import { Returned } from './returned.ts';
import { Columns, Rows, raw, type Sql, sql } from './sql.ts';

const activeList = raw(active);

export const returnedOperation = new Returned(operations, 'o');

const changed = new Columns({
  id: 'uuid',
  status: 'operation_status',
  phase: 'text',
  sets_phase: 'boolean',
  failure: 'jsonb',
  sets_failure: 'boolean',
  runtime_update: 'jsonb',
  deadline: 'float8',
});
const begun = new Columns({
  id: 'uuid',
  kind: 'operation_kind',
  status: 'operation_status',
  phase: 'text',
  resource: 'resource_kind',
  instance_id: 'uuid',
  host_id: 'uuid',
  parent_id: 'uuid',
  runtime_update: 'jsonb',
  deadline: 'float8',
});
const deadline = new Columns({ id: 'uuid', deadline: 'float8' });

/**
 * Updates the operations that end or continue, then inserts those that begin. `returning`: the
 * inserted ones return all columns.
 */
export function operationParts(change: Change, after: Sql, returning: boolean): Sql[] {
  const parts: Sql[] = [];
  const deadlines = new Map(
    change.work
      .filter(({ kind, operationId }) => operationId && kind.endsWith('DEADLINE'))
      .map(({ operationId, dueInSeconds }) => [operationId, dueInSeconds]),
  );
  let ready = after;
  if (change.operations.length > 0) {
    const rows = change.operations.map(({ id, status, phase, failure, update }) => ({
      id,
      status,
      phase,
      sets_phase: phase !== undefined,
      failure,
      sets_failure: failure !== undefined,
      runtime_update: update,
      deadline: deadlines.get(id),
    }));
    parts.push(sql`changed_operations as (
      update operations t set
        status = v.status,
        phase = case when v.sets_phase then v.phase else t.phase end,
        progress = null,
        runtime_update = coalesce(v.runtime_update, t.runtime_update),
        deadline_at = coalesce(ok.at + make_interval(secs => v.deadline), t.deadline_at),
        failure = case when not v.sets_failure then t.failure else v.failure ||
          jsonb_build_object('at', ok.at, 'operationId', t.id) end,
        started_at = coalesce(t.started_at, case when v.status = 'RUNNING' then ok.at end),
        ended_at = case when v.status not in ${activeList} then ok.at end
        from ok, ${new Rows(rows, changed)}
       where t.id = v.id and t.status in ${activeList} and ${after}
      returning t.id)`);
    ready = sql`(select count(*) from changed_operations) >= 0`;
  }
  if (change.begins.length > 0) {
    const rows = change.begins.map(({ id, kind, status, phase, resource, ...operation }) => ({
      id,
      kind,
      status,
      phase,
      resource,
      instance_id: resource === 'INSTANCE' ? operation.resourceId : null,
      host_id: resource === 'HOST' ? operation.resourceId : null,
      parent_id: operation.parentId,
      runtime_update: operation.update,
      deadline: deadlines.get(id),
    }));
    parts.push(sql`begun_operations as (
      insert into operations as t (id, organization_id, kind, status, phase, resource_kind,
        instance_id, host_id, requested_by, reason, parent_id, runtime_update, created_at, started_at,
        ended_at, deadline_at)
      select v.id, ok.organization_id, v.kind, v.status, v.phase, v.resource, v.instance_id,
             v.host_id, ok.actor, ok.reason, v.parent_id, v.runtime_update, ok.at,
             case when v.status <> 'QUEUED' then ok.at end,
             case when v.status = 'SUCCEEDED' then ok.at end,
             ok.at + make_interval(secs => v.deadline)
        from ok cross join ${new Rows(rows, begun)} where ${ready}
      returning ${returning ? returnedOperation.columns : sql`t.id`})`);
  }
  for (const { id } of [...change.operations, ...change.begins]) deadlines.delete(id);
  if (deadlines.size > 0) {
    const rows = [...deadlines].map(([id, seconds]) => ({ id, deadline: seconds }));
    parts.push(sql`deadlines as (
      update operations t set deadline_at = ok.at + make_interval(secs => v.deadline), progress = null
        from ok, ${new Rows(rows, deadline)} where t.id = v.id and ${after})`);
  }
  return parts;
}

const metered = new Columns({
  id: 'uuid',
  resource: 'resource_kind',
  sequence: 'int',
  meter: 'meter',
});

/** Closes the intervals of the meters that stop, then opens those of the meters that start. */
export function meterParts(change: Change, after: Sql): Sql[] {
  const changes = meterChanges(change);
  const off = changes.filter(({ isOff }) => isOff).map(({ row }) => row);
  const on = changes.filter(({ row }) => row.meter !== null).map(({ row }) => row);
  const parts: Sql[] = [];
  let ready = after;
  if (off.length > 0) {
    parts.push(sql`metered_off as (
      update metering_intervals t set closed_at = ok.at, closed_sequence = v.sequence
        from ok, ${new Rows(off, metered)}
       where t.resource_id = v.id and t.closed_at is null and ${after} returning t.id)`);
    ready = sql`(select count(*) from metered_off) >= 0`;
  }
  if (on.length > 0) {
    parts.push(sql`metered_on as (
      insert into metering_intervals (id, organization_id, meter, resource_kind, resource_id,
        opened_at, opened_sequence, priced)
      select gen_random_uuid(), ok.organization_id, v.meter, v.resource, v.id, ok.at, v.sequence,
             case when v.resource = 'INSTANCE' then coalesce((
               select i.deployment_type = 'MANAGED' and not b.trial from instances i
                 join billing_subscriptions b on b.id = i.subscription_id
                where i.id = v.id), false)
             else coalesce((
               select not b.trial from hosts h
                 join billing_subscriptions b on b.id = h.subscription_id
                where h.id = v.id), true) end
        from ok cross join ${new Rows(on, metered)} where ${ready})`);
  }
  return parts;
}
