/** The tag that an update names. */
import type { Store } from '../commit/store.ts';

/** Why an instance cannot be updated to a tag: its container repository has none of that name. */
export async function missingTag(
  store: Store,
  instanceId: string,
  tag: string,
): Promise<{ readonly repository: string; readonly tags: readonly string[] } | null> {
  const [row] = await store.database.query<{ repository: string; tags: string[]; has: boolean }>(
    `select c.key as repository,
            exists (select from container_tags t where t.repository_id = c.id and t.tag = $2) as has,
            array(select t.tag from container_tags t where t.repository_id = c.id
                   order by coalesce(t.image_created_at, t.created_at) desc, t.tag limit 5) as tags
       from instances i join container_repositories c on c.id = i.container_repository_id
      where i.id = $1::uuid`,
    [instanceId, tag],
  );
  return !row || row.has ? null : row;
}
