/** The hosts and instances as drivers see them. */
import type { HostDriver, HostSize } from '../../lifecycle/compute.ts';
import type { HostState } from '../../lifecycle/host.ts';
import type { InstanceState } from '../../lifecycle/instance.ts';
import type { OperationKind } from '../../lifecycle/operation.ts';
import type { Store } from '../commit/store.ts';
import { active } from '../table/state-sets.ts';

export interface HostTarget {
  readonly id: string;
  readonly key: string;
  readonly organizationId: string;
  readonly driver: HostDriver;
  readonly providerId: string;
  readonly providerVersion: number;
  readonly size: HostSize;
  readonly dnsName: string;
  readonly state: HostState;
  readonly sequence: number;
  readonly removing: boolean;
  readonly handle: Record<string, unknown> | null;
  readonly address: string | null;
  /** Container images of its instances; null for the App edition, which has the runtime alone. */
  readonly images: readonly {
    repositoryId: string;
    repository: string;
    image: string;
    tag: string;
    digest: string | null;
  }[];
}

/** A host, as its driver needs it. */
export async function hostTarget(store: Store, id: string): Promise<HostTarget | null> {
  const [row] = await store.database.query<HostTarget>(
    `select h.id, h.key, h.organization_id as "organizationId", h.driver, h.size,
            p.id as "providerId", p.version as "providerVersion", h.dns_name as "dnsName", h.state, h.sequence, h.removing, h.handle, h.address,
            coalesce((select jsonb_agg(distinct jsonb_build_object('repositoryId', r.id,
                'repository', r.key, 'image', r.image, 'tag', asked.tag,
                'digest', case when not i.asks_tag and l.image = r.image and l.image_tag = asked.tag
                          then l.image_digest end))
              from instances i join container_repositories r on r.id = i.container_repository_id
             cross join lateral (select coalesce(i.container_tag, r.default_tag) as tag) asked
              left join runs l on l.id = i.run_id
             where i.host_id = h.id and i.archived_at is null), '[]') as images
       from hosts h join compute_providers p on p.id = h.provider_id where h.id = $1::uuid`,
    [id],
  );
  return row ?? null;
}

export interface InstanceTarget {
  readonly id: string;
  readonly key: string;
  readonly organizationId: string;
  readonly state: InstanceState;
  readonly sequence: number;
  readonly runId: string | null;
  readonly runtimeGone: boolean;
  readonly operationKind: OperationKind | null;
  readonly secondsSinceSeen: number | null;
  readonly repositoryId: string | null;
  readonly repository: string | null;
  readonly image: string | null;
  readonly tag: string | null;
  /** What its run is to run, whatever the tag means now; null: the tag is asked. */
  readonly digest: string | null;
  /** Of its image, or of its host. */
  readonly size: HostSize;
  readonly dnsName: string | null;
  readonly driver: HostDriver | null;
  readonly providerId: string | null;
  readonly providerVersion: number | null;
  readonly handle: Record<string, unknown> | null;
  /** Its sealed settings by name; null: it has none. */
  readonly secrets: Record<string, unknown> | null;
}

/** Instances by their ids, as their drivers need them. */
export async function instanceTargets(
  store: Store,
  ids: readonly string[],
): Promise<ReadonlyMap<string, InstanceTarget>> {
  const rows = await store.database.query<InstanceTarget>(
    `select i.id, i.key, i.organization_id as "organizationId", i.state, i.sequence,
            i.run_id as "runId", i.runtime_gone as "runtimeGone",
            (select o.kind from operations o
              where o.instance_id = i.id and o.status in ${active}) as "operationKind",
            extract(epoch from clock_timestamp() - i.last_seen_at)::float8 as "secondsSinceSeen",
            case when i.secret_settings <> '[]' then (
              select jsonb_object_agg(s.key, s.value) from jsonb_each(i.settings) s
               where i.secret_settings ? s.key) end as secrets,
            c.id as "repositoryId", c.key as repository, r.image, r.image_tag as tag, r.image_digest as digest, coalesce(i.image_size, h.size) as size,
            h.dns_name as "dnsName", h.driver, h.provider_id as "providerId",
            p.version as "providerVersion", h.handle
       from jsonb_array_elements_text($1::text::jsonb) asked(id)
       join instances i on i.id = asked.id::uuid
       left join runs r on r.id = i.run_id
       left join container_repositories c on c.id = i.container_repository_id
       left join hosts h on h.id = i.host_id
       left join compute_providers p on p.id = h.provider_id`,
    [JSON.stringify(ids)],
  );
  return new Map(rows.map((row) => [row.id, row]));
}

/** The ports that the solution version of a run names, by the names of its listeners. */
export async function portsOfRun(
  store: Store,
  runId: string,
): Promise<{ readonly listener: string; readonly port: number }[]> {
  return store.database.query(
    `select listener, coalesce(port::int, 0) as port
       from runs r join solution_versions v on v.id = r.solution_version_id
      cross join lateral (
        select 'input-commands' as listener, v.definition #>> '{inputCommandListener,port}' as port
         union all
        select key, value ->> 'port' from jsonb_each(coalesce(v.definition -> 'listeners', '{}'))) l
      where r.id = $1::uuid order by listener`,
    [runId],
  );
}

/** What an update pulls; null: its operation is over. */
export async function updateTarget(
  store: Store,
  operationId: string,
): Promise<{ repositoryId: string; repository: string; image: string; tag: string } | null> {
  const [row] = await store.database.query<{
    repositoryId: string;
    repository: string;
    image: string;
    tag: string;
  }>(
    `select c.id as "repositoryId", c.key as repository, c.image,
            coalesce(o.runtime_update #>> '{to,tag}', c.default_tag) as tag
       from operations o join instances i on i.id = o.instance_id
       join container_repositories c on c.id = i.container_repository_id
      where o.id = $1::uuid and o.status in ${active} and o.runtime_update is not null`,
    [operationId],
  );
  return row ?? null;
}
