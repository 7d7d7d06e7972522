/** Deleting an instance or a host: the state machine decides, a commit archives. */
import { and, eq } from 'drizzle-orm';
import type { Change, DecisionContext } from '../../lifecycle/change.ts';
import type { Refusal } from '../../lifecycle/refusal.ts';
import type { Store } from '../commit/store.ts';
import { type Caller, referenceIn } from '../input/caller.ts';
import { checkCommon } from '../input/checks.ts';
import {
  type EntityKind,
  expectVersion,
  type GuardedInput,
  NotSaved,
  Problems,
  type SaveResult,
} from '../input/save-result.ts';
import type { hosts, instances } from '../table/schema.ts';
import { commitOnce } from './commit-once.ts';
import { findStoredResult, hashInput } from './idempotency.ts';
import type { StoredSnapshot } from './snapshot.ts';

interface Deletion {
  readonly field: string;
  readonly input: GuardedInput;
  readonly kind: EntityKind;
  readonly reference: string;
  readonly table: typeof instances | typeof hosts;
  load(id: string): Promise<StoredSnapshot | null>;
  rule(snapshot: StoredSnapshot, context: DecisionContext): Change | Refusal;
}

/** Archives what `deletion.reference` names, where the state machine allows that. */
export async function archive(
  store: Store,
  caller: Caller,
  deletion: Deletion,
): Promise<SaveResult> {
  try {
    return await run(store, caller, deletion);
  } catch (error) {
    if (error instanceof NotSaved) return error.result;
    throw error;
  }
}

interface DeletionSnapshot extends StoredSnapshot {
  readonly current: { readonly version: number; readonly sequence: number };
}

async function run(store: Store, caller: Caller, deletion: Deletion): Promise<SaveResult> {
  const { field, input, kind, reference } = deletion;
  const problems = new Problems();
  checkCommon(problems, input);
  problems.throwIfAny();
  const { organizationId, actor } = caller;
  const key = input.idempotencyKey;
  const idempotency = key
    ? { caller: caller.accessKeyId, field, key, inputHash: hashInput(input) }
    : null;
  const id = await findId(store, caller, deletion);
  const notFound = { outcome: 'NOT_FOUND', kind, reference } as const;
  const deleted: SaveResult = id ? { outcome: 'SAVED', id } : notFound;
  return commitOnce<DeletionSnapshot, SaveResult>(
    store,
    { organizationId, actor, reason: input.reason ?? null, idempotency },
    {
      // The key is read last: whoever sees the resource deleted sees by which key.
      load: async () => ({
        snapshot: id ? await load(store, deletion, id) : null,
        before:
          idempotency && (await findStoredResult(store.database, organizationId, idempotency)),
      }),
      repeat: () => deleted,
      notFound,
      rule(snapshot, context) {
        expectVersion(input, snapshot.current);
        return deletion.rule(snapshot, context);
      },
      committed: () => deleted,
      refused: (refusal) => ({ outcome: 'REFUSED', refusal, id: id ?? '' }),
    },
  );
}

async function load(
  store: Store,
  { table, load }: Deletion,
  id: string,
): Promise<DeletionSnapshot | null> {
  const snapshot = await load(id);
  // Read after the guard: an edit in between raises it, and the commit writes nothing.
  const [current] = await store.database.drizzle
    .select({ version: table.version, sequence: table.sequence })
    .from(table)
    .where(eq(table.id, id));
  return snapshot && current ? { ...snapshot, current } : null;
}

/** The id of what the reference names, also if it was deleted: its key is never used again. */
async function findId(
  store: Store,
  { organizationId }: Caller,
  { reference, table }: Deletion,
): Promise<string | null> {
  const [found] = await store.database.drizzle
    .select({ id: table.id })
    .from(table)
    .where(and(eq(table.organizationId, organizationId), referenceIn(table, reference)));
  return found?.id ?? null;
}
