/** Seals anew what is stored in clear or under another key: at each start, and when the key is rotated. */
import { asc, inArray } from 'drizzle-orm';
import type { Store } from './commit/store.ts';
import type { Database } from './database/database.ts';
import type { Transaction } from './input/caller.ts';
import { writeSettings } from './resource/secret-settings.ts';
import { SecretError, type SecretKeys, sealedPattern } from './secret/keys.ts';
import { resealedSettings } from './secret/settings.ts';
import { instances } from './table/schema.ts';

/** Rows that one transaction locks. */
const batchRows = 200;

/** SQL: the id of the key that sealed `value`; null: it is in clear. */
const keyIdSql = (value: string): string =>
  `substring(${value}->>'sealed' from '${sealedPattern}')`;

/** SQL: each secret in the store, with the row that holds it. */
const secretsSql = `
  select i.id, ${keyIdSql('s.value')} as key_id
    from instances i cross join lateral jsonb_each(i.settings) s
   where i.secret_settings <> '[]' and i.secret_settings ? s.key`;

/** The ids of the keys that sealed what is stored. */
export async function storedKeyIds(database: Database): Promise<string[]> {
  const rows = await database.query<{ keyId: string }>(
    `select distinct key_id as "keyId" from (${secretsSql}) s where key_id is not null order by 1`,
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
  const isDue = (keyId: string | null) => keyId === null || (otherKeys && keyId !== keys.id);
  const due = await database.query<{ id: string }>(
    `select distinct id from (${secretsSql}) s
      where key_id is null or ($1::boolean and key_id <> $2) order by id`,
    [otherKeys, keys.id],
  );
  const unreadable: string[] = [];
  for (let from = 0; from < due.length; from += batchRows) {
    const ids = due.slice(from, from + batchRows).map(({ id }) => id);
    const faults = await database.drizzle.transaction((tx) =>
      resealBatch(tx, ids, { keys, isDue }),
    );
    unreadable.push(...faults);
  }
  return { rows: due.length, unreadable };
}

async function resealBatch(
  tx: Transaction,
  ids: readonly string[],
  { keys, isDue }: { keys: SecretKeys; isDue: (keyId: string | null) => boolean },
): Promise<string[]> {
  const { id, key, settings, secretSettings } = instances;
  const rows = await tx
    .select({ id, key, settings, secretSettings })
    .from(instances)
    .where(inArray(id, [...ids]))
    .orderBy(asc(id)) // As a commit locks instances.
    .for('no key update');
  const faults: string[] = [];
  const after = rows.map((row) => ({
    ...row,
    settings: resealedSettings(
      row,
      { instanceId: row.id, keys },
      {
        isDue,
        onError(name, error) {
          if (!(error instanceof SecretError)) throw error;
          faults.push(`settings.${name} of instance ${row.key}: ${error.message}`);
        },
      },
    ),
  }));
  await writeSettings(tx, after);
  return faults;
}
