/** Rows of the organization of the viewer that no relation leads to, read in batches. */
import type { InferSelectModel } from 'drizzle-orm';
import type { log, operations } from '../../store/table/schema.ts';
import type { Context } from '../base/context.ts';
import { readsOf } from '../base/reads.ts';

export type OperationRow = InferSelectModel<typeof operations>;
export type LogRow = InferSelectModel<typeof log>;

/** The operation with that uuid; null if it is not the viewer's or no longer stored. */
export function findOperation(
  context: Context,
  id: string | null | undefined,
): Promise<OperationRow | null> {
  if (!id) return Promise.resolve(null);
  return context.loaders.load('operations', id, async (ids) => {
    const rows = await readOperations(context, ids);
    return new Map(rows.map((row) => [row.id, row]));
  });
}

/** Operations at this moment, read without the loaders. */
export function readOperations(context: Context, ids: readonly string[]): Promise<OperationRow[]> {
  return readsOf(context, 'operations').findMany({ where: { id: { in: [...ids] } } });
}

/** The present state of what an operation acts on. */
export function findState(
  context: Context,
  { instanceId, hostId }: Pick<OperationRow, 'instanceId' | 'hostId'>,
): Promise<string | null> {
  const table = instanceId ? 'instances' : 'hosts';
  const id = instanceId ?? hostId;
  if (!id) return Promise.resolve(null);
  return context.loaders.load(`state of ${table}`, id, async (ids) => {
    const columns = { id: true, state: true } as const;
    const query = { columns, where: { id: { in: [...ids] } } };
    const rows: readonly { id: string; state: string }[] =
      table === 'instances'
        ? await readsOf(context, 'instances').findMany(query)
        : await readsOf(context, 'hosts').findMany(query);
    return new Map(rows.map((row) => [row.id, row.state]));
  });
}

export interface TransitionReference {
  readonly resourceId: string;
  readonly sequence: number;
}

/** The transition of a resource with that sequence; null if it is no longer in the log. */
export function findTransition(
  context: Context,
  reference: TransitionReference | null,
): Promise<LogRow | null> {
  if (!reference) return Promise.resolve(null);
  const key = ({ resourceId, sequence }: TransitionReference) => `${resourceId}:${sequence}`;
  return context.loaders.load('transitions', key(reference), async (keys) => {
    const rows = await readsOf(context, 'log').findMany({
      where: {
        kind: 'TRANSITION',
        OR: keys.map((wanted) => {
          const [resourceId = '', sequence] = wanted.split(':');
          return { resourceId, sequence: Number(sequence) };
        }),
      },
    });
    return new Map(rows.map((row) => [key(row), row]));
  });
}
