/** `npm run rotate-secrets`: seals every secret in the store with the first of the keys. */
import { type OpenStoreOptions, openStore } from './open.ts';
import { type Resealing, resealSecrets } from './reseal.ts';
import { readKeyFile, writeKeyFile } from './secret/key-file.ts';

/** The secrets cannot be rotated; the message is for the operator. */
export class CannotRotate extends Error {
  override readonly name = 'CannotRotate';
}

/**
 * Seals every secret with the first key. Without `secretsKeys` the embedded store gets a new key: it stands in
 * the file beside the old one before anything is sealed with it, and alone when everything is. A rotation that
 * was cut off is continued by the next one.
 *
 * @throws CannotRotate
 */
export async function rotateSecrets(
  options: OpenStoreOptions,
): Promise<Resealing & { readonly keyId: string }> {
  const { secretsKeys, databaseUrl, dataDir } = options;
  if (databaseUrl && !secretsKeys) {
    throw new CannotRotate(
      'Set SECRETS_KEY to the new key and the old one, with a comma between them: SECRETS_KEY=new,old npm run rotate-secrets.',
    );
  }
  const store = await openStore({ ...options, rotatesKeyFile: true });
  try {
    const { id: keyId } = store.secretKeys;
    if (keyId === null) throw new Error('The store was opened without a key.');
    const resealing = await resealSecrets(store, { otherKeys: true });
    const ofFile =
      secretsKeys || resealing.unreadable.length > 0 ? null : await readKeyFile(dataDir);
    if (ofFile) await writeKeyFile(dataDir, ofFile.slice(0, 1));
    return { ...resealing, keyId };
  } finally {
    await store.close();
  }
}
