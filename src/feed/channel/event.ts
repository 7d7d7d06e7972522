/** The items of the feed: rows of the log, and bookmarks between them. */
import type { LogPosition, LogRow } from '../../store/log/log.ts';
import type { Cursors } from './cursor.ts';

export class LogEvent implements LogRow {
  readonly revision: number;
  readonly place: number;
  readonly organizationId: string;
  readonly kind: LogRow['kind'];
  readonly resourceKind: LogRow['resourceKind'];
  readonly resourceId: string;
  readonly sequence: number;
  readonly from: string | null;
  readonly to: string | null;
  readonly at: Date;
  readonly operationId: string | null;
  readonly causedByOperationId: string | null;
  readonly causedByResourceId: string | null;
  readonly causedBySequence: number | null;
  readonly actor: LogRow['actor'];
  readonly details: LogRow['details'];
  /** It is one object for all subscribers of the node, so its rendering may be cached. */
  readonly isFromRing: boolean;
  readonly #cursors: Cursors;
  #cursor: string | null = null;

  constructor(row: LogRow, cursors: Cursors, isFromRing: boolean) {
    this.revision = row.revision;
    this.place = row.place;
    this.organizationId = row.organizationId;
    this.kind = row.kind;
    this.resourceKind = row.resourceKind;
    this.resourceId = row.resourceId;
    this.sequence = row.sequence;
    this.from = row.from;
    this.to = row.to;
    this.at = row.at;
    this.operationId = row.operationId;
    this.causedByOperationId = row.causedByOperationId;
    this.causedByResourceId = row.causedByResourceId;
    this.causedBySequence = row.causedBySequence;
    this.actor = row.actor;
    this.details = row.details;
    this.isFromRing = isFromRing;
    this.#cursors = cursors;
  }

  /** The cursor directly after this event, for its organization; encoded on first use. */
  get cursor(): string {
    this.#cursor ??= this.#cursors.encode(this.organizationId, this);
    return this.#cursor;
  }
}

/** States that everything up to its cursor was delivered. */
export interface Bookmark extends LogPosition {
  readonly kind: 'BOOKMARK';
  readonly cursor: string;
  /** Earlier events that were left out because later ones of the same resources were sent. */
  readonly leftOut: number;
}

export type FeedEvent = LogEvent | Bookmark;

/** The rows of one revision that one transaction committed together. */
export interface Revision {
  readonly revision: number;
  readonly events: readonly LogEvent[];
}

/** The bookmark of a position; it is ordered directly after that position. */
export function bookmarkAt(
  { revision, place }: LogPosition,
  cursor: string,
  leftOut = 0,
): Bookmark {
  return { kind: 'BOOKMARK', cursor, leftOut, revision, place: place + 1 };
}

/** Makes events of rows. */
export function eventsOf(
  rows: readonly LogRow[],
  cursors: Cursors,
  isFromRing = false,
): LogEvent[] {
  return rows.map((row) => new LogEvent(row, cursors, isFromRing));
}

/** Groups events by revision; they are in the order of the log. */
export function byRevision(events: readonly LogEvent[]): Revision[] {
  const revisions: { revision: number; events: LogEvent[] }[] = [];
  for (const event of events) {
    const last = revisions.at(-1);
    if (last?.revision === event.revision) last.events.push(event);
    else revisions.push({ revision: event.revision, events: [event] });
  }
  return revisions;
}

/** The events that a reader gets. */
export interface Selection {
  readonly organizationId: string;
  /** Only events of this resource. */
  readonly resourceId: string | null;
  readonly matches: ((event: LogEvent) => boolean) | null;
}

/** The events after a position that match the selection. */
export function select(
  events: readonly LogEvent[],
  selection: Selection,
  after: LogPosition,
): LogEvent[] {
  return events.filter(
    (event) =>
      event.organizationId === selection.organizationId &&
      (event.revision > after.revision ||
        (event.revision === after.revision && event.place > after.place)) &&
      (selection.resourceId === null || event.resourceId === selection.resourceId) &&
      (selection.matches === null || selection.matches(event)),
  );
}
