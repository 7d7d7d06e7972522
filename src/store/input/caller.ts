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
  /** Identity that idempotency keys belong to: of the token or the session's user. */
  readonly callerId: string;
  readonly actor: Actor;
}

/** Saving hosts (and instances, which may bring one) asks for the zone of their names. */
export interface ResourceStore extends Store {
  /** `instances.test`: valid, lower case, without a final dot. */
  readonly dnsZone: string;
}

/**
 * What a save writes through. Within a transaction nothing else may touch the database: on PGlite it
 * would wait for the transaction, which waits for it.
 */
export type Transaction = Parameters<Parameters<Drizzle['transaction']>[0]>[0];

export interface Named {
  readonly id: AnyPgColumn;
  readonly organizationId: AnyPgColumn;
  readonly key: AnyPgColumn;
  readonly archivedAt: AnyPgColumn;
}

function referenceIn(table: Named, reference: string): SQL {
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

/** How every check is called; what is wrong goes into the problems. */
export interface Check {
  readonly tx: Transaction;
  readonly caller: Caller;
  readonly problems: Problems;
}
