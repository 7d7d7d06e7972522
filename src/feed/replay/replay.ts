/**
 * A subscriber's replay from a cursor to the present. It holds a position and at most two pages; what it has
 * not taken stays in the ring and in the table, so a slow subscriber needs no more memory than a fast one.
 *
 *     behind the ring ── pages of the table ──► in the ring ──► at the position of the hub
 *            ▲                                       │
 *            └─────────── overtaken by the ring ─────┘
 */
import { setImmediate } from 'node:timers/promises';
import type { LogPage, LogPosition } from '../../store/log/log.ts';
import type { Beginning, Replay } from '../channel/channel.ts';
import { CursorError, comparePositions, endOf, later } from '../channel/cursor.ts';
import { eventsOf, type LogEvent, type Selection, select } from '../channel/event.ts';
import type { Hub } from './hub.ts';
import type { TableReads } from './table-reads.ts';

/** What a replay reads from. */
export interface Source {
  readonly hub: Hub;
  readonly tableReads: TableReads;
  /** Resolves when everything that was committed before the call has been processed. */
  refresh(): Promise<void>;
}

/** Revisions of the ring that one `next` filters. */
const maxRevisionsAtOnce = 200;

/** Opens a replay of the events that match a selection. Its position is established from the call on. */
export function openReplay(
  { hub, tableReads, refresh }: Source,
  selection: Selection,
  from: Beginning | LogPosition,
): Replay<LogEvent> {
  const reading = { selection, isOver: () => closed };
  let closed = false;
  let position: LogPosition = endOf(0);
  let generation = hub.generation;
  /** The next page, if it was requested in advance. */
  let ahead: { through: number; page: Promise<LogPage> } | null = null;
  /** Events that were read while the position was established; they are taken first. */
  let first: LogEvent[] = [];
  const established = establish();
  established?.catch(() => {}); // The error is handled by whoever awaits `ready`.

  function establish(): Promise<void> | null {
    if (!('revision' in from)) return begin(from);
    position = from;
    return null;
  }

  async function begin({ after, last }: Beginning): Promise<void> {
    await hub.begun;
    if (after == null) {
      await refresh();
      generation = hub.generation;
      position = hub.position;
      if (last) first = await newest(last);
      return;
    }
    generation = hub.generation;
    position = hub.cursors.decode(selection.organizationId, after);
    if (!hub.ring.reaches(position)) first = await readPage();
    else if (comparePositions(position, hub.position) > 0) {
      // The cursor is of a node that is ahead of this one, or of a log that has lost rows.
      const state = await tableReads.state(reading);
      if (state.epoch !== hub.epoch || position.revision > state.newest) throw invalid();
    }
  }

  /** The newest matching events up to the position, in the order of the log. */
  async function newest(count: number): Promise<LogEvent[]> {
    const found: LogEvent[] = [];
    for (let before = position; found.length < count; ) {
      const { rows, full, epoch } = await tableReads.before(before, reading);
      if (epoch !== hub.epoch) throw invalid();
      const events = select(eventsOf(rows, hub.cursors), selection, endOf(-1));
      found.push(...events.slice(0, count - found.length));
      before = rows.at(-1) ?? before;
      if (!full || closed) break;
    }
    return found.reverse();
  }

  async function readPage(): Promise<LogEvent[]> {
    const { through, page } = ahead ?? readAfter(position);
    ahead = null;
    const found = await page;
    check(found);
    const last = found.rows.at(-1)?.revision;
    const events = select(eventsOf(found.rows, hub.cursors), selection, position);
    // A page that is not full is complete up to the revision through which it was read.
    const reached = found.full && last !== undefined ? last : Math.max(through, last ?? 0);
    position = later(position, endOf(reached));
    // The database reads the next page while this one is rendered and written.
    if (found.full && !closed && !hub.ring.reaches(position)) ahead = readAfter(position);
    return events;
  }

  function readAfter(at: LogPosition) {
    const through = hub.position.revision;
    const page = tableReads.after(at, through, reading);
    page.catch(() => {}); // The error is handled when the page is taken.
    return { through, page };
  }

  /** @throws {CursorError} if the page does not continue the position */
  function check({ epoch, prunedThrough, newest: top }: LogPage): void {
    if (hub.generation !== generation || epoch !== hub.epoch || position.revision > top)
      throw invalid();
    if (comparePositions(position, endOf(prunedThrough)) >= 0) return;
    const oldest = hub.cursors.encode(selection.organizationId, endOf(prunedThrough));
    throw new CursorError('CURSOR_EXPIRED', oldest);
  }

  return {
    ready: () => established ?? Promise.resolve(),
    get position() {
      return position;
    },
    next() {
      if (hub.generation !== generation) throw invalid();
      if (first.length > 0) {
        const events = first;
        first = [];
        return events;
      }
      if (!hub.ring.reaches(position)) return readPage();
      const recent = hub.ring.after(position, maxRevisionsAtOnce);
      const found = recent.flatMap(({ events }) => select(events, selection, position));
      const last = recent.at(-1);
      if (last) position = later(position, endOf(last.revision));
      if (found.length > 0) return found;
      // No match in many revisions: yield to the event loop before the next ones are filtered.
      if (recent.length === maxRevisionsAtOnce) return setImmediate([]);
      position = later(position, hub.position);
      return null;
    },
    close() {
      closed = true;
    },
  };
}

function invalid(): CursorError {
  return new CursorError('CURSOR_INVALID');
}
