/** How much of an operation's phase is done, told without a transition. */
import { and, eq, inArray, sql } from 'drizzle-orm';
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
  { resourceId, kind, token, operationId, organizationId, sequence }: WorkItem,
  progress: number,
): Promise<void> {
  if (!operationId) return;
  const revision = await store.database.drizzle.transaction(async (tx) => {
    const [operation] = await tx
      .update(operations)
      .set({ progress })
      .where(
        and(
          eq(operations.id, operationId),
          inArray(operations.status, [...activeStatuses]),
          sql`exists (select from work w where w.resource_id = ${resourceId}::uuid
            and w.kind = ${kind}::work_kind and w.token = ${token}::bigint)`,
        ),
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
