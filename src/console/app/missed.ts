/**
 * The changes that were missed while there was no connection, and came when it was back. Each is counted
 * once, however many streams delivered it.
 */
import { signal } from '@preact/signals';
import { timeNow } from '../part/time.tsx';

/** Since when the connection is back, and what came of the time before. */
export interface Return {
  readonly since: Date;
  readonly changes: number;
  /** Why the changes are not known, and what is shown was read anew; null: they are known. */
  readonly unknown: LostCursor | null;
}

export type LostCursor = 'CURSOR_EXPIRED' | 'CURSOR_INVALID';

/** The last return; null: there was none, or it was dismissed. */
export const returned = signal<Return | null>(null);

interface Event {
  readonly data?: unknown;
  readonly extensions?: { readonly cursor?: string };
}

/** Streams that resume may take this long to deliver what was missed. */
const catchUpMilliseconds = 30_000;

/** Tells the changes of the gap from those that were made after it, by the clock of the server. */
interface Gap {
  readonly cursors: Set<string>;
  /** The times of the changes that came before the end was known. */
  readonly times: number[];
  /** The time of the return. Null: not known yet. */
  end: number | null;
  readonly closesAt: number;
}

let gap: Gap | null = null;

export const missed = {
  lost(): void {
    gap = null;
  },
  back(): void {
    const closesAt = performance.now() + catchUpMilliseconds;
    gap = { cursors: new Set(), times: [], end: null, closesAt };
    returned.value = { since: new Date(timeNow()), changes: 0, unknown: null };
  },
  /** A stream could not resume, and has begun anew. */
  unknown(reason: LostCursor): void {
    gap = null;
    const since = returned.value?.since ?? new Date(timeNow());
    returned.value = { since, changes: 0, unknown: reason };
  },
  /** The first time of the server that is known after the return. */
  confirmed(at: string): void {
    if (!gap || gap.end !== null) return;
    // What nobody has changed since may have been told with an earlier time.
    const end = Math.max(Date.parse(at), returned.value?.since.getTime() ?? 0);
    gap.end = end;
    add(gap.times.splice(0).filter((time) => time <= end).length);
  },
  /** An event of a stream: its cursor, and in its field `at`, or `leftOut` of a bookmark. */
  take({ data, extensions }: Event): void {
    const cursor = extensions?.cursor;
    if (!gap || cursor === undefined || gap.cursors.has(cursor)) return;
    if (performance.now() > gap.closesAt) {
      gap = null;
      return;
    }
    gap.cursors.add(cursor);
    const [field] = Object.values((data ?? {}) as object) as { at?: unknown; leftOut?: unknown }[];
    if (typeof field?.leftOut === 'number') add(field.leftOut);
    if (typeof field?.at !== 'string') return;
    const time = Date.parse(field.at);
    if (gap.end === null) gap.times.push(time);
    else if (time <= gap.end) add(1);
  },
};

function add(count: number): void {
  if (returned.value && count > 0)
    returned.value = { ...returned.value, changes: returned.value.changes + count };
}
