/** The A records of hosts, for the name server. */
import type { Store } from './commit/store.ts';

export interface StoredRecord {
  readonly name: string;
  readonly address: string;
  readonly ttlSeconds: number;
}

/** The record of a name (lower case, without the final dot), or null. */
export async function findDnsRecord(store: Store, name: string): Promise<StoredRecord | null> {
  const [row] = await store.database.query<StoredRecord>(
    'select name, address, ttl_seconds as "ttlSeconds" from dns_records where name = $1',
    [name],
  );
  return row ?? null;
}

/**
 * Is there a record below this name? Then the name exists without a record of its own (an empty
 * non-terminal).
 */
export async function hasDnsDescendant(store: Store, name: string): Promise<boolean> {
  const rows = await store.database.query(
    `select 1 from dns_records where right(name, length($1) + 1) = '.' || $1 limit 1`,
    [name],
  );
  return rows.length > 0;
}

/** Creates or replaces the record of a host's name. */
export async function saveDnsRecord(store: Store, record: StoredRecord): Promise<void> {
  await store.database.query(
    `insert into dns_records (name, organization_id, host_id, address, ttl_seconds)
     select $1, organization_id, id, $2, $3::int from hosts where dns_name = $1
     on conflict (name) do update
        set address = excluded.address, ttl_seconds = excluded.ttl_seconds,
            updated_at = clock_timestamp()`,
    [record.name, record.address, record.ttlSeconds],
  );
}

/** Removes the record of a name. It is no error if there is none. */
export async function removeDnsRecord(store: Store, name: string): Promise<void> {
  await store.database.query('delete from dns_records where name = $1', [name]);
}
