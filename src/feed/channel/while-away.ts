/** Reads that are repeated while the database cannot be reached. */
import { setTimeout as sleep } from 'node:timers/promises';
import { isConnectionError } from '../../store/database/sql-error.ts';
import { withDatabaseTimeout } from '../../store/database/time-limit.ts';
import { backOff } from '../../timing/back-off.ts';

/** A connection that was cut silently never answers, so reads are limited in time. */
const maxReadSeconds = 10;
const retryBackOffMs = { first: 50, max: 2000 };

/** Rejects if the database does not answer the read in time. */
export const inReadTime = <T>(read: Promise<T>): Promise<T> =>
  withDatabaseTimeout(maxReadSeconds, read);

/**
 * Repeats a read that fails because the database cannot be reached.
 *
 * @param isOver whether the result is no longer wanted: then the next failure is final
 * @throws any other error of the read, at once
 */
export async function readWhileAway<T>(read: () => Promise<T>, isOver: () => boolean): Promise<T> {
  for (let attempt = 0; ; attempt += 1) {
    try {
      return await read();
    } catch (error) {
      if (!isConnectionError(error) || isOver()) throw error;
    }
    await sleep(backOff(retryBackOffMs, attempt), undefined, { ref: false });
  }
}
