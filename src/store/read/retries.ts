/** What operations try again. */
import type { Store } from '../commit/store.ts';
import type { StoredFailure } from '../table/schema.ts';

/** By operation: the first failure of what is being tried again for it. Not in the map: nothing is. */
export async function readRetries(
  store: Store,
  operationIds: readonly string[],
): Promise<ReadonlyMap<string, StoredFailure>> {
  const rows = await store.database.query<{ id: string; failure: StoredFailure }>(
    `select o.id, w.first_cause as failure
       from jsonb_array_elements_text($1::text::jsonb) asked(id)
       join operations o on o.id = asked.id::uuid and o.ended_at is null
       join work w on w.operation_id = o.id and w.first_cause is not null
        and w.resource_id = coalesce(o.instance_id, o.host_id, o.container_repository_id)`,
    [JSON.stringify(operationIds)],
  );
  return new Map(rows.map(({ id, failure }) => [id, failure]));
}
