/** The recent revisions of a node, so that who lags or comes back does not read the table. */
import type { LogPosition } from '../../store/log/log.ts';
import { comparePositions, endOf } from '../channel/cursor.ts';
import type { Revision } from '../channel/event.ts';

export interface Ring {
  /** Holds the ring everything that is decided and behind this position? */
  reaches(position: LogPosition): boolean;
  push(revisions: readonly Revision[]): void;
  /** The revisions behind a position that the ring reaches, at most `limit`. */
  after(position: LogPosition, limit: number): readonly Revision[];
  /** Forgets everything; what follows begins behind this revision. */
  reset(revision: number): void;
}

interface Slot {
  readonly revision: Revision;
  readonly bytes: number;
  readonly atMs: number;
}

/** What an event takes besides its details, roughly. */
const EVENT_BYTES = 900;

/** A ring of so many bytes and so much time, whichever is less. */
export function createRing(limits: { bytes: number; ms: number }): Ring {
  /** Those that are dropped are empty until the array is made anew. */
  let slots: (Slot | null)[] = [];
  let first = 0; // The slots before it are dropped.
  let start = 0; // Every revision above it is here.
  let bytes = 0;

  function drop(now: number): void {
    for (let slot = slots[first]; slot; slot = slots[first]) {
      if (bytes <= limits.bytes && now - slot.atMs <= limits.ms) break;
      start = slot.revision.revision;
      bytes -= slot.bytes;
      slots[first] = null;
      first += 1;
    }
    if (first > 1000 && first > slots.length / 2) {
      slots = slots.slice(first);
      first = 0;
    }
  }

  /** Index of the first slot whose revision is at least this one. */
  function find(revision: number): number {
    let [low, high] = [first, slots.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((slots[middle]?.revision.revision ?? 0) < revision) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  return {
    reaches: (position) => comparePositions(position, endOf(start)) >= 0,
    push(revisions) {
      const atMs = performance.now();
      for (const revision of revisions) {
        let size = 0;
        for (const { details } of revision.events)
          size += EVENT_BYTES + 2 * JSON.stringify(details).length;
        bytes += size;
        slots.push({ revision, bytes: size, atMs });
      }
      drop(atMs);
    },
    after({ revision }, limit) {
      const from = find(revision);
      return slots.slice(from, from + limit).flatMap((slot) => slot?.revision ?? []);
    },
    reset(revision) {
      slots = [];
      first = 0;
      bytes = 0;
      start = revision;
    },
  };
}
