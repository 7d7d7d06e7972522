/** The image of an instance, as a driver pulls it. */
import { type ContainerImage, DriverError } from '../drivers/driver.ts';
import { defaultImage } from '../lifecycle/compute.ts';
import type { Store } from '../store/commit/store.ts';
import { registryCredentials } from '../store/read/registry-credentials.ts';
import { SecretError } from '../store/secret/keys.ts';

/** An image as the store has it. Each is null for the App edition, which has the runtime alone. */
export interface StoredImage {
  readonly repositoryId: string | null;
  readonly repository: string | null;
  readonly image: string | null;
  readonly tag: string | null;
  /** What the tag meant before, which is run whatever it means now. */
  readonly digest?: string | null;
}

/**
 * The same with what its registry asks for.
 * @throws DriverError, not retryable: the password of the registry does not open
 */
export async function containerImage(
  store: Store,
  { repositoryId, repository, image, tag, digest }: StoredImage,
): Promise<ContainerImage> {
  if (!repositoryId || !repository || !image || !tag) return defaultImage;
  try {
    const credentials = await registryCredentials(store, { repositoryId, image });
    return {
      ...{ repository, image, tag },
      ...(digest && { digest }),
      ...(credentials && { credentials }),
    };
  } catch (error) {
    if (!(error instanceof SecretError)) throw error;
    const message = `The password of the container repository ${repository} cannot be read. ${error.message}`;
    throw new DriverError(error.code, message, { retryable: false, cause: error });
  }
}
