/** Compute providers as their drivers need them, and what hosts have allocated of them. */
import { type ComputeProviderKind, type HostSize, sizes } from '../../lifecycle/compute.ts';
import type { DockerConfiguration } from '../../lifecycle/docker-configuration.ts';
import type { Store } from '../commit/store.ts';
import { providerPlace } from '../secret/provider.ts';

/** A provider with its secrets in clear. */
export type OpenProvider = {
  readonly id: string;
  readonly key: string;
  readonly organizationId: string;
  readonly version: number;
} & (
  | { readonly kind: 'PROCESS'; readonly configuration: object; readonly secrets: null }
  | {
      readonly kind: 'DOCKER';
      readonly configuration: DockerConfiguration;
      readonly secrets: { readonly clientKey: string } | null;
    }
);

/**
 * A provider, archived or not; null: there is none.
 *
 * @throws SecretError where its secrets do not open
 */
export async function findProvider(store: Store, id: string): Promise<OpenProvider | null> {
  const [row] = await store.database.query<{ kind: ComputeProviderKind; secrets: unknown }>(
    `select id, key, organization_id as "organizationId", version, kind, configuration, secrets
       from compute_providers where id = $1::uuid`,
    [id],
  );
  if (!row) return null;
  const secrets = row.secrets && store.secretKeys.open(row.secrets, providerPlace(id));
  return { ...row, secrets } as OpenProvider;
}

export interface Allocated {
  readonly cpus: number;
  readonly memoryBytes: number;
}

/** What a provider has in total, and what is taken of it by hosts before this one. */
export interface ProviderRoom {
  readonly provider: string;
  readonly capacity: Allocated;
  readonly taken: Allocated;
}

/**
 * The room for a host on its provider; null: the provider does not enforce sizes, or was never reached. Of
 * hosts that are DEPLOYING at the same time each counts those that began before it.
 */
export async function roomFor(store: Store, hostId: string): Promise<ProviderRoom | null> {
  const [row] = await store.database.query<{
    provider: string;
    capacity: Allocated;
    others: { size: HostSize; hosts: number }[];
  }>(
    `select p.key as provider, p.status -> 'capacity' as capacity, (
       select coalesce(jsonb_agg(jsonb_build_object('size', o.size, 'hosts', o.hosts)), '[]') from (
         select size, count(*)::int as hosts from hosts o
          where o.provider_id = h.provider_id and o.id <> h.id and o.up and o.archived_at is null
            and not (o.state = 'DEPLOYING' and (o.state_since, o.id) > (h.state_since, h.id))
          group by size) o) as others
       from hosts h join compute_providers p on p.id = h.provider_id
      where h.id = $1::uuid and h.driver <> 'PROCESS' and p.status ? 'capacity'`,
    [hostId],
  );
  if (!row?.capacity) return null;
  const { provider, capacity, others } = row;
  return { provider, capacity, taken: addUp(others) };
}

const addUp = (
  hosts: readonly { readonly size: HostSize; readonly hosts: number }[],
): Allocated => ({
  cpus: hosts.reduce((sum, { size, hosts: count }) => sum + count * sizes[size].cpus, 0),
  memoryBytes: hosts.reduce(
    (sum, { size, hosts: count }) => sum + count * sizes[size].memoryBytes,
    0,
  ),
});

/** What the sizes of the allocated hosts on each provider add up to; providers without any are left out. */
export async function readAllocated(
  store: Store,
  providerIds: readonly string[],
): Promise<ReadonlyMap<string, Allocated>> {
  const rows = await store.database.query<{ id: string; size: HostSize; hosts: number }>(
    `select provider_id as id, size, count(*)::int as hosts from hosts
      where provider_id in (select value::uuid from jsonb_array_elements_text($1::text::jsonb))
        and up and archived_at is null
      group by provider_id, size`,
    [JSON.stringify(providerIds)],
  );
  const found = new Map<string, Allocated>();
  for (const { id, size, hosts } of rows) {
    const { cpus, memoryBytes } = found.get(id) ?? { cpus: 0, memoryBytes: 0 };
    found.set(id, {
      cpus: cpus + hosts * sizes[size].cpus,
      memoryBytes: memoryBytes + hosts * sizes[size].memoryBytes,
    });
  }
  return found;
}
