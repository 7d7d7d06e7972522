/** Commits a state change in one statement: all of it, or nothing. */
import type { Change } from '../../lifecycle/change.ts';
import type { Database } from '../database/database.ts';
import { isConnectionError, sqlState } from '../database/sql-error.ts';
import type { PublishTarget } from '../log/notifier.ts';
import type { CommitOptions, WrittenRows } from './options.ts';
import { commitStatement } from './statement.ts';

export interface Written {
  /** The revision of the log, or null where the change had no row. */
  readonly revision: number | null;
  readonly at: Date;
  /** Null unless `returning` was set and an operation began. */
  readonly rows: WrittenRows | null;
  /** The commit published its rows to the other nodes. */
  readonly published: boolean;
}

/** Nothing was written: what the decision had read has changed since, or the work item is lost. */
export interface Lost {
  readonly lost: true;
  /** The error of PostgreSQL, if it refused the statement. */
  readonly cause: unknown;
}

/** SQLSTATE values of a lost race: foreign key, unique index, check constraint, deadlock. */
const races = ['23503', '23505', '23514', '40001', '40P01', '23P01'];

/**
 * Commits a change. After a lost race nothing is written, and the caller reads and decides again.
 */
export async function commitChange(
  database: Database,
  change: Change,
  options: CommitOptions,
): Promise<Written | Lost> {
  const { notifier } = options;
  const publishTo = notifier?.commitBegun() ?? null;
  try {
    return await commitPublishing(database, change, { ...options, publishTo });
  } catch (error) {
    if (races.includes(sqlState(error) ?? '')) return { lost: true, cause: error };
    // Nothing was written, possibly because of the NOTIFY: its queue is full or its lock timed out.
    if (!publishTo || !sqlState(error) || isConnectionError(error)) throw error;
  } finally {
    notifier?.commitEnded();
  }
  const written = await commitChange(database, change, { ...options, notifier: null });
  notifier?.publishRefused();
  return written;
}

async function commitPublishing(
  database: Database,
  change: Change,
  options: CommitOptions & { publishTo: PublishTarget | null },
): Promise<Written | Lost> {
  const { text, parameters, rowsOf, publishes } = commitStatement(change, options);
  const [row] = await database.query<{ at: Date; revision: number | null }>(text, parameters);
  if (!row) return { lost: true, cause: null };
  return { at: row.at, revision: row.revision, rows: rowsOf(row), published: publishes };
}
