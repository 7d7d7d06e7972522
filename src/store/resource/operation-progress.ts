/** What an operation tells without a transition: how much of its phase is done, and that it is tried again. */
import { and, eq, inArray, type SQL, sql } from 'drizzle-orm';
import { activeStatuses } from '../../lifecycle/operation.ts';
import type { Store } from '../commit/store.ts';
import { operations } from '../table/schema.ts';
import type { WorkItem } from '../work/work.ts';
import { append } from './save.ts';

const actor = { kind: 'DRIVER', name: 'driver' } as const;

/**
 * Stores the progress of the operation of an item, 0 to 1. Nothing is written if the item is lost, or the
 * operation is over.
 */
export async function recordProgress(
  store: Store,
  item: WorkItem,
  progress: number,
): Promise<void> {
  const { resourceId, kind, token } = item;
  const isHeld = sql`exists (select from work w where w.resource_id = ${resourceId}::uuid
    and w.kind = ${kind}::work_kind and w.token = ${token}::bigint)`;
  await update(store, item, { set: { progress }, where: isHeld });
}

/** Tells that an item, which failed for the first time, is tried again. */
export async function tellRetry(store: Store, item: WorkItem): Promise<void> {
  const { resourceId, kind } = item;
  const isRetried = sql`exists (select from work w where w.resource_id = ${resourceId}::uuid
    and w.kind = ${kind}::work_kind and w.first_cause is not null)`;
  await update(store, item, { set: { progress: sql`progress` }, where: isRetried });
}

/** Changes the operation of an item, if it is active and this holds, and tells of it. */
async function update(
  store: Store,
  { resourceId, operationId, organizationId, sequence }: WorkItem,
  { set, where }: { set: { progress: number | SQL }; where: SQL },
): Promise<void> {
  if (!operationId) return;
  const revision = await store.database.drizzle.transaction(async (tx) => {
    const [operation] = await tx
      .update(operations)
      .set(set)
      .where(
        and(eq(operations.id, operationId), inArray(operations.status, [...activeStatuses]), where),
      )
      .returning({ resource: operations.resourceKind, status: operations.status });
    if (!operation) return null;
    const { resource, status } = operation;
    return append(
      tx,
      { organizationId, actor },
      {
        logged: [
          {
            ...{ kind: 'OPERATION', resource, id: resourceId, sequence, operationId },
            details: { status },
          },
        ],
      },
    );
  });
  if (revision !== null) store.committed({ revision, work: false });
}
