/**
 * Embedded stores of a test's own: copies of the template, in a folder of the run that goes with it. To open
 * one takes a second of processor time: a store that is closed is emptied, and the next test gets it.
 */
import { mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import { inject } from 'vitest';
import type { Database } from '../../src/store/database/database.ts';
import { openPglite } from '../../src/store/database/pglite.ts';
import { copyTemplate } from '../../src/store/database/template.ts';

interface Kept {
  readonly database: Database;
  /** As it was opened: a store whose schema, functions or settings a test changed is not used again. */
  readonly schema: string;
}

/** Empty stores that are open in this process. */
const free: Kept[] = [];

/** Opens a migrated, empty database. */
export async function openTestPglite(): Promise<Database> {
  const kept = free.pop() ?? (await open());
  let isOpen = true;
  const own = (): Database => {
    if (!isOpen) throw new Error('The store of this test is closed.');
    return kept.database;
  };
  return {
    kind: 'PGLITE',
    openSession: null,
    get drizzle() {
      return own().drizzle;
    },
    query: async (text, parameters) => own().query(text, parameters),
    migrate: async (folder) => own().migrate(folder),
    async close() {
      if (!isOpen) return;
      isOpen = false;
      if (await empty(kept)) free.push(kept);
      else await kept.database.close();
    },
  };
}

async function open(): Promise<Kept> {
  const folder = join(mkdtempSync(join(inject('runFolder'), 'store-')), 'pglite');
  copyTemplate(folder);
  const database = await openPglite(folder);
  return { database, schema: await schemaOf(database) };
}

async function schemaOf(database: Database): Promise<string> {
  const catalogs = ['pg_class', 'pg_attribute', 'pg_proc', 'pg_constraint', 'pg_trigger'];
  const counts = catalogs.map((catalog) => `(select count(*) from ${catalog})`);
  const [row] = await database.query<{ schema: string }>(
    `select concat_ws(' ', ${counts.join(', ')},
       (select md5(string_agg(prosrc, ' ' order by oid)) from pg_proc
         where pronamespace = 'public'::regnamespace),
       (select string_agg(name || '=' || setting, ' ' order by name) from pg_settings
         where source = 'session')) as schema`,
  );
  return row?.schema ?? '';
}

/** Removes all rows and sets sequences back. False: a test changed more than rows. */
async function empty({ database, schema }: Kept): Promise<boolean> {
  if ((await schemaOf(database)) !== schema) return false;
  await database.query(emptying);
  return true;
}

const emptying = /* sql */ `
do $$
declare
  name text;
  has_rows boolean;
begin
  for name in select format('%I', tablename) from pg_tables where schemaname = 'public' loop
    execute format('select exists (select from %s)', name) into has_rows;
    if has_rows then execute format('truncate %s cascade', name); end if;
  end loop;
  perform setval(format('%I', sequencename)::regclass, start_value, false)
     from pg_sequences where schemaname = 'public';
end $$`;
