/** Who saves a resource, and how an input's references are resolved within the caller's organization. */
import { and, eq, isNull, type SQL, sql } from 'drizzle-orm';
import type { AnyPgColumn } from 'drizzle-orm/pg-core';
import type { Actor } from '../../lifecycle/change.ts';
import type { Store } from '../commit/store.ts';
import type { Drizzle } from '../database/database.ts';
import { isId, isKey } from './checks.ts';
import type { Problems } from './save-result.ts';

/** Who saves. Every reference in an input is resolved within this organization. */
export interface Caller {
  readonly organizationId: string;
  /** The access key (token, session or run key) that idempotency keys belong to. */
  readonly accessKeyId: string;
  readonly actor: Actor;
}

/** The store with what creating and updating hosts and providers needs to know of this server. */
export interface ResourceStore extends Store {
  /** `instances.test`: valid, lower case, without a final dot. */
  readonly dnsZone: string;
  /** The address by which runtimes beyond this machine reach the API; null: they cannot. */
  readonly publicUrl: string | null;
}

/**
 * The transaction of a save. Within it nothing else may use the database: on PGlite, with its one
 * connection, that would deadlock.
 */
export type Transaction = Parameters<Parameters<Drizzle['transaction']>[0]>[0];

export interface Named {
  readonly id: AnyPgColumn;
  readonly organizationId: AnyPgColumn;
  readonly key: AnyPgColumn;
  readonly archivedAt: AnyPgColumn;
}

/** The rows of any organization that a reference names, archived ones too. */
export function referenceIn(table: Named, reference: string): SQL {
  if (isId(reference)) return eq(table.id, reference);
  return isKey(reference) ? eq(table.key, reference) : sql`false`;
}

/** The resource that an input names by id or key, within the organization and not archived. */
export function named(table: Named, caller: Caller, reference: string): SQL | undefined {
  return and(
    eq(table.organizationId, caller.organizationId),
    referenceIn(table, reference),
    isNull(table.archivedAt),
  );
}

/** The arguments of every check. Problems are added to `problems`. */
export interface Check {
  readonly tx: Transaction;
  readonly caller: Caller;
  readonly problems: Problems;
}
