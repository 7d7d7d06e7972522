/** The recent revisions of a node, from which slow and returning readers are served without the table. */
import type { LogPosition } from '../../store/log/log.ts';
import { comparePositions, endOf } from '../channel/cursor.ts';
import type { Revision } from '../channel/event.ts';

export interface Ring {
  /** Whether the ring has everything decided after this position. */
  reaches(position: LogPosition): boolean;
  push(revisions: readonly Revision[]): void;
  /** At most `limit` revisions, from the one of the position on. The ring must reach the position. */
  after(position: LogPosition, limit: number): readonly Revision[];
  /** Drops everything; the next revisions follow this one. */
  reset(revision: number): void;
}

interface Slot {
  readonly revision: Revision;
  readonly bytes: number;
  readonly atMs: number;
}

/** Approximate memory of an event without its details. */
const eventOverheadBytes = 900;

/** Creates a ring that is limited in bytes and in time. */
export function createRing(limits: { bytes: number; ms: number }): Ring {
  /** Dropped slots are null, until the array is copied. */
  let slots: (Slot | null)[] = [];
  let first = 0; // Index of the oldest slot that is kept.
  let start = 0; // All decided revisions above this one are kept.
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
          size += eventOverheadBytes + 2 * JSON.stringify(details).length;
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
