/**
 * Reads for the API that Drizzle's relations do not cover, each for many resources in one
 * statement.
 */
import { type Resources, type Sized, sumOf } from '../../lifecycle/capacity.ts';
import type { HostSnapshot, InstanceSnapshot } from '../../lifecycle/change.ts';
import type { InstanceState } from '../../lifecycle/instance.ts';
import type { RuntimeCommandRow } from '../command/runtime-reports.ts';
import { hostJson, instanceJson, instancesOfHost } from '../command/snapshot.ts';
import type { Store } from '../commit/store.ts';
import { dnsConfirmations } from '../table/state-sets.ts';
import type { LogLevel } from '../table/values.ts';

/** The snapshot of one instance that the state machine decides on. */
export interface InstanceFacts {
  readonly id: string;
  readonly instance: InstanceSnapshot;
  readonly host: HostSnapshot | null;
}

/** The snapshot of one host. */
export interface HostFacts {
  readonly id: string;
  readonly host: HostSnapshot;
  readonly instances: InstanceSnapshot[];
}

const listed = (parameter: string): string =>
  `in (select value::uuid from jsonb_array_elements_text(${parameter}::text::jsonb))`;

const INSTANCES = /* sql */ `
select i.id, ${instanceJson} as instance,
       (select ${hostJson} from hosts h where h.id = i.host_id) as host
  from instances i where i.id ${listed('$1')} and i.archived_at is null`;

const HOSTS = /* sql */ `
select h.id, ${hostJson} as host, ${instancesOfHost} as instances
  from hosts h where h.id ${listed('$1')} and h.archived_at is null`;

/** The present snapshots of instances; archived instances are left out. */
export async function readInstanceFacts(
  store: Store,
  ids: readonly string[],
): Promise<Map<string, InstanceFacts>> {
  const rows = await store.database.query<InstanceFacts>(INSTANCES, [JSON.stringify(ids)]);
  return byId(rows);
}

/** The present snapshots of hosts, with all their instances. */
export async function readHostFacts(
  store: Store,
  ids: readonly string[],
): Promise<Map<string, HostFacts>> {
  const rows = await store.database.query<HostFacts>(HOSTS, [JSON.stringify(ids)]);
  return byId(rows);
}

const STATES_AT = /* sql */ `
select i.id, coalesce(before.state, case
    -- Was it in the state that the oldest row left, or with no row in the present one?
    when oldest.sequence = 1 or i.sequence = 0 or $2::timestamptz >= i.state_since
      or $2::timestamptz >= (select pruned_until from store_identity where id = 1)
    then coalesce(oldest.left_state, i.state) end) as state
  from instances i
  left join lateral (
    select l.instance_to as state from log l
     where l.resource_id = i.id and l.kind = 'TRANSITION' and l.at <= $2::timestamptz
     order by l.sequence desc limit 1) before on true
  left join lateral (
    select l.sequence, l.instance_from as left_state from log l
     where l.resource_id = i.id and l.kind = 'TRANSITION'
     order by l.sequence limit 1) oldest on true
 where i.id ${listed('$1')} and i.created_at <= $2::timestamptz`;

/**
 * The state of each instance at a time; null before its creation, and if its log rows of that time
 * are deleted.
 */
export async function readStatesAt(
  store: Store,
  ids: readonly string[],
  time: Date,
): Promise<Map<string, InstanceState | null>> {
  const rows = await store.database.query<{ id: string; state: InstanceState | null }>(STATES_AT, [
    JSON.stringify(ids),
    time.toISOString(),
  ]);
  return new Map(rows.map(({ id, state }) => [id, state]));
}

const DNS_CONFIRMATIONS = /* sql */ `
select d.host_id as id, coalesce(max(l.at), max(d.confirmed_at)) as at
  from dns_records d
  left join log l on l.resource_id = d.host_id and l.kind = 'TRANSITION'
   and (l.host_from, l.host_to) in ${dnsConfirmations}
   and l.at >= d.updated_at
 where d.host_id ${listed('$1')}
   and (l.at is not null or d.confirmed_at >= d.updated_at)
 group by d.host_id`;

/** When the name server last answered with the record of each host. */
export async function readDnsConfirmations(
  store: Store,
  hostIds: readonly string[],
): Promise<Map<string, Date>> {
  const rows = await store.database.query<{ id: string; at: Date }>(DNS_CONFIRMATIONS, [
    JSON.stringify(hostIds),
  ]);
  return new Map(rows.map(({ id, at }) => [id, at]));
}

const ALLOCATIONS = /* sql */ `
select i.host_id as "hostId", i.image_size as "imageSize", i.replicas
  from instances i
 where i.host_id ${listed('$1')} and i.archived_at is null and i.image_size is not null`;

/** What the instances of each host take of it. */
export async function readAllocations(
  store: Store,
  hostIds: readonly string[],
): Promise<Map<string, Resources>> {
  const rows = await store.database.query<Sized & { hostId: string }>(ALLOCATIONS, [
    JSON.stringify(hostIds),
  ]);
  const of = (id: string) => sumOf(rows.filter(({ hostId }) => hostId === id));
  return new Map(hostIds.map((id) => [id, of(id)]));
}

function byId<Row extends { readonly id: string }>(rows: readonly Row[]): Map<string, Row> {
  return new Map(rows.map((row) => [row.id, row]));
}

export interface StoredLogLine {
  readonly id: number;
  readonly runId: string;
  readonly number: number;
  readonly at: Date;
  readonly level: LogLevel;
  readonly text: string;
}

const LOG_LINE_COLUMNS = 'id, run_id as "runId", number, at, level, text';

/** Lines of an instance's log, oldest first: the newest ones, or those after a line. */
export async function readLogLines(
  store: Store,
  wanted:
    | { instanceId: string; newest: number }
    | { instanceId: string; after: number; limit: number },
): Promise<StoredLogLine[]> {
  const { instanceId } = wanted;
  if ('newest' in wanted) {
    const lines = await store.database.query<StoredLogLine>(
      `select ${LOG_LINE_COLUMNS} from runtime_logs where instance_id = $1::uuid order by id desc limit $2::int`,
      [instanceId, wanted.newest],
    );
    return lines.reverse();
  }
  return store.database.query<StoredLogLine>(
    `select ${LOG_LINE_COLUMNS} from runtime_logs where instance_id = $1::uuid and id > $2::bigint
      order by id limit $3::int`,
    [instanceId, wanted.after, wanted.limit],
  );
}

/** A command of a run, completed or not; null where the run has none of that id. */
export async function readRuntimeCommand(
  store: Store,
  runId: string,
  commandId: string,
): Promise<RuntimeCommandRow | null> {
  const [row] = await store.database.query<RuntimeCommandRow>(
    `select id, ordinal, kind, run_id as "runId", payload, created_at as "createdAt"
       from runtime_commands where run_id = $1::uuid and id::text = $2`,
    [runId, commandId],
  );
  return row ?? null;
}
