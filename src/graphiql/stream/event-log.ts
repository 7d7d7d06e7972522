/** What a subscription has said: the newest events, each with its line, and marks between them. */
import type { StreamEvent } from '../../client/client.ts';
import { identityOf, type Line, lineOf, spoken } from './line.ts';

export interface EventEntry {
  readonly kind: 'EVENT';
  /** Counts the entries of the log from 1 on. */
  readonly number: number;
  /** When it was committed, if the event has `at`; else when it arrived. */
  readonly time: number;
  readonly arrived: number;
  readonly line: Line;
  readonly event: StreamEvent<Record<string, unknown>>;
}

/** What happened to the subscription between two events. */
export interface Mark {
  readonly kind: 'MARK';
  readonly number: number;
  readonly time: number;
  readonly text: string;
}

export type Entry = EventEntry | Mark;

export interface EventLog {
  /** Oldest first. Another array after each change. */
  entries(): readonly Entry[];
  /** Events since the start, also those that were dropped or cleared. */
  count(): number;
  /** Older events that are no longer here, for want of room. */
  dropped(): number;
  /** Events that `clear` took away. */
  cleared(): number;
  last(): EventEntry | null;
  /** Events a second, over the last ten seconds. */
  rate(now: number): number;
  add(event: StreamEvent<Record<string, unknown>>, now: number): void;
  mark(text: string, now: number): void;
  clear(): void;
}

export const mostEntries = 10_000;
/** Of so many resources the last event is kept, which the next line is compared with. */
export const mostCompared = 2_000;
const rateSeconds = 10;

export function createEventLog(): EventLog {
  let entries: Entry[] = [];
  let handedOut = false;
  let number = 0;
  let count = 0;
  let dropped = 0;
  let cleared = 0;
  let last: EventEntry | null = null;
  /** The last event of each resource; of the resources without one for longest it is forgotten. */
  const before = new Map<string, Record<string, unknown>>();
  /** Number of events of each of the last seconds. */
  const perSecond = new Map<number, number>();

  function append(entry: Entry): void {
    if (handedOut) entries = [...entries];
    handedOut = false;
    entries.push(entry);
    if (entries.length > mostEntries) {
      if (entries.shift()?.kind === 'EVENT') dropped += 1;
    }
  }

  return {
    entries() {
      handedOut = true;
      return entries;
    },
    count: () => count,
    dropped: () => dropped,
    cleared: () => cleared,
    last: () => last,
    rate(now) {
      const from = Math.floor(now / 1000) - rateSeconds;
      for (const second of perSecond.keys()) if (second <= from) perSecond.delete(second);
      return [...perSecond.values()].reduce((sum, each) => sum + each, 0) / rateSeconds;
    },
    add(event, now) {
      const value = Object.values(event.data ?? {})[0];
      const fields = typeof value === 'object' && value !== null ? value : { value };
      const known = fields as Record<string, unknown>;
      const identity = identityOf(known);
      const committed = typeof known.at === 'string' ? Date.parse(known.at) : Number.NaN;
      const second = Math.floor(now / 1000);
      perSecond.set(second, (perSecond.get(second) ?? 0) + 1);
      if (perSecond.size > 2 * rateSeconds) this.rate(now);
      last = {
        kind: 'EVENT',
        number: ++number,
        time: Number.isNaN(committed) ? now : committed,
        arrived: now,
        line: lineOf(known, before.get(identity) ?? null),
        event,
      };
      before.delete(identity);
      before.set(identity, known);
      if (before.size > mostCompared) before.delete(before.keys().next().value as string);
      count += 1;
      append(last);
    },
    mark: (text, now) => append({ kind: 'MARK', number: ++number, time: now, text }),
    clear() {
      cleared = count - dropped;
      entries = [];
      handedOut = false;
      before.clear();
    },
  };
}

const searched = new WeakMap<Entry, string>();

/** The text in which a search looks, in lower case. */
export function searchText(entry: Entry): string {
  const known = searched.get(entry);
  if (known !== undefined) return known;
  const text =
    entry.kind === 'MARK' ? entry.text : `${spoken(entry.line)} ${JSON.stringify(entry.event)}`;
  searched.set(entry, text.toLowerCase());
  return text.toLowerCase();
}

/** One event a line. */
export function jsonLines(entries: readonly Entry[]): string {
  return entries
    .map((entry) => (entry.kind === 'EVENT' ? `${JSON.stringify(entry.event)}\n` : ''))
    .join('');
}
