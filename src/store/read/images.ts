/** What the tags of instances mean now, beside what their runs run. */
import type { Store } from '../commit/store.ts';

/**
 * By instance: whether its tag named another image, when it was last read from the registry, than the run of
 * the instance runs. Not in the map: that is not known, or the runtime comes with the server.
 */
export async function readUpdatesAvailable(
  store: Store,
  instanceIds: readonly string[],
): Promise<ReadonlyMap<string, boolean>> {
  const rows = await store.database.query<{ id: string; available: boolean }>(
    `select i.id, t.digest <> r.image_digest as available
       from jsonb_array_elements_text($1::text::jsonb) asked(id)
       join instances i on i.id = asked.id::uuid
       join runs r on r.id = i.run_id
       join hosts h on h.id = i.host_id and h.driver <> 'PROCESS'
       join container_repositories c on c.id = i.container_repository_id and c.image = r.image
       join container_tags t on t.repository_id = c.id and t.tag = i.container_tag
      where t.digest is not null and r.image_digest is not null`,
    [JSON.stringify(instanceIds)],
  );
  return new Map(rows.map(({ id, available }) => [id, available]));
}
