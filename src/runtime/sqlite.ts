/**
 * SQLite files in the work folder, for the values of devices. libsql is loaded with the first one,
 * because it takes 7 MB of memory.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type Database from 'libsql';

export type SqliteDatabase = Database.Database;

/** Has an earlier run created one of this name? */
export const hasSqlite = (folder: string, name: string): boolean => existsSync(join(folder, name));

/**
 * Opens or creates one. It survives a kill of the process; a loss of power may lose the last
 * writes.
 */
export async function openSqlite(
  folder: string,
  name: string,
  table: string,
): Promise<SqliteDatabase> {
  const { default: Sqlite } = await import('libsql');
  const database = new Sqlite(join(folder, name));
  try {
    database.pragma('journal_mode = WAL');
    database.pragma('synchronous = NORMAL');
    database.pragma('busy_timeout = 2000');
    database.exec(table);
  } catch (error) {
    database.close();
    throw error;
  }
  return database;
}
