/** SQLite files in the work folder, for what stays on the host. */
import { join } from 'node:path';
import Database from 'libsql';

/**
 * Opens or creates one. It survives a kill of the process; a loss of power may lose the last
 * writes.
 */
export function openSqlite(folder: string, name: string, table: string): Database.Database {
  const database = new Database(join(folder, name));
  database.pragma('journal_mode = WAL');
  database.pragma('synchronous = NORMAL');
  database.pragma('busy_timeout = 2000');
  database.exec(table);
  return database;
}
