/** Seals anew what is stored in clear or under another key: at each start, and when the key is rotated. */
import { asc, eq, inArray } from 'drizzle-orm';
import type { PgColumn, PgTable } from 'drizzle-orm/pg-core';
import type { Store } from './commit/store.ts';
import type { Database } from './database/database.ts';
import type { Transaction } from './input/caller.ts';
import { writeSettings } from './resource/secret-settings.ts';
import { passwordPlace } from './secret/container-repository.ts';
import { keyIdOf, SecretError, type SecretKeys, sealedPattern } from './secret/keys.ts';
import { providerPlace } from './secret/provider.ts';
import { resealedSettings } from './secret/settings.ts';
import { computeProviders, containerRepositories, instances } from './table/schema.ts';

/** Rows that one transaction locks. */
const batchRows = 200;

/** SQL: the id of the key that sealed `value`; null: it is in clear. */
const keyIdSql = (value: string): string =>
  `substring(${value}->>'sealed' from '${sealedPattern}')`;

interface Resealer {
  readonly keys: SecretKeys;
  isDue(keyId: string | null): boolean;
  /** `what` does not open. */
  onError(what: string, error: unknown): void;
}

/** A table with secrets. */
interface Source {
  /** SQL: each of its secrets, by the row that holds it and the key that sealed it. */
  readonly secrets: string;
  reseal(tx: Transaction, ids: readonly string[], resealer: Resealer): Promise<void>;
}

const sources: readonly Source[] = [
  {
    secrets: `select i.id, ${keyIdSql('s.value')} as key_id
                from instances i cross join lateral jsonb_each(i.settings) s
               where i.secret_settings <> '[]' and i.secret_settings ? s.key`,
    async reseal(tx, ids, { keys, isDue, onError }) {
      const { id, key, settings, secretSettings } = instances;
      const rows = await tx
        .select({ id, key, settings, secretSettings })
        .from(instances)
        .where(inArray(id, [...ids]))
        .orderBy(asc(id)) // As a commit locks instances.
        .for('no key update');
      const after = rows.map((row) => {
        const owner = { instanceId: row.id, keys };
        const failed = (name: string, error: unknown) =>
          onError(`settings.${name} of instance ${row.key}`, error);
        return { ...row, settings: resealedSettings(row, owner, { isDue, onError: failed }) };
      });
      await writeSettings(tx, after);
    },
  },
  sealedColumn(computeProviders, 'secrets', {
    ...{ name: 'compute_providers.secrets', place: providerPlace },
    what: 'credentials of compute provider',
  }),
  sealedColumn(containerRepositories, 'password', {
    ...{ name: 'container_repositories.password', place: passwordPlace },
    what: 'password of container repository',
  }),
];

/** A column that holds one secret of its row. `name`: in SQL, with its table. */
function sealedColumn<Table extends typeof computeProviders | typeof containerRepositories>(
  table: Table,
  column: keyof Table & string,
  { name, place, what }: { name: string; place(id: string): string; what: string },
): Source {
  const sealed = table[column] as unknown as PgColumn;
  return {
    secrets: `select id, ${keyIdSql(name)} as key_id from ${name.split('.')[0]}
               where ${name} is not null`,
    async reseal(tx, ids, { keys, isDue, onError }) {
      const rows = await tx
        .select({ id: table.id, key: table.key, sealed })
        .from(table as PgTable)
        .where(inArray(table.id, [...ids]))
        .orderBy(asc(table.id))
        .for('update');
      for (const { id, key, sealed: before } of rows) {
        if (before === null || !isDue(keyIdOf(before))) continue;
        try {
          const after = keys.seal(keys.open(before, place(id)), place(id));
          await tx
            .update(table as PgTable)
            .set({ [column]: after } as never)
            .where(eq(table.id, id));
        } catch (error) {
          onError(`${what} ${key}`, error);
        }
      }
    },
  };
}

/** The ids of the keys that sealed what is stored. */
export async function storedKeyIds(database: Database): Promise<string[]> {
  const all = sources.map(({ secrets }) => secrets).join(' union all ');
  const rows = await database.query<{ keyId: string }>(
    `select distinct key_id as "keyId" from (${all}) s where key_id is not null order by 1`,
  );
  return rows.map(({ keyId }) => keyId);
}

export interface Resealing {
  /** Rows that were due. */
  readonly rows: number;
  /** What does not open: `settings.token of instance greenhouse-1: …`. */
  readonly unreadable: readonly string[];
}

/**
 * Seals anew, in transactions of a few rows each, what is in clear and, with `otherKeys`, what another key
 * sealed. Cut off, it is continued by the next call: each value is whole under one key or the other.
 */
export async function resealSecrets(
  store: Store,
  { otherKeys }: { otherKeys: boolean },
): Promise<Resealing> {
  const { database, secretKeys: keys } = store;
  const unreadable: string[] = [];
  const resealer: Resealer = {
    keys,
    isDue: (keyId) => keyId === null || (otherKeys && keyId !== keys.id),
    onError(what, error) {
      if (!(error instanceof SecretError)) throw error;
      unreadable.push(`${what}: ${error.message}`);
    },
  };
  let rows = 0;
  for (const { secrets, reseal } of sources) {
    const due = await database.query<{ id: string }>(
      `select distinct id from (${secrets}) s
        where key_id is null or ($1::boolean and key_id <> $2) order by id`,
      [otherKeys, keys.id],
    );
    rows += due.length;
    for (let from = 0; from < due.length; from += batchRows) {
      const ids = due.slice(from, from + batchRows).map(({ id }) => id);
      await database.drizzle.transaction((tx) => reseal(tx, ids, resealer));
    }
  }
  return { rows, unreadable };
}
