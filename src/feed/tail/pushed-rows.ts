/**
 * Rows that commits tell of themselves, until the tail takes them: what came in one tick, or under load
 * in 2 ms, is taken at once and so goes out in one write. Of too many at once none is kept: all of them
 * can be read.
 */

import type { LogRow } from '../../store/log/log.ts';
import type { Shown } from '../../store/log/notification.ts';
import { createPace } from '../../store/log/token-bucket.ts';

export interface Offers {
  /** Those that wait, in no order. */
  readonly waiting: readonly Shown[];
  /** Has a revision been offered that still waits? */
  has(revision: number): boolean;
  add(shown: Shown): void;
  /** What was decided up to here waits no longer. */
  dropThrough(revision: number): void;
  clear(): void;
}

export interface OffersHooks {
  /** Something waits, and it is time to take it. */
  onDue(): void;
  /** There were too many. */
  onDropped(): void;
}

/** Offers that wait for a read, or for others before them. */
const MOST = 200;
const PACE = { perSecond: 500, atOnce: 20 };

/** Makes a place for offers, with none. */
export function createOffers({ onDue, onDropped }: OffersHooks): Offers {
  const pace = createPace(PACE);
  let waiting: Shown[] = [];
  let isDue = false;
  const due = (): void => {
    isDue = false;
    if (waiting.length > 0) onDue();
  };
  return {
    get waiting() {
      return waiting;
    },
    has: (revision) => waiting.some((shown) => revisionOf(shown) === revision),
    add(shown) {
      waiting.push(shown);
      if (waiting.length > MOST) {
        waiting = [];
        onDropped();
      }
      if (isDue) return;
      isDue = true;
      const waitMs = pace.take();
      if (waitMs > 0) setTimeout(due, waitMs);
      else setImmediate(due);
    },
    dropThrough(revision) {
      waiting = waiting.filter((shown) => revisionOf(shown) > revision);
    },
    clear() {
      waiting = [];
    },
  };
}

/** The rows of offers in the order of the log, each once. */
export function rowsOf(offers: readonly Shown[]): LogRow[] {
  const rows = offers.flatMap((shown) => shown.rows);
  rows.sort((a, b) => a.revision - b.revision || a.place - b.place);
  return rows.filter(({ revision, place }, at) => {
    const before = rows[at - 1];
    return revision !== before?.revision || place !== before.place;
  });
}

/** An offer is one revision, whole. */
const revisionOf = ({ rows: [first] }: Shown): number => first?.revision ?? 0;
