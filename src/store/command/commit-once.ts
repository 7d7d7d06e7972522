/** Commits the change of one request, once for its idempotency key: of commands, deletions and cancels. */
import type { Actor, Change, DecisionContext } from '../../lifecycle/change.ts';
import type { Refusal } from '../../lifecycle/errors.ts';
import type { Written } from '../commit/commit.ts';
import type { Idempotency } from '../commit/options.ts';
import { decideAndCommit, type Store } from '../commit/store.ts';
import { forget, keyUsed, type Remembered } from './idempotency.ts';
import type { Commanded, StoredSnapshot } from './snapshot.ts';

export interface CommitRequest {
  readonly organizationId: string;
  readonly actor: Actor;
  readonly reason: string | null;
  readonly idempotency: Idempotency | null;
}

/** The parts of a request that differ. `A` is what its caller is answered. */
export interface CommitSteps<S extends StoredSnapshot, A> {
  /** Reads the resource, and with or after it what the key was answered before. */
  load(): Promise<Commanded<S>>;
  /** The answer to a request that was answered before. */
  repeat(before: Remembered): A;
  readonly notFound: A;
  /** The answer if the request does not fit the resource; nothing is decided then. */
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
      await forget(store.database, organizationId, idempotency);
      return snapshot;
    }
    return { answer: before.inputHash === idempotency.inputHash ? steps.repeat(before) : keyUsed };
  };
  const rule = (snapshot: S, context: DecisionContext) => {
    const answer = steps.check?.(snapshot);
    return answer ? { answer } : steps.rule(snapshot, context);
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
    case 'ANSWERED':
      return decided.answer;
    case 'NOT_FOUND':
      return steps.notFound;
    case 'NOTHING':
      throw new Error('A rule of a request decided nothing.');
    default:
      return decided satisfies never;
  }
}
