/** Opens the store: database, migrations, edges, identity, and the first organization. */
import { randomBytes, randomUUID } from 'node:crypto';
import { readdirSync } from 'node:fs';
import type { Deadlines } from '../lifecycle/change.ts';
import { hostEdges } from '../lifecycle/host.ts';
import { instanceEdges } from '../lifecycle/instance.ts';
import { ensureDefaultOrganization } from './access-keys.ts';
import { createStore } from './commit/store.ts';
import { CannotOpenStore, openDataDirectory } from './database/data-directory.ts';
import type { Database } from './database/database.ts';
import { type MaintenanceLog, startMaintenance } from './database/maintenance.ts';
import { openPglite } from './database/pglite.ts';
import { openPostgres } from './database/postgres.ts';
import { sqlState } from './database/sql-error.ts';
import { copyTemplate, migrations } from './database/template.ts';
import type { ResourceStore } from './input/caller.ts';
import { ensureEmbeddedEpoch, ensureEpoch } from './log/epoch.ts';
import { type Retention, startRetention } from './log/retention.ts';
import { explainConnection } from './open-errors.ts';
import { resealSecrets, storedKeyIds } from './reseal.ts';
import { makeKeyFile, readKeyFile, writeKeyFile } from './secret/key-file.ts';
import { newKey, type SecretKeys, secretKeys } from './secret/keys.ts';

export interface OpenStoreOptions {
  /** PostgreSQL; if absent, the embedded store in `dataDir`. */
  readonly databaseUrl?: string | undefined;
  readonly dataDir: string;
  /** Connections for commits, and as many again for reads. */
  readonly connections: number;
  readonly deadlines: Deadlines;
  readonly dnsZone: string;
  readonly publicUrl?: string | undefined;
  /** Retention of the log in days; if absent, nothing is deleted. */
  readonly transitionRetentionDays?: number | undefined;
  /** Keys of secrets, the one that seals first; if absent, the embedded store has a file of its own. */
  readonly secretsKeys?: readonly string[] | undefined;
  /** The file of keys gets a new one first, unless it has been left with two. */
  readonly rotatesKeyFile?: boolean;
  readonly log: MaintenanceLog;
}

export interface OpenStore extends ResourceStore {
  /** The organization that the first start created. */
  readonly defaultOrganizationId: string;
  /** Was nothing ever created in it? Only then is sample data created. */
  readonly isEmpty: boolean;
  close(): Promise<void>;
}

/** The oldest PostgreSQL that works. */
const oldestServerVersion = 150_000;

/**
 * Opens the store and migrates it.
 *
 * @throws CannotOpenStore with one line for the operator
 */
export async function openStore(options: OpenStoreOptions): Promise<OpenStore> {
  return options.databaseUrl
    ? openServer(options, options.databaseUrl)
    : openEmbedded(options, options.dataDir);
}

async function openServer(options: OpenStoreOptions, url: string): Promise<OpenStore> {
  if (!URL.canParse(url)) {
    throw new CannotOpenStore(
      'DATABASE_URL is no address: give postgres://user:password@host:port/database.',
    );
  }
  const database = openPostgres(url, options);
  try {
    const [server] = await database.query<Server>(
      `select current_setting('server_version_num')::int as number,
              current_setting('server_version') as version,
              current_setting('server_encoding') as encoding,
              current_setting('synchronous_commit') as commit`,
    );
    if (server && server.number < oldestServerVersion) {
      throw new CannotOpenStore(
        `DATABASE_URL: the server is PostgreSQL ${server.version}; 15 or newer is needed.`,
      );
    }
    if (server && server.encoding !== 'UTF8') {
      throw new CannotOpenStore(
        `DATABASE_URL: the database has the encoding ${server.encoding}; UTF8 is needed. Create it with CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0.`,
      );
    }
    if (server?.commit === 'off') {
      throw new CannotOpenStore(
        'DATABASE_URL: synchronous_commit is off there, so a crash would lose what was reported as committed. Set it on, with ALTER DATABASE or ALTER ROLE … SET synchronous_commit = on.',
      );
    }
    let retention: Retention | null = null;
    const keys = secretKeys(options.secretsKeys ?? []);
    const store = await setUpStore(database, options, {
      keysOf: async () => keys,
      async close() {
        await retention?.stop();
        await database.close();
      },
    });
    await warnOfMissingKeys(store, options);
    if (await ensureEpoch(database)) {
      options.log.warn(
        'DATABASE_URL: the store is not where it was last opened: it was restored, or another server took over. It may be older than it was: cursors of the feed from before are invalid now.',
      );
    }
    retention = retain(database, options);
    return store;
  } catch (error) {
    await database.close();
    throw explainConnection(error, url);
  }
}

interface Server {
  readonly number: number;
  readonly version: string;
  readonly encoding: string;
  readonly commit: string;
}

async function openEmbedded(options: OpenStoreOptions, folder: string): Promise<OpenStore> {
  const directory = await openDataDirectory(folder);
  const closers = [() => directory.close()];
  const close = async () => {
    for (const closer of closers.splice(0).reverse()) await closer();
  };
  try {
    const database = await openFolder(directory.database, directory.epochs.length === 0);
    closers.push(() => database.close());
    const keysOf = () => embeddedKeys(database, folder, options);
    const store = await setUpStore(database, options, { keysOf, close });
    await warnOfMissingKeys(store, options);
    const maintenance = startMaintenance(database, options.log);
    closers.push(() => maintenance.stop());
    const settled = await ensureEmbeddedEpoch(database, directory);
    if (settled === 'ANOTHER') {
      throw new CannotOpenStore(
        `DATA_DIR ${folder}: the data in pglite/ is of another store than the one that store.json names. Restore the right one; to continue with this one, remove store.json.`,
      );
    }
    if (settled === 'RENEWED') {
      options.log.warn(
        `DATA_DIR ${folder}: the store is a copy, or its marker file store.json was removed. It may be older than it was: cursors of the feed from before are invalid now.`,
      );
    }
    const retention = retain(database, options);
    if (retention) closers.push(() => retention.stop());
    return store;
  } catch (error) {
    await close();
    throw error;
  }
}

function retain(
  database: Database,
  { transitionRetentionDays: days, log }: OpenStoreOptions,
): Retention | null {
  return days === undefined
    ? null
    : startRetention(database, { days, warn: (text) => log.warn(text) });
}

async function openFolder(folder: string, isNew: boolean): Promise<Database> {
  try {
    if (isNew) copyTemplate(folder);
    return await openPglite(folder);
  } catch (error) {
    throw new CannotOpenStore(
      `The embedded store in ${folder} does not open: ${String(error)}. Restore it; where a first start was cut off, remove that folder.`,
      { cause: error },
    );
  }
}

/** Migrates an open database and creates the store on it. */
export async function setUpStore(
  database: Database,
  options: Pick<OpenStoreOptions, 'deadlines' | 'dnsZone' | 'publicUrl'>,
  {
    keysOf = async () => secretKeys([]),
    close,
  }: {
    /** The keys of secrets; called when the database is migrated. */
    keysOf?: () => Promise<SecretKeys>;
    close(): Promise<void>;
  },
): Promise<OpenStore> {
  if (await isOutdated(database)) await database.migrate(migrations);
  await fillEdges(database, 'instance', instanceEdges);
  await fillEdges(database, 'host', hostEdges);
  await database.query(
    `insert into store_identity (id, epoch, cursor_secret) values (1, $1::uuid, $2)
     on conflict (id) do nothing`,
    [randomUUID(), randomBytes(32).toString('hex')],
  );
  const defaultOrganizationId = await ensureDefaultOrganization(database);
  const [first] = await database.query<{ empty: boolean }>(
    `select not exists (select from solutions) and not exists (select from hosts)
              and not exists (select from log) as empty`,
  );
  const store = createStore(database, options.deadlines, await keysOf());
  if (store.secretKeys.id !== null) await resealSecrets(store, { otherKeys: false });
  return Object.assign(store, {
    dnsZone: options.dnsZone,
    publicUrl: options.publicUrl ?? null,
    defaultOrganizationId,
    isEmpty: first?.empty ?? false,
    close,
  });
}

/** The keys of an embedded store: those that are set, else those in its file, which its first start makes. */
async function embeddedKeys(
  database: Database,
  folder: string,
  { secretsKeys, rotatesKeyFile }: OpenStoreOptions,
): Promise<SecretKeys> {
  if (secretsKeys) return secretKeys(secretsKeys);
  const found = await readKeyFile(folder);
  if (found) {
    const keys = rotatesKeyFile && found.length === 1 ? [newKey(), ...found] : found;
    if (keys !== found) await writeKeyFile(folder, keys);
    return secretKeys(keys);
  }
  const ids = await storedKeyIds(database);
  if (ids.length === 0) return secretKeys(await makeKeyFile(folder));
  throw new CannotOpenStore(
    `DATA_DIR ${folder}: the file secrets-key is gone. It had the key ${ids.join(' and ')}, which opens the secrets in the store: restore it. If it is lost, set SECRETS_KEY to a new key, and then set each secret anew.`,
  );
}

async function warnOfMissingKeys(
  { database, secretKeys: { ids } }: OpenStore,
  { log }: OpenStoreOptions,
): Promise<void> {
  const missing = (await storedKeyIds(database)).filter((id) => !ids.includes(id));
  if (missing.length === 0) return;
  log.warn(
    `SECRETS_KEY lacks the key ${missing.join(' and ')}, which sealed secrets in the store: what needs them will fail. Add that key behind a comma, or set those secrets anew.`,
  );
}

/** The number of applied migrations, which is the version of the tables. */
export async function appliedMigrations(database: Database): Promise<number> {
  const [row] = await database.query<{ n: number }>(
    'select count(*)::int as n from drizzle.__drizzle_migrations',
  );
  return row?.n ?? 0;
}

/**
 * Does the database lack migrations?
 *
 * @throws CannotOpenStore where it has migrations that this version does not know
 */
async function isOutdated(database: Database): Promise<boolean> {
  const known = new Set(readdirSync(migrations));
  let applied: { name: string }[] = [];
  try {
    applied = await database.query('select name from drizzle.__drizzle_migrations order by id');
  } catch (error) {
    // No such table or schema: an empty database.
    if (!['42P01', '3F000'].includes(sqlState(error) ?? '')) throw error;
  }
  const unknown = applied.filter(({ name }) => !known.has(name));
  if (unknown.length === 0) return applied.length < known.size;
  throw new CannotOpenStore(
    `The database is newer than this version of Instance Manager: it has the migration ${unknown.at(-1)?.name}, which is unknown here. Start the newer version, or restore a backup from before.`,
  );
}

/**
 * Fills the tables of edges from `lifecycle/`. An old edge that a row of the log refers to stays.
 */
async function fillEdges(
  database: Database,
  resource: 'instance' | 'host',
  edges: readonly { from: string; to: string }[],
): Promise<void> {
  const pairs = JSON.stringify(edges);
  const given = `select (e->>'from')::${resource}_state, (e->>'to')::${resource}_state
                   from jsonb_array_elements($1::text::jsonb) e`;
  await database.query(
    `insert into ${resource}_edges (from_state, to_state) ${given} on conflict do nothing`,
    [pairs],
  );
  const illegal = await database.query<{ from: string; to: string }>(
    `select from_state as "from", to_state as "to" from ${resource}_edges
     except ${given}`,
    [pairs],
  );
  for (const { from, to } of illegal) {
    try {
      await database.query(
        `delete from ${resource}_edges
          where from_state = $1::${resource}_state and to_state = $2::${resource}_state`,
        [from, to],
      );
    } catch (error) {
      if (sqlState(error) !== '23503') throw error;
    }
  }
}
