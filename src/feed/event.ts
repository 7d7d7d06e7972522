/** What a reader of the feed is handed: rows of the log, and bookmarks between them. */
import type { LogPosition, LogRow } from '../store/log.ts';
import type { Cursors } from './cursor.ts';

export interface LogEvent extends LogRow {
  /** Of the hub's, which all readers share; else of one reader's page. */
  readonly isShared: boolean;
  /** Right behind this event, for its own organization. */
  readonly cursor: string;
}

/** Nothing up to this cursor is still to come. */
export interface Bookmark extends LogPosition {
  readonly kind: 'BOOKMARK';
  readonly cursor: string;
  /** Events before it that were left out, for later ones of their resources came. */
  readonly leftOut: number;
}

export type FeedEvent = LogEvent | Bookmark;

/** The rows of one revision that one transaction committed together. */
export interface Revision {
  readonly revision: number;
  readonly events: readonly LogEvent[];
}

/** The bookmark of a position: behind everything that stands there. */
export function bookmarkAt(
  { revision, place }: LogPosition,
  cursor: string,
  leftOut = 0,
): Bookmark {
  return { kind: 'BOOKMARK', cursor, leftOut, revision, place: place + 1 };
}

/** The events of rows; a cursor is made when somebody asks for it. */
export function eventsOf(rows: readonly LogRow[], cursors: Cursors, isShared = false): LogEvent[] {
  return rows.map((row) => {
    let cursor: string | undefined;
    return {
      isShared,
      revision: row.revision,
      place: row.place,
      organizationId: row.organizationId,
      kind: row.kind,
      resourceKind: row.resourceKind,
      resourceId: row.resourceId,
      sequence: row.sequence,
      from: row.from,
      to: row.to,
      at: row.at,
      operationId: row.operationId,
      causedByOperationId: row.causedByOperationId,
      causedByResourceId: row.causedByResourceId,
      causedBySequence: row.causedBySequence,
      actor: row.actor,
      details: row.details,
      get cursor() {
        cursor ??= cursors.encode(row.organizationId, row);
        return cursor;
      },
    };
  });
}

/** Events in the order of the log, those of a revision together. */
export function byRevision(events: readonly LogEvent[]): Revision[] {
  const revisions: { revision: number; events: LogEvent[] }[] = [];
  for (const event of events) {
    const last = revisions.at(-1);
    if (last?.revision === event.revision) last.events.push(event);
    else revisions.push({ revision: event.revision, events: [event] });
  }
  return revisions;
}

/** Which events a reader gets. */
export interface Selection {
  readonly organizationId: string;
  /** Events of this resource alone. */
  readonly resourceId: string | null;
  readonly matches: ((event: LogEvent) => boolean) | null;
}

/** The events of a revision behind a position that the selection asks for. */
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
