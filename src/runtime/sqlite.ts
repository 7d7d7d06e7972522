/** SQLite files of the work folder, for what stays on the host. */
import { join } from 'node:path';
import Database from 'libsql';

/** Opens or makes one. Survives a kill of the process; a loss of power may cost the last writes. */
export function openSqlite(folder: string, name: string, table: string): Database.Database {
  const database = new Database(join(folder, name));
  database.pragma('journal_mode = WAL');
  database.pragma('synchronous = NORMAL');
  database.pragma('busy_timeout = 2000');
  database.exec(table);
  return database;
}
