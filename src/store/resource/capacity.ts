/** Whether the instances that share a host fit on it. Asked where an instance or a size is chosen. */
import { and, eq, isNull, ne, sql } from 'drizzle-orm';
import {
  fits,
  freeOf,
  type Resources,
  resourcesOf,
  resourcesText,
  type Sized,
  smallestFor,
  sumOf,
} from '../../lifecycle/capacity.ts';
import { type HostSize, hostSizes, sizes } from '../../lifecycle/compute.ts';
import type { Caller, Transaction } from '../input/caller.ts';
import type { Problems } from '../input/save-result.ts';
import { hosts, instances } from '../table/schema.ts';

const mostNamed = 5;

interface Place {
  readonly caller: Caller;
  /** Locked. */
  readonly host: { readonly id: string; readonly key: string; readonly size: HostSize };
  /** What will run there. */
  readonly wanted: Sized;
  /** The instance itself, which may be there already. Null: it is new. */
  readonly instanceId: string | null;
  /** Where in the input it was chosen. */
  readonly path: string;
}

/** A problem HOST_FULL unless what the instance wants is free on the host. */
export async function checkHostTakes(
  tx: Transaction,
  problems: Problems,
  { caller, host, wanted, instanceId, path }: Place,
): Promise<void> {
  const needed = resourcesOf(wanted);
  const others = await tx
    .select({ imageSize: instances.imageSize, replicas: instances.replicas })
    .from(instances)
    .where(
      and(
        eq(instances.hostId, host.id),
        isNull(instances.archivedAt),
        instanceId ? ne(instances.id, instanceId) : undefined,
      ),
    );
  const free = freeOf(host.size, sumOf(others));
  if (fits(needed, free)) return;
  const takers = await hostsThatTake(tx, caller, needed);
  const size = smallestFor(needed);
  const remedy =
    takers.length > 0
      ? `these have room for it: ${takers.join(', ')}`
      : size === null
        ? 'no size of a host has room for it'
        : `no other host has room for it: create one of size ${size} or larger, or name none`;
  problems.conflict(
    path,
    'HOST_FULL',
    `Host ${host.key} has ${resourcesText(free)} free of ${resourcesText(sizes[host.size])}, and the instance needs ${resourcesText(needed)}; ${remedy}.`,
  );
}

/** A problem HOST_FULL where the instances of a host take more than its new size has. */
export async function checkSizeTakes(
  tx: Transaction,
  problems: Problems,
  host: { readonly id: string; readonly key: string; readonly size: HostSize },
): Promise<void> {
  const there = await tx
    .select({ imageSize: instances.imageSize, replicas: instances.replicas })
    .from(instances)
    .where(and(eq(instances.hostId, host.id), isNull(instances.archivedAt)));
  const taken = sumOf(there);
  if (fits(taken, sizes[host.size])) return;
  problems.conflict(
    'size',
    'HOST_FULL',
    `The instances of host ${host.key} take ${resourcesText(taken)}, and ${host.size} has ${resourcesText(sizes[host.size])}: choose a larger size, or move instances away first.`,
  );
}

/** What the instances of a host take of one resource, in SQL. */
const taken = (resource: keyof Resources) => {
  const cases = hostSizes.map(
    (size) => sql`when ${instances.imageSize} = ${size} then ${sizes[size][resource]}::float8`,
  );
  return sql<number>`coalesce(sum(case ${sql.join(cases, sql` `)} end
    * coalesce(${instances.replicas}, 1)), 0)::float8`;
};

/** Keys of hosts with room, by key, a few of them. */
async function hostsThatTake(
  tx: Transaction,
  caller: Caller,
  needed: Resources,
): Promise<string[]> {
  const rows = await tx
    .select({
      key: hosts.key,
      size: hosts.size,
      cpus: taken('cpus'),
      memoryBytes: taken('memoryBytes'),
    })
    .from(hosts)
    .leftJoin(instances, and(eq(instances.hostId, hosts.id), isNull(instances.archivedAt)))
    .where(
      and(
        eq(hosts.organizationId, caller.organizationId),
        isNull(hosts.archivedAt),
        eq(hosts.removing, false),
      ),
    )
    .groupBy(hosts.id)
    .orderBy(hosts.key);
  return rows
    .filter(({ size, cpus, memoryBytes }) => fits(needed, freeOf(size, { cpus, memoryBytes })))
    .slice(0, mostNamed)
    .map(({ key }) => key);
}
