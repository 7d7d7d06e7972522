/** The store as its parts use it: the database, the deadlines, and the listeners of commits. */
import { randomUUID } from 'node:crypto';
import type { Actor, Change, Context, Deadlines, Snapshot } from '../../lifecycle/change.ts';
import type { Refusal } from '../../lifecycle/errors.ts';
import type { Database } from '../database/database.ts';
import type { Notifier } from '../log/notifier.ts';
import { commitChange, type Written } from './commit.ts';
import type { CommitOptions } from './options.ts';

export interface Store {
  readonly database: Database;
  readonly deadlines: Deadlines;
  /** Notifies the other nodes of commits. */
  notifier: Notifier | null;
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
export function createStore(database: Database, deadlines: Deadlines): Store {
  const listeners = new Set<(commit: Commit) => void>();
  return {
    database,
    deadlines,
    notifier: null,
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
const ATTEMPTS = 12;

export type Decided<W extends Snapshot> =
  | {
      readonly outcome: 'WRITTEN';
      readonly change: Change;
      readonly written: Written;
      readonly snapshot: W;
    }
  | { readonly outcome: 'REFUSED'; readonly refusal: Refusal; readonly snapshot: W }
  /** The observation does not apply to the present state, or the fence is lost. */
  | { readonly outcome: 'NOTHING'; readonly snapshot: W }
  | { readonly outcome: 'NOT_FOUND' }
  /** Another write made this one void; `to` is the result of `lostTo`. */
  | { readonly outcome: 'LOST'; readonly to: unknown };

/**
 * Reads, decides and writes; where what was read has changed meanwhile, again, a bounded number of
 * times.
 *
 * @throws when every attempt lost its race
 */
export async function decide<W extends Snapshot & { organizationId: string }>(
  store: Store,
  load: () => Promise<W | null>,
  rule: (snapshot: W, context: Context) => Change | Refusal | null,
  options: {
    actor: Actor;
    reason?: string | null;
    /** Called after a lost race. A result other than null ends the attempts. */
    lostTo?: () => Promise<unknown>;
  } & Omit<CommitOptions, 'organizationId' | 'notifier'>,
): Promise<Decided<W>> {
  const context: Context = {
    newId: randomUUID,
    deadlines: store.deadlines,
    actor: options.actor,
    reason: options.reason ?? null,
  };
  let cause: unknown = null;
  for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
    const snapshot = await load();
    if (!snapshot) return { outcome: 'NOT_FOUND' };
    const change = rule(snapshot, context);
    if (!change) return { outcome: 'NOTHING', snapshot };
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
    if (options.fence && !(await isHeld(store, options.fence)))
      return { outcome: 'NOTHING', snapshot };
    const lostTo = await options.lostTo?.();
    if (lostTo) return { outcome: 'LOST', to: lostTo };
    await new Promise((resolve) => setTimeout(resolve, Math.random() * 4 * attempt));
  }
  throw new Error('The resource changed faster than it could be read; try again.', {
    cause,
  });
}

async function isHeld(store: Store, fence: NonNullable<CommitOptions['fence']>): Promise<boolean> {
  const rows = await store.database.query(
    'select 1 from work where resource_id = $1::uuid and kind = $2::work_kind and token = $3::bigint',
    [fence.resourceId, fence.kind, fence.token],
  );
  return rows.length > 0;
}
