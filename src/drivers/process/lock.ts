/**
 * One server at a time acts on a host, and none that a later one has superseded. Node has no file
 * locks, but SQLite does: the kernel releases them when their owner dies.
 */
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { backOff } from '../../timing/back-off.ts';
import type { Call } from '../driver.ts';
import { aborted } from '../refusals.ts';
import { raiseFence } from './fence.ts';
import { makeFolder, safeName } from './files.ts';

const lockBackOffMs = { first: 5, max: 100 };

/**
 * Runs `work` while no other server acts on the host. Lock and fence lie outside the work folder of
 * the host and outlive it: a late `allocateHost` must not recreate what was released.
 * @throws DriverError FENCED if a greater token was seen; ABORTED if the call ends first
 */
export async function withHost<T>(
  options: { folder: string; hostId: string; call: Call },
  work: () => Promise<T>,
): Promise<T> {
  const { folder, hostId, call } = options;
  makeFolder(folder);
  const lock = await acquire(join(folder, `${safeName(hostId)}.lock`), call.signal);
  try {
    raiseFence(join(folder, `${hostId}.fence`), call.fencingToken, `host ${hostId}`);
    return await work();
  } finally {
    lock.close();
  }
}

async function acquire(path: string, signal: AbortSignal): Promise<{ close(): void }> {
  const { default: Database } = await import('libsql'); // Needed only where there are hosts.
  for (let failures = 0; ; failures += 1) {
    if (signal.aborted) throw aborted('Another server was acting on this host all the time.');
    const database = new Database(path, { timeout: 0 });
    try {
      database.exec('BEGIN EXCLUSIVE');
      return database;
    } catch (error) {
      database.close();
      const code = String((error as { code?: unknown }).code);
      if (!code.startsWith('SQLITE_BUSY') && !code.startsWith('SQLITE_LOCKED')) throw error;
    }
    await delay(backOff(lockBackOffMs, failures), undefined, { signal }).catch(() => undefined);
  }
}
