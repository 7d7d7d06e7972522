/**
 * The database under the store: PostgreSQL through postgres.js, or PGlite embedded in a folder. Only
 * this file knows how the two differ: prepared statements, row shapes, error fields, LISTEN.
 */
import { PGlite } from '@electric-sql/pglite';
import { drizzle as drizzlePglite } from 'drizzle-orm/pglite';
import { migrate as migratePglite } from 'drizzle-orm/pglite/migrator';
import { drizzle as drizzlePostgres, type PostgresJsDatabase } from 'drizzle-orm/postgres-js';
import { migrate as migratePostgres } from 'drizzle-orm/postgres-js/migrator';
import postgres from 'postgres';
import { relations } from '../table/relations.ts';
import { keepStatements } from './pglite-statements.ts';

export type Parameter = string | number | boolean | null;
export type Drizzle = PostgresJsDatabase<typeof relations>;

/**
 * One connection, opened by its first statement, shared with nobody and never replaced: what belongs
 * to its session, as an advisory lock does, lives as long as it.
 */
export interface Session {
  query<R extends object>(text: string, parameters?: readonly Parameter[]): Promise<R[]>;
  /** Resolves when the connection has ended, whoever ended it. */
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
   * Opens a connection of one's own, which may listen. PGlite has only one connection: none can be had.
   */
  readonly openSession: ((onNotify?: (payload: string) => void) => Session) | null;
  /** Runs the migrations of a folder, one process at a time. */
  migrate(folder: string): Promise<void>;
  close(): Promise<void>;
}

/** SQLSTATE of a database error of either store, or null for any other error. */
export function sqlState(error: unknown): string | null {
  for (let at = error; at instanceof Error; at = at.cause) {
    // With a digit: EPIPE is an error of the system.
    if ('code' in at && typeof at.code === 'string' && /^(?=.*\d)[0-9A-Z]{5}$/.test(at.code))
      return at.code;
  }
  return null;
}

/** Name of the constraint that a database error names, or null. */
export function violatedConstraint(error: unknown): string | null {
  for (let at = error; at instanceof Error; at = at.cause) {
    if ('constraint_name' in at && typeof at.constraint_name === 'string')
      return at.constraint_name;
    if ('constraint' in at && typeof at.constraint === 'string') return at.constraint;
  }
  return null;
}

/** Codes of postgres.js, of sockets and of name lookups. */
const lostConnection =
  /^(CONNECTION_|CONNECT_TIMEOUT|ECONN|EPIPE|ETIMEDOUT|EHOST|ENET|EAI_|ENOTFOUND|ENOENT|ERR_STREAM_|ERR_SOCKET_)/;

/** Did the connection fail, rather than the statement? Then it may or may not have committed. */
export function isConnectionError(error: unknown): boolean {
  const state = sqlState(error);
  if (state) return state.startsWith('08') || state.startsWith('57P') || state === '53300';
  for (let at = error; at instanceof Error; at = at.cause) {
    if ('code' in at && typeof at.code === 'string' && lostConnection.test(at.code)) {
      return true;
    }
  }
  return false;
}

/** Advisory lock that the migrations are run under; any constant will do. */
const migrationLock = 5_151_727_493;

/**
 * Opens PostgreSQL.
 *
 * @param url `postgres://user:password@host:port/database`
 * @param options.connections how many for commits, and as many again for reads
 */
export function openPostgres(url: string, options: { connections: number }): Database {
  const common = {
    onnotice: () => {},
    connect_timeout: 10,
    backoff: (attempt: number) => Math.min(2, 0.05 * 2 ** attempt),
    connection: { application_name: 'instance-manager' },
  };
  const types = {
    bigint: {
      to: 20,
      from: [20],
      serialize: (value: number) => String(value),
      parse: (value: string) => Number(value),
    },
  };
  const writes = postgres(url, { ...common, max: options.connections, types });
  const reads = postgres(url, { ...common, max: options.connections });
  return {
    kind: 'POSTGRES',
    drizzle: drizzlePostgres({ client: prepared(reads), relations }),
    async query<R extends object>(text: string, parameters: readonly Parameter[] = []) {
      const rows = await writes.unsafe(text, [...parameters], { prepare: true });
      return [...rows] as unknown as R[];
    },
    openSession(onNotify) {
      let end = (): void => undefined;
      const ended = new Promise<void>((resolve) => {
        end = resolve;
      });
      let isOver = false;
      const close = (): void => {
        isOver = true;
        end();
        void client.end({ timeout: 0 }).catch(() => undefined);
      };
      const client = postgres(url, {
        ...common,
        types,
        max: 1,
        connect_timeout: 2,
        fetch_types: false,
        idle_timeout: 0,
        max_lifetime: null,
        onclose: close,
        ...(onNotify && { onnotify: (_channel: string, payload: string) => onNotify(payload) }),
      });
      return {
        ended,
        close,
        async query<R extends object>(text: string, parameters: readonly Parameter[] = []) {
          if (isOver)
            throw Object.assign(new Error('The session is over.'), { code: 'CONNECTION_ENDED' });
          const rows = await client.unsafe(text, [...parameters], { prepare: true });
          return [...rows] as unknown as R[];
        },
      };
    },
    async migrate(folder) {
      const client = postgres(url, { ...common, max: 1 });
      try {
        await client`select pg_advisory_lock(${migrationLock})`;
        await migratePostgres(drizzlePostgres({ client }), { migrationsFolder: folder });
      } finally {
        await client.end({ timeout: 5 });
      }
    },
    async close() {
      await Promise.all([writes, reads].map((client) => client.end({ timeout: 3 })));
    },
  };
}

/** Drizzle sends its statements unprepared; preparing them is worth a third of their time. */
function prepared(client: ReturnType<typeof postgres>): ReturnType<typeof postgres> {
  const unsafe = client.unsafe.bind(client);
  client.unsafe = ((text: string, parameters: never[] = [], options = {}) =>
    unsafe(text, parameters, { ...options, prepare: true })) as typeof client.unsafe;
  return client;
}

/**
 * Opens the embedded store.
 *
 * @param folder the data directory of PGlite; null keeps everything in memory (for tests)
 */
export async function openPglite(folder: string | null): Promise<Database> {
  const client = await PGlite.create(folder ? { dataDir: folder } : {});
  // One plan for a statement, whatever its parameters: planning costs more than running. It may be made
  // while a table is empty, and is kept when that has grown: it must not scan all of it.
  await client.exec('set plan_cache_mode = force_generic_plan; set enable_seqscan = off');
  const drizzle = drizzlePglite({ client, relations });
  const statements = keepStatements(client);
  return {
    kind: 'PGLITE',
    drizzle: drizzle as unknown as Drizzle,
    query<R extends object>(text: string, parameters: readonly Parameter[] = []) {
      return statements.query<R>(text, parameters);
    },
    openSession: null,
    async migrate(migrations) {
      await migratePglite(drizzle, { migrationsFolder: migrations });
      await statements.clear();
    },
    async close() {
      await statements.settled();
      await client.close();
    },
  };
}
