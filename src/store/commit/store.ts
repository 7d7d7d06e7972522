/** The store as its parts use it: the database, the deadlines, and the listeners of commits. */
import { randomUUID } from 'node:crypto';
import type {
  Actor,
  Change,
  Deadlines,
  DecisionContext,
  Snapshot,
} from '../../lifecycle/change.ts';
import type { Refusal } from '../../lifecycle/refusal.ts';
import type { Database } from '../database/database.ts';
import type { Notifier } from '../log/notifier.ts';
import { type SecretKeys, secretKeys } from '../secret/keys.ts';
import { commitChange, type Written } from './commit.ts';
import type { CommitOptions, HeldItem } from './options.ts';

export interface Store {
  readonly database: Database;
  readonly deadlines: Deadlines;
  /** Seal what is stored as a secret, and open it. */
  readonly secretKeys: SecretKeys;
  /** Publishes commits to the other nodes. */
  readonly notifier: Notifier | null;
  /** Commits are published through this notifier, until the function is called. */
  publishThrough(notifier: Notifier): () => void;
  /** Called after each commit that appended to the log or made work that is due. */
  onCommit(listener: (commit: Commit) => void): () => void;
  /** Calls the listeners of this process. */
  committed(commit: Commit): void;
}

export interface Commit {
  readonly revision: number | null;
  /** Whether it made work that is due now. */
  readonly work: boolean;
  /** The commit published its rows to all nodes, this one included. */
  readonly published?: boolean;
}

/** Makes a store over an open, migrated database. */
export function createStore(
  database: Database,
  deadlines: Deadlines,
  keys: SecretKeys = secretKeys([]),
): Store {
  const listeners = new Set<(commit: Commit) => void>();
  let notifier: Notifier | null = null;
  return {
    database,
    deadlines,
    secretKeys: keys,
    get notifier() {
      return notifier;
    },
    publishThrough(next) {
      const previous = notifier;
      notifier = next;
      return () => {
        if (notifier === next) notifier = previous;
      };
    },
    onCommit(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    committed(commit) {
      for (const listener of listeners) listener(commit);
    },
  };
}

/** Attempts before a change that loses each race fails. */
const MAX_COMMIT_ATTEMPTS = 12;

/** Ends the attempts with a result, without a commit. */
export interface EarlyResult<A> {
  readonly result: A;
}

export type Decided<W extends Snapshot, A = never> =
  | {
      readonly outcome: 'WRITTEN';
      readonly change: Change;
      readonly written: Written;
      readonly snapshot: W;
    }
  | { readonly outcome: 'REFUSED'; readonly refusal: Refusal; readonly snapshot: W }
  | { readonly outcome: 'ENDED_EARLY'; readonly result: A }
  /** The observation does not apply to the present state, the work item is lost, or it became void. */
  | { readonly outcome: 'NOTHING' }
  | { readonly outcome: 'NOT_FOUND' };

/**
 * Reads a snapshot, asks a rule and commits its change. If the snapshot has changed meanwhile, it starts
 * over, a bounded number of times.
 *
 * @throws when every attempt lost its race
 */
export async function decideAndCommit<W extends Snapshot & { organizationId: string }, A = never>(
  store: Store,
  load: () => Promise<W | EarlyResult<A> | null>,
  rule: (snapshot: W, context: DecisionContext) => Change | Refusal | EarlyResult<A> | null,
  options: {
    actor: Actor;
    reason?: string | null;
    /** Called after a lost race: is nothing left to commit? */
    isVoid?: () => Promise<boolean>;
  } & Omit<CommitOptions, 'organizationId' | 'notifier'>,
): Promise<Decided<W, A>> {
  const context: DecisionContext = {
    newId: randomUUID,
    deadlines: store.deadlines,
    actor: options.actor,
    reason: options.reason ?? null,
  };
  let cause: unknown = null;
  for (let attempt = 0; attempt < MAX_COMMIT_ATTEMPTS; attempt += 1) {
    const snapshot = await load();
    if (!snapshot) return { outcome: 'NOT_FOUND' };
    if ('result' in snapshot) return { outcome: 'ENDED_EARLY', result: snapshot.result };
    const change = rule(snapshot, context);
    if (!change) return { outcome: 'NOTHING' };
    if ('result' in change) return { outcome: 'ENDED_EARLY', result: change.result };
    if ('refused' in change) return { outcome: 'REFUSED', refusal: change, snapshot };
    const written = await commitChange(store.database, change, {
      ...options,
      organizationId: snapshot.organizationId,
      notifier: store.notifier,
    });
    if (!('lost' in written)) {
      store.committed({
        revision: written.revision,
        work: change.work.some(({ dueInSeconds }) => dueInSeconds === 0),
        published: written.published,
      });
      return { outcome: 'WRITTEN', change, written, snapshot };
    }
    cause = written.cause ?? cause;
    if (options.heldItem && !(await isHeld(store, options.heldItem))) return { outcome: 'NOTHING' };
    if (await options.isVoid?.()) return { outcome: 'NOTHING' };
    await new Promise((resolve) => setTimeout(resolve, Math.random() * 4 * attempt));
  }
  throw new Error('The resource changed faster than it could be read; try again.', {
    cause,
  });
}

async function isHeld(store: Store, heldItem: HeldItem): Promise<boolean> {
  const rows = await store.database.query(
    'select 1 from work where resource_id = $1::uuid and kind = $2::work_kind and token = $3::bigint',
    [heldItem.resourceId, heldItem.kind, heldItem.token],
  );
  return rows.length > 0;
}
