/**
 * The database under the store: PostgreSQL or PGlite, behind one interface. Only `postgres.ts` and
 * `pglite.ts` know how the two differ: prepared statements, row shapes, LISTEN.
 */
import type { PostgresJsDatabase } from 'drizzle-orm/postgres-js';
import type { relations } from '../table/relations.ts';

export type Parameter = string | number | boolean | null;
export type Drizzle = PostgresJsDatabase<typeof relations>;

/**
 * One connection of its own, opened by its first statement and never replaced, so that what belongs
 * to the session (an advisory lock) lives as long as it.
 */
export interface Session {
  query<R extends object>(text: string, parameters?: readonly Parameter[]): Promise<R[]>;
  /** Resolves when the connection has ended, for whatever reason. */
  readonly ended: Promise<void>;
  /** Ends it at once, without waiting for an answer. */
  close(): void;
}

export interface Queries {
  readonly kind: 'POSTGRES' | 'PGLITE';
  /** One statement, prepared where the store can; `json` columns parsed, `bigint` as number. */
  query<R extends object>(text: string, parameters?: readonly Parameter[]): Promise<R[]>;
}

export interface Database extends Queries {
  /** For reads, and for writes of configuration that no state machine guards. */
  readonly drizzle: Drizzle;
  /**
   * Opens a connection of its own, which may listen. Null on PGlite, which has only one connection.
   */
  readonly openSession: ((onNotify?: (payload: string) => void) => Session) | null;
  /** Runs the migrations of a folder, one process at a time. */
  migrate(folder: string): Promise<void>;
  close(): Promise<void>;
}
