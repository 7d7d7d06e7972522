/** The time limit of a statement, for connections that were cut silently. */
import { withTimeLimit } from '../../timing/time-limit.ts';

/**
 * Rejects if the database takes longer: a statement on a silently cut connection stays open for
 * minutes.
 */
export function withDatabaseTimeout<T>(seconds: number, statement: Promise<T>): Promise<T> {
  return withTimeLimit(seconds * 1000, statement, () =>
    Object.assign(new Error(`The database has not answered for ${seconds} s.`), {
      code: 'DATABASE_TIMEOUT',
    }),
  );
}
