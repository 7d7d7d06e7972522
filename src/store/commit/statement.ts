/**
 * The statement of a commit: which parts it has, and their order.
 *
 * Sibling CTEs run in no defined order, so each part selects from the part before it: first the
 * host is locked, then the instances by id, each checked against the guard it was read at, then the
 * fence. Updates run after all locks are held, then the operations, and last the log, with one
 * revision. A single instance after which nothing else is locked is locked by its own update.
 *
 * A part without work is left out, because even a part that finds no row takes time. This gives
 * some dozens of shapes of the statement, each prepared once.
 */
import type { Change, InstanceUpdate } from '../../lifecycle/change.ts';
import type { Parameter } from '../database/database.ts';
import type { PublishTarget } from '../log/notifier.ts';
import { logRows } from './log-rows.ts';
import { notifyColumn } from './notify.ts';
import { meterParts, operationParts, returnedOperation } from './operations.ts';
import type { CommitOptions, HeldItem, WrittenRows } from './options.ts';
import {
  hostPart,
  instancesPart,
  loneInstancePart,
  returnedHost,
  returnedInstance,
  runParts,
} from './resources.ts';
import { Columns, compile, type Row, Rows, type Sql, sql } from './sql.ts';

/** Makes the statement. It returns one row, or none if nothing was written. */
export function commitStatement(
  change: Change,
  options: CommitOptions & { publishTo?: PublishTarget | null },
): {
  text: string;
  parameters: readonly Parameter[];
  /** The resource and the operation of the command, from the result row. */
  rowsOf: (row: Row) => WrittenRows | null;
  /** Whether the statement publishes its rows to the other nodes. */
  publishes: boolean;
} {
  const { operationId } = change;
  const answer = options.returning ? change.begins.find(({ id }) => id === operationId) : undefined;
  const host = change.updates.find((update) => update.kind === 'HOST');
  const instances = change.updates.filter((update) => update.kind === 'INSTANCE');
  const returnsInstance = answer?.resource === 'INSTANCE';
  const lone = loneInstance(change, options);
  const parts = lockParts(change, options, lone !== null);
  if (lone) {
    parts.push(
      loneInstancePart(lone, returnsInstance),
      sql`ok as materialized (
        select * from locked where (select count(*) from changed_instances) = 1)`,
    );
  }
  parts.push(...requestParts(change, options), ...runParts(instances));
  let after = sql`true`;
  if (host) {
    parts.push(hostPart(host, answer?.resource === 'HOST'));
    after = sql`(select count(*) from changed_host) >= 0`;
  }
  if (instances.length > 0 && !lone) {
    parts.push(instancesPart(instances, after, returnsInstance));
    after = sql`(select count(*) from changed_instances) >= 0`;
  }
  parts.push(
    ...operationParts(change, after, answer !== undefined),
    ...meterParts(change, after),
    ...workParts(change, options.heldItem),
    ...commandParts(change),
  );
  const log = logRows(change);
  if (log.length > 0) parts.push(...logParts(log, after));
  let revision = sql`null::bigint`;
  if (log.length > 0) {
    revision = log.length === 1 ? sql`(select n from logged)` : sql`(select n from revision)`;
  }
  const column = notifyColumn(options.publishTo ?? null, {
    ...{ rows: log, change, revision },
    organizationId: options.organizationId,
  });
  const notify = column ?? sql``;
  const publishes = column !== null;
  if (!answer) {
    const statement = compile(
      sql`with ${parts} select ok.at, ${revision} as revision${notify} from ok`,
    );
    return { ...statement, publishes, rowsOf: () => null };
  }
  const isHost = answer.resource === 'HOST';
  const returned = isHost ? returnedHost : returnedInstance;
  const resources = isHost ? sql`changed_host` : sql`changed_instances`;
  const statement = compile(sql`
    with ${parts}
    select ok.at, ${revision} as revision, r.*, o.*${notify} from ok
      left join ${resources} r on r.${returned.id} = ${answer.resourceId}::uuid
      left join begun_operations o on o.${returnedOperation.id} = ${answer.id}::uuid`);
  const rowsOf = (row: Row) => {
    const resource = returned.take(row);
    const operation = returnedOperation.take(row);
    return resource && operation ? { resource, operation } : null;
  };
  return { ...statement, publishes, rowsOf };
}

/**
 * The instance whose update needs no lock before it, because nothing is locked after it: the update
 * checks the guard itself, and writes nothing if the guard has changed.
 */
function loneInstance(change: Change, { heldItem }: CommitOptions): InstanceUpdate | null {
  const [update, ...others] = change.updates;
  const isLone = others.length === 0 && change.guards.length === 0 && !heldItem;
  return isLone && update?.kind === 'INSTANCE' ? update : null;
}

const guards = new Columns({ id: 'uuid', guard: 'bigint' });

/**
 * Locks what was read. Each part selects its rows after all parts before it hold their locks; `ok`
 * has a row once all are held. `isLone`: the single instance is not locked here, and `locked` has
 * its row.
 */
function lockParts(
  change: Change,
  { organizationId, heldItem, completes }: CommitOptions,
  isLone: boolean,
): Sql[] {
  const parts: Sql[] = [];
  let held = sql`true`;
  if (completes) {
    parts.push(sql`command as materialized (
      select from runtime_commands
       where id = ${completes.id}::uuid and completed_at is null for update)`);
    held = sql`(select count(*) from command) = 1`;
  }
  const host = change.updates.find((update) => update.kind === 'HOST');
  if (host) {
    parts.push(sql`host_held as materialized (
      select from hosts
       where id = ${host.id}::uuid and guard = ${host.guard}::bigint and archived_at is null
         and ${held} for update)`);
  } else if (change.hostGuard) {
    parts.push(sql`host_held as materialized (
      select from hosts
       where id = ${change.hostGuard.id}::uuid and guard = ${change.hostGuard.guard}::bigint
         and ${held} for share)`);
  }
  if (host || change.hostGuard) held = sql`(select count(*) from host_held) = 1`;
  const read = [...change.guards, ...change.updates.filter(({ kind }) => kind === 'INSTANCE')].map(
    ({ id, guard }) => ({ id, guard }),
  );
  if (read.length > 0 && !isLone) {
    parts.push(sql`instances_held as materialized (
      select from instances i join ${new Rows(read, guards)} on v.id = i.id
       where i.guard = v.guard and i.archived_at is null and ${held}
       order by i.id for update of i)`);
    held = sql`(select count(*) from instances_held) = ${read.length}::int`;
  }
  if (heldItem) {
    parts.push(sql`held_item as materialized (
      select from work
       where resource_id = ${heldItem.resourceId}::uuid and kind = ${heldItem.kind}::work_kind
         and token = ${heldItem.token}::bigint and ${held} for update)`);
    held = sql`(select count(*) from held_item) = 1`;
  }
  // Whole milliseconds, as the tables keep them.
  parts.push(sql`${isLone ? sql`locked` : sql`ok`} as materialized (
    select date_trunc('milliseconds', clock_timestamp()) as at,
           ${organizationId}::uuid as organization_id,
           ${JSON.stringify(change.actor)}::text::jsonb as actor, ${change.reason}::text as reason
     where ${held})`);
  return parts;
}

/** The parts of the request: its idempotency key, and the runtime command that it completes. */
function requestParts(change: Change, { idempotency, completes }: CommitOptions): Sql[] {
  const parts: Sql[] = [];
  if (idempotency) {
    const { caller, field, key, inputHash } = idempotency;
    parts.push(sql`remembered_key as (
      insert into idempotency_keys (organization_id, caller, field, key, input_hash, operation_id)
      select organization_id, ${caller}::text, ${field}::text, ${key}::text, ${inputHash}::text,
             ${change.operationId}::uuid from ok)`);
  }
  if (completes) {
    parts.push(sql`completed_command as (
      update runtime_commands t set completed_at = ok.at, outcome = ${completes.outcome}::text,
             message = ${completes.message}::text
        from ok where t.id = ${completes.id}::uuid)`);
  }
  return parts;
}

const droppedWork = new Columns({ id: 'uuid', kinds: 'work_kind[]' });
const addedWork = new Columns({
  id: 'uuid',
  kind: 'work_kind',
  resource: 'resource_kind',
  operation_id: 'uuid',
  run_id: 'uuid',
  sequence: 'int',
  driver: 'text',
  due: 'float8',
});

/** Deletes void work and the holder's own item, and inserts new work. */
function workParts({ work, dropped }: Change, heldItem: HeldItem | undefined): Sql[] {
  const parts: Sql[] = [];
  const drops: object[] = dropped.map(({ resourceId, kinds }) => ({ id: resourceId, kinds }));
  const isAddedAnew = (own: HeldItem) =>
    work.some(({ resourceId, kind }) => resourceId === own.resourceId && kind === own.kind);
  if (heldItem && !isAddedAnew(heldItem))
    drops.push({ id: heldItem.resourceId, kinds: [heldItem.kind] });
  let after = sql`true`;
  if (drops.length > 0) {
    parts.push(sql`dropped_work as (
      delete from work t using ok, ${new Rows(drops as Rows['rows'], droppedWork)}
       where t.resource_id = v.id and t.kind = any (v.kinds) returning t.kind)`);
    after = sql`(select count(*) from dropped_work) >= 0`;
  }
  if (work.length > 0) {
    const rows = work.map(({ resourceId, kind, resource, operationId, runId, ...item }) => ({
      id: resourceId,
      kind,
      resource,
      operation_id: operationId,
      run_id: runId,
      sequence: item.sequence,
      driver: item.driver,
      due: item.dueInSeconds,
    }));
    parts.push(sql`added_work as (
      insert into work (resource_id, kind, organization_id, resource_kind, operation_id, run_id,
        sequence, driver, due_at)
      select v.id, v.kind, ok.organization_id, v.resource, v.operation_id, v.run_id, v.sequence,
             v.driver, ok.at + make_interval(secs => v.due)
        from ok cross join ${new Rows(rows, addedWork)} where ${after}
      on conflict (resource_id, kind) do update set
        operation_id = excluded.operation_id, run_id = excluded.run_id,
        sequence = excluded.sequence, driver = excluded.driver, due_at = excluded.due_at, attempt = 0, first_cause = null,
        worker = null, token = null)`);
  }
  return parts;
}

const addedCommands = new Columns({
  id: 'uuid',
  instance_id: 'uuid',
  run_id: 'uuid',
  kind: 'runtime_command_kind',
  payload: 'jsonb',
});

function commandParts({ commands }: Change): Sql[] {
  if (commands.length === 0) return [];
  const rows = commands.map(({ id, instanceId, runId, kind, payload }) => ({
    id,
    instance_id: instanceId,
    run_id: runId,
    kind,
    payload,
  }));
  return [
    sql`added_commands as (
      insert into runtime_commands (id, organization_id, instance_id, run_id, kind, payload,
        created_at)
      select v.id, ok.organization_id, v.instance_id, v.run_id, v.kind, v.payload, ok.at
        from ok cross join ${new Rows(rows, addedCommands)})`,
  ];
}

const logColumns = new Columns({
  place: 'int',
  kind: 'change_kind',
  resource: 'resource_kind',
  id: 'uuid',
  sequence: 'int',
  instance_from: 'instance_state',
  instance_to: 'instance_state',
  host_from: 'host_state',
  host_to: 'host_state',
  operation_id: 'uuid',
  by_operation_id: 'uuid',
  by_resource_id: 'uuid',
  by_sequence: 'int',
  details: 'jsonb',
});

/**
 * Draws the revision once, while the statement holds the lock of the log; the feed relies on this.
 * With one row the insert draws it itself, which saves a part, and `logged` returns it.
 */
function logParts(rows: Rows['rows'], after: Sql): Sql[] {
  const drawn = sql`nextval('log_revisions')`;
  const one = rows.length === 1;
  const logged = sql`logged as (
    insert into log (revision, place, organization_id, kind, resource_kind, resource_id, sequence,
      instance_from, instance_to, host_from, host_to, at, operation_id, caused_by_operation_id,
      caused_by_resource_id, caused_by_sequence, actor, details)
    select ${one ? drawn : sql`revision.n`}, v.place, ok.organization_id, v.kind, v.resource, v.id,
           v.sequence, v.instance_from, v.instance_to, v.host_from, v.host_to, ok.at,
           v.operation_id, v.by_operation_id, v.by_resource_id, v.by_sequence, ok.actor, v.details
      from ${one ? sql`ok` : sql`ok cross join revision`} cross join ${new Rows(rows, logColumns)}
     where ${after}
    returning revision as n)`;
  if (one) return [logged];
  return [sql`revision as materialized (select ${drawn} as n from ok where ${after})`, logged];
}
