/** Reads what a decision needs, in one statement each. */
import type { HostSnapshot, InstanceSnapshot, World } from '../lifecycle/change.ts';
import type { ActiveOperation } from '../lifecycle/operation.ts';
import type { Store } from './store.ts';

export interface StoredWorld extends World {
  readonly organizationId: string;
}

const operationJson = (alias: string): string => /* sql */ `
  case when ${alias}.id is null then null else jsonb_build_object('id', ${alias}.id,
    'kind', ${alias}.kind, 'status', ${alias}.status, 'phase', ${alias}.phase,
    'parentId', ${alias}.parent_id) end`;

const instanceJson = /* sql */ `jsonb_build_object('id', i.id, 'key', i.key, 'hostId', i.host_id,
  'state', i.state, 'sequence', i.sequence, 'guard', i.guard, 'desired', i.desired,
  'reachability', i.reachability, 'unreachableBecause', i.unreachable_because, 'runId', i.run_id,
  'runtimeGone', i.runtime_gone, 'operation', ${operationJson('io')})`;

const hostJson = /* sql */ `case when h.id is null then null else jsonb_build_object('id', h.id,
  'key', h.key, 'state', h.state, 'sequence', h.sequence, 'guard', h.guard,
  'operation', ${operationJson('ho')}) end`;

const INSTANCE = /* sql */ `
select i.organization_id as "organizationId", ${instanceJson} as instance, ${hostJson} as host
  from instances i
  left join operations io on io.instance_id = i.id and io.status in ('QUEUED', 'RUNNING')
  left join hosts h on h.id = i.host_id
  left join operations ho on ho.host_id = h.id and ho.status in ('QUEUED', 'RUNNING')
 where i.id = $1::uuid and i.archived_at is null`;

const HOST = /* sql */ `
select h.organization_id as "organizationId", ${hostJson} as host, coalesce((
    select jsonb_agg(${instanceJson} order by i.id)
      from instances i
      left join operations io on io.instance_id = i.id and io.status in ('QUEUED', 'RUNNING')
     where i.host_id = h.id and i.archived_at is null), '[]') as instances
  from hosts h
  left join operations ho on ho.host_id = h.id and ho.status in ('QUEUED', 'RUNNING')
 where h.id = $1::uuid and h.archived_at is null`;

export type { ActiveOperation };

/** An instance, its host and their active operations; null where it is not there or archived. */
export async function instanceWorld(store: Store, id: string): Promise<StoredWorld | null> {
  const [row] = await store.database.query<{
    organizationId: string;
    instance: InstanceSnapshot;
    host: HostSnapshot | null;
  }>(INSTANCE, [id]);
  if (!row) return null;
  return { organizationId: row.organizationId, host: row.host, instances: [row.instance] };
}

/** A host, all instances that name it, and their active operations. */
export async function hostWorld(store: Store, id: string): Promise<StoredWorld | null> {
  const [row] = await store.database.query<{
    organizationId: string;
    host: HostSnapshot;
    instances: InstanceSnapshot[];
  }>(HOST, [id]);
  return row ?? null;
}
