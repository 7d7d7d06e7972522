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
