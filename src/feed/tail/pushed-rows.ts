/**
 * Rows that commits publish, kept until the tail takes them. Rows that arrive in one tick, or under load
 * within 2 ms, are taken together and leave in one write. When too many wait, all of them are dropped,
 * because every row can also be read from the log.
 */

import type { LogRow } from '../../store/log/log.ts';
import type { PushedRevision } from '../../store/log/notification.ts';
import { createTokenBucket } from '../../timing/token-bucket.ts';

export interface PushedRows {
  /** The revisions that wait, in no order. */
  readonly waiting: readonly PushedRevision[];
  /** Whether a revision was pushed and still waits. */
  has(revision: number): boolean;
  add(pushed: PushedRevision): void;
  /** Drops the revisions up to this one: they are decided. */
  dropThrough(revision: number): void;
  clear(): void;
}

export interface PushedRowsHooks {
  /** Called when revisions wait and may be taken. */
  onDue(): void;
  /** Called when all waiting revisions were dropped because there were too many. */
  onDropped(): void;
}

const maxWaitingRevisions = 200;
const takeRate = { perSecond: 500, burst: 20 };

/** Creates an empty buffer of pushed rows. */
export function createPushedRows({ onDue, onDropped }: PushedRowsHooks): PushedRows {
  const bucket = createTokenBucket(takeRate);
  let waiting: PushedRevision[] = [];
  let isDue = false;
  const due = (): void => {
    isDue = false;
    if (waiting.length > 0) onDue();
  };
  return {
    get waiting() {
      return waiting;
    },
    has: (revision) => waiting.some((pushed) => revisionOf(pushed) === revision),
    add(pushed) {
      waiting.push(pushed);
      if (waiting.length > maxWaitingRevisions) {
        waiting = [];
        onDropped();
      }
      if (isDue) return;
      isDue = true;
      const waitMs = bucket.take();
      if (waitMs > 0) setTimeout(due, waitMs);
      else setImmediate(due);
    },
    dropThrough(revision) {
      waiting = waiting.filter((pushed) => revisionOf(pushed) > revision);
    },
    clear() {
      waiting = [];
    },
  };
}

/** The rows of the revisions in the order of the log, each once. */
export function rowsOf(revisions: readonly PushedRevision[]): LogRow[] {
  const rows = revisions.flatMap((pushed) => pushed.rows);
  rows.sort((a, b) => a.revision - b.revision || a.place - b.place);
  return rows.filter(({ revision, place }, at) => {
    const before = rows[at - 1];
    return revision !== before?.revision || place !== before.place;
  });
}

/** All rows of one push have the same revision. */
const revisionOf = ({ rows: [first] }: PushedRevision): number => first?.revision ?? 0;
