/**
 * The file of the keys of an embedded store whose server has no SECRETS_KEY: `secrets-key` in DATA_DIR, mode
 * 600, one key a line, the one that seals first. It has more than one line while the key is being rotated.
 */
import { randomUUID } from 'node:crypto';
import { chmod, link, open, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { isKeyText, newKey } from './keys.ts';

const fileIn = (folder: string): string => join(folder, 'secrets-key');

/** The keys in the file, the one that seals first; null: there is no file. */
export async function readKeyFile(folder: string): Promise<string[] | null> {
  const file = fileIn(folder);
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
  const keys = text.split('\n').filter((line) => line.trim() !== '');
  if (keys.length === 0 || !keys.every(isKeyText)) {
    throw Object.assign(
      new Error(`${file} holds no key: restore it. It opens the secrets in the store.`),
      { code: 'NO_SECRETS_KEY' },
    );
  }
  await chmod(file, 0o600);
  return keys;
}

/** Makes the file with a new key, where there is none. Returns the keys in the file. */
export async function makeKeyFile(folder: string): Promise<string[]> {
  const draft = await writeDraft(folder, [newKey()]);
  try {
    await link(draft, fileIn(folder)); // Fails where there is one.
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  } finally {
    await rm(draft, { force: true });
  }
  return (await readKeyFile(folder)) ?? [];
}

/** Replaces the file: after a crash it has either its old content or this one. */
export async function writeKeyFile(folder: string, keys: readonly string[]): Promise<void> {
  await rename(await writeDraft(folder, keys), fileIn(folder));
  const directory = await open(folder, 'r');
  await directory.sync().finally(() => directory.close());
}

async function writeDraft(folder: string, keys: readonly string[]): Promise<string> {
  const draft = `${fileIn(folder)}.${randomUUID()}`;
  const file = await open(draft, 'wx', 0o600);
  try {
    await file.writeFile(`${keys.join('\n')}\n`);
    await file.sync();
  } finally {
    await file.close();
  }
  return draft;
}
