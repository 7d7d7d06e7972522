/**
 * DATA_DIR of the embedded store. PGlite has no lock of its own and two processes on one folder
 * corrupt it, so the folder has one owner at a time; and where a store was, an empty folder stops
 * the start: lost data must not look like a first run.
 *
 *   pglite/     the database
 *   store.json  the mark: a store exists here, and which
 *   owner.<n>   who has the folder; the greatest n counts
 *   alive       touched every 2 s: while it is fresh, the agents of hosts go on without a word
 */
import { randomUUID } from 'node:crypto';
import {
  chmod,
  link,
  mkdir,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { isAlive, ownIdentity, type ProcessIdentity } from './process-identity.ts';

/** The store cannot be opened; the message is one line for the operator. */
export class CannotOpenStore extends Error {
  override readonly name = 'CannotOpenStore';
}

export interface DataDirectory {
  /** The folder of the database. */
  readonly database: string;
  /** The epoch of the store that was here before; none on the first run, two where one was to follow. */
  readonly epochs: readonly string[];
  /** Marks that a store exists from now on: of this epoch, or one of two while it changes. */
  mark(epochs: readonly [epoch: string, next?: string]): Promise<void>;
  /** Which copy of the database this is, once it is open: a restart and `mv` keep it, no copy does. */
  lineage(): Promise<string>;
  /** Gives the folder back. */
  close(): Promise<void>;
}

const lifelineSeconds = 2;
/** An owner that cannot be seen from here is gone when its lifeline has been still for so long. */
const silentSeconds = 10;

/**
 * Takes the folder for this process.
 *
 * @throws CannotOpenStore where another process has it, or the data is gone
 */
export async function openDataDirectory(folder: string): Promise<DataDirectory> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await chmod(folder, 0o700);
  const owned = await take(folder);
  try {
    const database = join(folder, 'pglite');
    const epochs = await markedEpochs(folder);
    if (epochs.length > 0 && !(await exists(join(database, 'PG_VERSION')))) {
      throw new CannotOpenStore(
        `DATA_DIR ${folder}: the mark store.json says that a store exists here, but its data (${database}) is gone. Restore it; to begin anew, remove store.json.`,
      );
    }
    await touchLifeline(folder);
    const lifeline = setInterval(() => {
      touchLifeline(folder).catch(() => {});
    }, lifelineSeconds * 1000);
    lifeline.unref();
    return {
      database,
      epochs,
      mark: ([epoch, next]) =>
        replace(join(folder, 'store.json'), JSON.stringify({ format: 1, epoch, next })),
      lineage: () => lineageOf(database),
      async close() {
        clearInterval(lifeline);
        await owned.release();
      },
    };
  } catch (error) {
    await owned.release();
    throw error;
  }
}

/** Shows that the store of this folder is there. Host agents end themselves when it stays silent. */
export async function touchLifeline(folder: string): Promise<void> {
  const file = join(folder, 'alive');
  const now = new Date();
  try {
    await utimes(file, now, now);
  } catch {
    await writeFile(file, '', { mode: 0o600 });
  }
}

interface Owner extends ProcessIdentity {
  readonly released?: true;
}

/**
 * Owners are numbered and never taken away from: whoever finds the last one gone makes the next
 * number, which only one can. So nobody can ever remove the file of an owner that lives.
 */
async function take(folder: string): Promise<{ release(): Promise<void> }> {
  const own: Owner = ownIdentity();
  const draft = join(folder, `owner-${randomUUID()}`);
  const fileOf = (number: number) => join(folder, `owner.${number}`);
  await writeFile(draft, JSON.stringify(own), { mode: 0o600 });
  try {
    for (;;) {
      const numbers = await ownerNumbers(folder);
      const last = numbers.at(-1) ?? 0;
      if (last > 0) await expectGone(folder, await readOwner(fileOf(last)));
      const number = last + 1;
      try {
        await link(draft, fileOf(number));
      } catch (error) {
        if (isCode(error, 'EEXIST')) continue;
        throw error;
      }
      // The one before stays: a listing made while both change still finds one of them.
      for (const old of numbers) if (old < last) await rm(fileOf(old), { force: true });
      return {
        release: () => replace(fileOf(number), JSON.stringify({ ...own, released: true })),
      };
    }
  } finally {
    await rm(draft, { force: true });
  }
}

async function ownerNumbers(folder: string): Promise<number[]> {
  const names = await readdir(folder);
  return names
    .flatMap((name) => /^owner\.(\d{1,15})$/.exec(name)?.[1] ?? [])
    .map(Number)
    .sort((a, b) => a - b);
}

async function readOwner(file: string): Promise<Owner | null> {
  try {
    return JSON.parse(await readFile(file, 'utf8')) as Owner;
  } catch (error) {
    // Gone meanwhile: the next look finds a later one. Cut off by a loss of power: nobody's.
    if (isCode(error, 'ENOENT') || error instanceof SyntaxError) return null;
    throw error;
  }
}

/** @throws CannotOpenStore where the owner lives */
async function expectGone(folder: string, owner: Owner | null): Promise<void> {
  if (owner === null || owner.released) return;
  let alive = isAlive(owner);
  const until = performance.now() + silentSeconds * 1000;
  while (alive === null && performance.now() < until) {
    if (!(await isLifelineFresh(folder))) alive = false;
    else await pause(250);
  }
  if (alive === false) return;
  throw new CannotOpenStore(
    `DATA_DIR ${folder} is in use by process ${owner.pid}: stop it, or give this one another DATA_DIR.`,
  );
}

async function isLifelineFresh(folder: string): Promise<boolean> {
  try {
    const { mtimeMs } = await stat(join(folder, 'alive'));
    return Date.now() - mtimeMs < (silentSeconds - lifelineSeconds) * 1000;
  } catch {
    return false;
  }
}

/**
 * Postgres writes its control file in place as long as a database lives, and whatever copies it makes
 * a new one. Not its device: the number of a disk may be another after each boot.
 */
async function lineageOf(database: string): Promise<string> {
  const file = join(database, 'global', 'pg_control');
  const { ino, birthtimeNs, ctimeNs } = await stat(file, { bigint: true });
  // Where a file system does not know when a file was made, its last change stands there.
  const made = birthtimeNs === ctimeNs ? '-' : birthtimeNs;
  return `folder/${ino}/${made}`;
}

async function markedEpochs(folder: string): Promise<string[]> {
  const file = join(folder, 'store.json');
  try {
    const mark = JSON.parse(await readFile(file, 'utf8')) as { epoch?: unknown; next?: unknown };
    const epochs = [mark.epoch, mark.next].filter((each) => typeof each === 'string');
    if (epochs.length > 0) return epochs;
  } catch (error) {
    if (isCode(error, 'ENOENT')) return [];
    if (!(error instanceof SyntaxError)) throw error;
  }
  throw new CannotOpenStore(
    `DATA_DIR ${folder}: the mark store.json is damaged. Restore it, or remove it to begin anew where there is no data.`,
  );
}

/** Writes a file so that it is there whole or as it was. */
async function replace(file: string, text: string): Promise<void> {
  const draft = `${file}-${randomUUID()}`;
  await writeFile(draft, text, { mode: 0o600, flush: true });
  await rename(draft, file);
}

async function exists(file: string): Promise<boolean> {
  try {
    await stat(file);
    return true;
  } catch {
    return false;
  }
}

const isCode = (error: unknown, code: string): boolean =>
  error instanceof Error && 'code' in error && error.code === code;
