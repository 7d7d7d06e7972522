/** Commits the change of one request, once for its idempotency key: of commands, deletions and cancels. */
import type { Actor, Change, DecisionContext } from '../../lifecycle/change.ts';
import type { Refusal } from '../../lifecycle/refusal.ts';
import type { Written } from '../commit/commit.ts';
import type { Idempotency } from '../commit/options.ts';
import { decideAndCommit, type Store } from '../commit/store.ts';
import { deleteExpiredKey, keyUsed, type StoredResult } from './idempotency.ts';
import type { CommandRead, StoredSnapshot } from './snapshot.ts';

export interface CommitRequest {
  readonly organizationId: string;
  readonly actor: Actor;
  readonly reason: string | null;
  readonly idempotency: Idempotency | null;
}

/** The parts of a request that differ. `A` is its result. */
export interface CommitSteps<S extends StoredSnapshot, A> {
  /** Reads the resource, and with it or after it the stored result of the key. */
  load(): Promise<CommandRead<S>>;
  /** The result of a repeated request. */
  repeat(before: StoredResult): A;
  readonly notFound: A;
  /** The result if the request does not fit the resource; nothing is decided then. */
  check?(snapshot: S): A | null;
  rule(snapshot: S, context: DecisionContext): Change | Refusal;
  committed(change: Change, written: Written, snapshot: S): A;
  refused(refusal: Refusal, snapshot: S): A;
}

export async function commitOnce<S extends StoredSnapshot, A>(
  store: Store,
  request: CommitRequest,
  steps: CommitSteps<S, A>,
): Promise<A | typeof keyUsed> {
  const { organizationId, actor, reason, idempotency } = request;
  const load = async () => {
    const { snapshot, before } = await steps.load();
    if (!before || !idempotency) return snapshot;
    if (before.expired) {
      await deleteExpiredKey(store.database, organizationId, idempotency);
      return snapshot;
    }
    return { result: before.inputHash === idempotency.inputHash ? steps.repeat(before) : keyUsed };
  };
  const rule = (snapshot: S, context: DecisionContext) => {
    const result = steps.check?.(snapshot);
    return result ? { result } : steps.rule(snapshot, context);
  };
  const decided = await decideAndCommit<S, A | typeof keyUsed>(store, load, rule, {
    ...{ actor, reason, returning: true },
    ...(idempotency ? { idempotency } : {}),
  });
  switch (decided.outcome) {
    case 'WRITTEN':
      return steps.committed(decided.change, decided.written, decided.snapshot);
    case 'REFUSED':
      return steps.refused(decided.refusal, decided.snapshot);
    case 'ENDED_EARLY':
      return decided.result;
    case 'NOT_FOUND':
      return steps.notFound;
    case 'NOTHING':
      throw new Error('A rule of a request decided nothing.');
    default:
      return decided satisfies never;
  }
}
