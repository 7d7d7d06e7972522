/** Whether a key is taken, and who uses a resource. */
import { and, asc, eq, isNull, type SQL } from 'drizzle-orm';
import type { PgTable } from 'drizzle-orm/pg-core';
import type { Caller, Named, Transaction } from '../input/caller.ts';
import { isKey } from '../input/checks.ts';
import { conflict, NotSaved, type Problems } from '../input/save-result.ts';
import { type hosts, instances } from '../table/schema.ts';

/** Is it a key, and free? One is never given again, not even that of an archived resource. */
export async function checkKeyIsFree(
  tx: Transaction,
  problems: Problems,
  {
    table,
    caller,
    key,
    remedy,
  }: { table: PgTable & Named; caller: Caller; key: string; remedy?: string },
): Promise<boolean> {
  if (!isKey(key)) return false;
  const [taken] = await tx
    .select({ archivedAt: table.archivedAt })
    .from(table as PgTable)
    .where(and(eq(table.organizationId, caller.organizationId), eq(table.key, key)));
  if (!taken) return true;
  const by = taken.archivedAt ? ' by one that was deleted; a key is never given again' : '';
  problems.conflict(
    'key',
    'KEY_TAKEN',
    `The key ${key} is taken${by}: ${remedy ?? 'choose another'}.`,
  );
  return false;
}

/** `instances a, b`: the first five by key. */
export function usedBy(noun: 'instance' | 'host', users: readonly { key: string }[]): string {
  const keys = users.slice(0, 5).map(({ key }) => key);
  return `${noun}${users.length === 1 ? '' : 's'} ${keys.join(', ')}${users.length > 5 ? ', …' : ''}`;
}

/** The keys of the first instances or hosts that match and are not archived: one more than are named. */
export function usersOf(
  tx: Transaction,
  table: typeof instances | typeof hosts,
  where: SQL,
): Promise<{ key: string }[]> {
  return tx
    .select({ key: table.key })
    .from(table)
    .where(and(where, isNull(table.archivedAt)))
    .orderBy(asc(table.key))
    .limit(6);
}

/**
 * Throws NotSaved if instances that are not archived match.
 *
 * @param options.remedy how to part them: `delete them first`
 */
export async function expectNoInstances(
  tx: Transaction,
  where: SQL,
  { remedy }: { remedy: string },
): Promise<void> {
  const users = await usersOf(tx, instances, where);
  if (users.length === 0) return;
  throw new NotSaved(conflict('IN_USE', `Used by ${usedBy('instance', users)}: ${remedy}.`));
}
