/** Reads that wait for a database that is away, rather than to fail for it. */
import { setTimeout as sleep } from 'node:timers/promises';
import { isConnectionError } from '../../store/database/sql-error.ts';
import { within } from '../../store/database/time-limit.ts';
import { backOff } from '../../timing/back-off.ts';

/** A connection that was cut without a word answers never. */
const READ_SECONDS = 10;
const retryBackOffMs = { first: 50, max: 2000 };

/** A read that the database has to answer in time. */
export const answered = <T>(read: Promise<T>): Promise<T> => within(READ_SECONDS, read);

/**
 * Reads again while the database is away.
 *
 * @param isOver nobody wants it any more: the next failure is final
 * @throws what the statement itself fails with, at once
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
