/** PostgreSQL, through postgres.js. */
import { drizzle as drizzlePostgres } from 'drizzle-orm/postgres-js';
import { migrate as migratePostgres } from 'drizzle-orm/postgres-js/migrator';
import postgres from 'postgres';
import { backOff } from '../../timing/back-off.ts';
import { relations } from '../table/relations.ts';
import { CannotOpenStore } from './data-directory.ts';
import type { Database, Parameter } from './database.ts';

/** The digest of our patch of the driver (`patches/`); `apply.mjs` and a test compare them. */
export const patchDigest = 'c9782176deac';

/** @throws CannotOpenStore if the installed driver is not patched: one dead backend could end the process */
export function checkDriver(): void {
  const { patched } = postgres as unknown as { patched?: string };
  if (patched === patchDigest) return;
  throw new CannotOpenStore(
    'The installed package postgres lacks our patch, without which a connection that ends can end this process. Run: node src/store/database/patches/apply.mjs',
  );
}

/** Advisory lock that the migrations are run under; any constant will do. */
const migrationLock = 5_151_727_493;

const reconnectBackOffSeconds = { first: 0.05, max: 2 };

/**
 * Opens PostgreSQL.
 *
 * @param url `postgres://user:password@host:port/database`
 * @param options.connections how many for commits, and as many again for reads
 */
export function openPostgres(url: string, options: { connections: number }): Database {
  checkDriver();
  const common = {
    onnotice: () => {},
    connect_timeout: 10,
    backoff: (attempt: number) => backOff(reconnectBackOffSeconds, attempt),
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
