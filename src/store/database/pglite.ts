/** PGlite: PostgreSQL embedded in this process, with its files in a folder. */
import v8 from 'node:v8';
import { PGlite } from '@electric-sql/pglite';
import { drizzle as drizzlePglite } from 'drizzle-orm/pglite';
import { migrate as migratePglite } from 'drizzle-orm/pglite/migrator';
import { relations } from '../table/relations.ts';
import type { Database, Drizzle, Parameter } from './database.ts';
import { keepStatements } from './pglite-statements.ts';

/**
 * V8 optimizes a function of WebAssembly after it has executed about this many bytes; its default differs
 * between the versions of Node. With the low one of Node 20 the optimizing compiler takes a third of the
 * processor time of a start.
 */
v8.setFlagsFromString('--wasm-tiering-budget=30000000');

/**
 * A start writes to every page of the shared buffers. With the 128 MB that are the default a server has 150 MB
 * more of memory; what the buffers do not hold the system has in its cache.
 */
const startParams = [...PGlite.defaultStartParams, '-c', 'shared_buffers=32MB'];

/**
 * While WebAssembly is compiled, nothing keeps Node's event loop alive. If the loop runs empty, Node also waits
 * for the optimizing compiler, a tenth of a second or more. A timer keeps the loop alive meanwhile.
 */
async function createClient(folder: string | null): Promise<PGlite> {
  const keepLoop = setInterval(() => {}, 1000);
  try {
    return await PGlite.create({ startParams, ...(folder && { dataDir: folder }) });
  } finally {
    clearInterval(keepLoop);
  }
}

/**
 * Opens the embedded store.
 *
 * @param folder the data directory of PGlite; null keeps everything in memory (for tests)
 */
export async function openPglite(folder: string | null): Promise<Database> {
  const client = await createClient(folder);
  // One generic plan per statement: planning costs more than running. The plan may be made while a
  // table is empty and is kept when the table grows, so sequential scans are off.
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
