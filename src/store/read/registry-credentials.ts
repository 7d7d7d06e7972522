/** Who the registry of an image is asked as. */
import { imageName } from '../../lifecycle/image-name.ts';
import type { Store } from '../commit/store.ts';
import { openCredentials, type RegistryCredentials } from '../secret/container-repository.ts';
import type { Sealed } from '../secret/keys.ts';

/**
 * The credentials of a container repository; null: it has none, or its image is in another registry than
 * this one. @throws SecretError where the password does not open
 */
export async function registryCredentials(
  { database, secretKeys }: Store,
  { repositoryId, image }: { readonly repositoryId: string; readonly image: string },
): Promise<RegistryCredentials | null> {
  const [row] = await database.query<{
    id: string;
    image: string;
    username: string | null;
    password: Sealed | null;
  }>('select id, image, username, password from container_repositories where id = $1::uuid', [
    repositoryId,
  ]);
  if (!row || imageName(row.image).registry !== imageName(image).registry) return null;
  return openCredentials(secretKeys, row);
}
