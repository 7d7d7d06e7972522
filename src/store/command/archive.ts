/** Deleting an instance or a host: the state machine decides, a commit archives. */
import { and, eq } from 'drizzle-orm';
import type { Change, Context } from '../../lifecycle/change.ts';
import type { Refusal } from '../../lifecycle/errors.ts';
import { decide, type Store } from '../commit/store.ts';
import { type Caller, named } from '../input/caller.ts';
import { checkCommon, isId } from '../input/checks.ts';
import {
  type EntityKind,
  expectVersion,
  type GuardedInput,
  NotSaved,
  notFound,
  Problems,
  type SaveResult,
} from '../input/save-result.ts';
import type { hosts, instances } from '../table/schema.ts';
import { answeredBefore, hashInput, recall } from './idempotency.ts';
import type { StoredSnapshot } from './snapshot.ts';

interface Deletion {
  readonly field: string;
  readonly input: GuardedInput;
  readonly kind: EntityKind;
  readonly reference: string;
  readonly table: typeof instances | typeof hosts;
  load(id: string): Promise<StoredSnapshot | null>;
  rule(snapshot: StoredSnapshot, context: Context): Change | Refusal;
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

async function run(store: Store, caller: Caller, deletion: Deletion): Promise<SaveResult> {
  const { field, input, kind, reference, table } = deletion;
  const problems = new Problems();
  checkCommon(problems, input);
  problems.throwIfAny();
  const before = await deletedBefore(store, caller, deletion);
  if (before) return { outcome: 'SAVED', id: before };

  const [found] = await store.database.drizzle
    .select({ id: table.id })
    .from(table)
    .where(named(table, caller, reference));
  if (!found) return notFound(kind, reference);
  const { id } = found;

  let current = { version: 0, sequence: 0 };
  const load = async () => {
    const snapshot = await deletion.load(id);
    // Read after the guard: an edit in between raises it, and the commit writes nothing.
    const [read] = await store.database.drizzle
      .select({ version: table.version, sequence: table.sequence })
      .from(table)
      .where(eq(table.id, id));
    if (read) current = read;
    return snapshot;
  };
  const rule = (snapshot: StoredSnapshot, context: Context) => {
    expectVersion(input, current);
    return deletion.rule(snapshot, context);
  };
  const decided = await decide(store, load, rule, {
    actor: caller.actor,
    reason: input.reason ?? null,
    idempotency: idempotencyOf(caller, field, input),
    lostTo: () => deletedBefore(store, caller, deletion),
  });
  switch (decided.outcome) {
    case 'WRITTEN':
      return { outcome: 'SAVED', id };
    case 'REFUSED':
      return { outcome: 'REFUSED', refusal: decided.refusal, id };
    case 'NOTHING':
    case 'LOST':
    case 'NOT_FOUND': {
      // Deleted meanwhile; by the same request sent twice, perhaps.
      const meanwhile = await deletedBefore(store, caller, deletion);
      return meanwhile ? { outcome: 'SAVED', id: meanwhile } : notFound(kind, reference);
    }
    default:
      return decided satisfies never;
  }
}

/** The id that this very request deleted before, by its idempotency key. */
async function deletedBefore(
  store: Store,
  caller: Caller,
  { field, input, reference, table }: Deletion,
): Promise<string | null> {
  const idempotency = idempotencyOf(caller, field, input);
  if (!idempotency) return null;
  const before = await recall(store.database, caller.organizationId, idempotency);
  if (!before) return null;
  // A commit stores an operation under the key, and a deletion has none; the key of a resource is never used again.
  const [archived] = await store.database.drizzle
    .select({ id: table.id })
    .from(table)
    .where(
      and(
        eq(table.organizationId, caller.organizationId),
        isId(reference) ? eq(table.id, reference) : eq(table.key, reference),
      ),
    );
  return answeredBefore({ ...before, resourceId: archived?.id ?? null }, idempotency.inputHash);
}

function idempotencyOf({ callerId }: Caller, field: string, input: GuardedInput) {
  const key = input.idempotencyKey;
  return key ? { caller: callerId, field, key, inputHash: hashInput(input) } : undefined;
}
