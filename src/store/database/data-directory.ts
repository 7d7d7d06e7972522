/**
 * DATA_DIR, the folder of the embedded store. PGlite does not lock its folder, and two processes on
 * one folder corrupt it. So the folder has one owner at a time. An empty folder where a store was
 * before stops the start: lost data must not look like a first run.
 *
 *   pglite/     the database
 *   store.json  the marker file: a store exists here, and its epoch
 *   secrets-key the keys of secrets (store/secret/key-file.ts)
 *   owner.<n>   the owner; the greatest n counts
 *   alive       touched every 2 s; while it is fresh, host agents keep running
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
  /**
   * The epochs in the marker file: none on the first run, two if a change of epoch was
   * interrupted.
   */
  readonly epochs: readonly string[];
  /** Writes the marker file: a store exists, with its epoch, or with both epochs while it changes. */
  writeMarker(epochs: readonly [epoch: string, next?: string]): Promise<void>;
  /**
   * Identifies this copy of the open database. It survives a restart and `mv`; every copy gets
   * another.
   */
  lineage(): Promise<string>;
  /** Releases the folder. */
  close(): Promise<void>;
}

const heartbeatIntervalSeconds = 2;
/**
 * An owner whose process is not visible from here is dead when it has not touched `alive` for this
 * long.
 */
const ownerTimeoutSeconds = 10;

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
        `DATA_DIR ${folder}: the marker file store.json says that a store exists here, but its data (${database}) is gone. Restore it; to begin anew, remove store.json.`,
      );
    }
    await touchHeartbeat(folder);
    const heartbeat = setInterval(() => {
      touchHeartbeat(folder).catch(() => {});
    }, heartbeatIntervalSeconds * 1000);
    heartbeat.unref();
    return {
      database,
      epochs,
      writeMarker: ([epoch, next]) =>
        replace(join(folder, 'store.json'), JSON.stringify({ format: 1, epoch, next })),
      lineage: () => lineageOf(database),
      async close() {
        clearInterval(heartbeat);
        await owned.release();
      },
    };
  } catch (error) {
    await owned.release();
    throw error;
  }
}

/** Touches `alive`. Host agents exit when it is stale. */
export async function touchHeartbeat(folder: string): Promise<void> {
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
 * Owner files are numbered and never removed by others. A process that finds the last owner dead
 * creates the file of the next number, which only one process can. So the file of a living owner is
 * never removed.
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
      // The previous file stays: a listing made while both change still finds one of them.
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
    // Removed meanwhile: the next listing finds a later one. Cut off by a power loss: it has no
    // owner.
    if (isCode(error, 'ENOENT') || error instanceof SyntaxError) return null;
    throw error;
  }
}

/** @throws CannotOpenStore where the owner lives */
async function expectGone(folder: string, owner: Owner | null): Promise<void> {
  if (owner === null || owner.released) return;
  let alive = isAlive(owner);
  const until = performance.now() + ownerTimeoutSeconds * 1000;
  while (alive === null && performance.now() < until) {
    if (!(await isHeartbeatFresh(folder))) alive = false;
    else await pause(250);
  }
  if (alive === false) return;
  throw new CannotOpenStore(
    `DATA_DIR ${folder} is in use by process ${owner.pid}: stop it, or give this one another DATA_DIR.`,
  );
}

async function isHeartbeatFresh(folder: string): Promise<boolean> {
  try {
    const { mtimeMs } = await stat(join(folder, 'alive'));
    return Date.now() - mtimeMs < (ownerTimeoutSeconds - heartbeatIntervalSeconds) * 1000;
  } catch {
    return false;
  }
}

/**
 * The inode and creation time of the control file: PostgreSQL writes it in place for the life of a
 * database, and every copy makes a new one. The device number is left out: it can change at a
 * reboot.
 */
async function lineageOf(database: string): Promise<string> {
  const file = join(database, 'global', 'pg_control');
  const { ino, birthtimeNs, ctimeNs } = await stat(file, { bigint: true });
  // A file system without creation times reports the last change instead.
  const made = birthtimeNs === ctimeNs ? '-' : birthtimeNs;
  return `folder/${ino}/${made}`;
}

async function markedEpochs(folder: string): Promise<string[]> {
  const file = join(folder, 'store.json');
  try {
    const marker = JSON.parse(await readFile(file, 'utf8')) as { epoch?: unknown; next?: unknown };
    const epochs = [marker.epoch, marker.next].filter((each) => typeof each === 'string');
    if (epochs.length > 0) return epochs;
  } catch (error) {
    if (isCode(error, 'ENOENT')) return [];
    if (!(error instanceof SyntaxError)) throw error;
  }
  throw new CannotOpenStore(
    `DATA_DIR ${folder}: the marker file store.json is damaged. Restore it, or remove it to begin anew where there is no data.`,
  );
}

/** Replaces a file atomically. */
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
