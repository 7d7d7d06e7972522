/**
 * One reader of the feed. It holds a position and at most a page: what it has not taken yet stays in the
 * ring and in the table, so one that does not come back for a day costs what one that waits does.
 *
 *     behind the ring ── page of the table ──► in the ring ── revision by revision ──► waits in the hub
 *            ▲                                     │                                        │
 *            └──────── overtaken by the ring ──────┴────────────────────────────────────────┘
 */
import { setImmediate } from 'node:timers/promises';
import type { LogPage, LogPosition } from '../store/log.ts';
import type { CatchUp } from './catch-up.ts';
import { CursorError, comparePositions, endOf } from './cursor.ts';
import {
  byRevision,
  eventsOf,
  type FeedEvent,
  type LogEvent,
  type Selection,
  select,
} from './event.ts';
import { type Hub, later } from './hub.ts';

export interface SubscribeOptions {
  readonly organizationId: string;
  /** Begin right behind this cursor; without it the stream begins now. */
  readonly after?: string | null;
  /** Without `after`: begin with the newest so many matching events, the oldest of them first. */
  readonly last?: number | null;
  /** Events of this resource alone: cheaper than the same said in `matches`. */
  readonly resourceId?: string | null;
  readonly matches?: (event: LogEvent) => boolean;
  /** A bookmark so often, as soon as nothing is on its way. */
  readonly bookmarkSeconds?: number | null;
}

/** Batches of one revision: what one transaction committed comes together. */
export interface FeedSubscription extends AsyncIterableIterator<FeedEvent[]> {
  /**
   * Resolves when the position is established: nothing that commits from now on is missed.
   *
   * @throws {CursorError} the cursor cannot be followed; the first `next` throws the same
   */
  ready(): Promise<void>;
  return(): Promise<IteratorResult<FeedEvent[]>>;
}

/** What a subscription reads from. */
export interface Source {
  readonly hub: Hub;
  readonly catchUp: CatchUp;
  /** Takes in everything that has committed before the call. */
  refresh(): Promise<void>;
  /** Those that somebody reads, to be ended with the feed; null: it has ended. */
  readonly readers: Set<FeedSubscription> | null;
}

/** Revisions looked through before others get their turn. */
const LOOK_THROUGH = 1000;

export function openSubscription(source: Source, options: SubscribeOptions): FeedSubscription {
  const { hub, catchUp } = source;
  const selection: Selection = {
    organizationId: options.organizationId,
    resourceId: options.resourceId ?? null,
    matches: options.matches ?? null,
  };
  const reading = { selection, isOver: () => closed };
  let closed = false;
  let failed: unknown = null;
  let position: LogPosition = endOf(0);
  let generation = 0;
  /** Revisions read from the table, not taken yet; `position` is behind the last of them. */
  let page: FeedEvent[][] = [];
  let bookmarkDue = false;
  let bookmarks: NodeJS.Timeout | undefined;
  /** Ends the present wait for something new, and the present `next`. */
  let endWait: (() => void) | null = null;
  let endNext: (() => void) | null = null;
  let turn: Promise<unknown> = Promise.resolve();
  const established = establish();
  established.catch(() => {}); // Whoever asks gets it.

  async function establish(): Promise<void> {
    await hub.begun;
    if (options.after != null) {
      generation = hub.generation;
      position = hub.cursors.decode(selection.organizationId, options.after);
      if (!hub.ring.reaches(position)) await readPage();
      else if (comparePositions(position, hub.position) > 0) {
        // Of a node that is ahead of this one, or of a log that was longer once.
        if (position.revision > (await catchUp.state(reading)).newest) throw invalid();
      }
    } else {
      await source.refresh();
      generation = hub.generation;
      position = hub.position;
      if (options.last) page = await newest(options.last);
    }
  }

  /** From the first `next` on, so that one that nobody reads keeps nothing. */
  function begin(readers: Set<FeedSubscription>): void {
    if (readers.has(subscription)) return;
    readers.add(subscription);
    if (!options.bookmarkSeconds) return;
    bookmarks = setInterval(() => {
      bookmarkDue = true;
      endWait?.();
    }, options.bookmarkSeconds * 1000);
    bookmarks.unref();
  }

  /** The newest matching events up to the position, in the order of the log. */
  async function newest(count: number): Promise<FeedEvent[][]> {
    const found: LogEvent[] = [];
    for (let before = position; found.length < count; ) {
      const { rows, full } = await catchUp.before(before, reading);
      const events = select(eventsOf(rows, hub.cursors), selection, endOf(-1));
      found.push(...events.slice(0, count - found.length));
      before = rows.at(-1) ?? before;
      if (!full || closed) break;
    }
    return byRevision(found.reverse()).map(({ events }) => [...events]);
  }

  async function readPage(): Promise<void> {
    const through = hub.position.revision;
    const found = await catchUp.after(position, through, reading);
    check(found);
    const last = found.rows.at(-1)?.revision;
    page = byRevision(select(eventsOf(found.rows, hub.cursors), selection, position)).map(
      ({ events }) => [...events],
    );
    // A page that is not full has everything up to where it was read.
    const reached = found.full && last !== undefined ? last : Math.max(through, last ?? 0);
    position = later(position, endOf(reached));
  }

  /** May this page be the continuation of the position? */
  function check({ prunedThrough, newest: top }: LogPage): void {
    if (hub.generation !== generation || position.revision > top) throw invalid();
    if (comparePositions(position, endOf(prunedThrough)) >= 0) return;
    const oldest = hub.cursors.encode(selection.organizationId, endOf(prunedThrough));
    throw new CursorError('CURSOR_EXPIRED', oldest);
  }

  async function take(): Promise<FeedEvent[] | null> {
    await established;
    for (;;) {
      if (closed) return null;
      if (failed) throw failed;
      if (hub.generation !== generation) throw invalid();
      const read = page.shift();
      if (read) return read;
      if (!hub.ring.reaches(position)) {
        await readPage();
        continue;
      }
      const recent = hub.ring.after(position, LOOK_THROUGH);
      for (const { revision, events } of recent) {
        const selected = select(events, selection, position);
        position = later(position, endOf(revision));
        if (selected.length > 0) return selected;
      }
      if (recent.length === LOOK_THROUGH) {
        await setImmediate();
        continue;
      }
      position = later(position, hub.position);
      if (bookmarkDue) {
        bookmarkDue = false;
        const cursor = hub.cursors.encode(selection.organizationId, position);
        return [{ kind: 'BOOKMARK', cursor }];
      }
      const offered = await wait();
      if (offered) return offered;
    }
  }

  /** Waits in the hub; null: look again. */
  function wait(): Promise<FeedEvent[] | null> {
    return new Promise((resolve) => {
      const end = (events: LogEvent[] | null, reached: LogPosition) => {
        leave();
        endWait = null;
        position = later(position, reached);
        resolve(events);
      };
      const leave = hub.wait(selection.organizationId, {
        offer(events) {
          try {
            const selected = select(events, selection, position);
            if (selected.length === 0) return false;
            end(selected, endOf(selected[0]?.revision ?? 0));
          } catch (error) {
            failed = error; // Of `matches`: this reader's fault, and not the others' misfortune.
            end(null, position);
          }
          return true;
        },
        recheck: () => end(null, hub.position),
      });
      endWait = () => end(null, hub.position);
    });
  }

  function close(): void {
    if (closed) return;
    closed = true;
    clearInterval(bookmarks);
    page = [];
    endWait?.();
    endNext?.();
    source.readers?.delete(subscription);
  }

  function next(): Promise<IteratorResult<FeedEvent[]>> {
    return new Promise((resolve, reject) => {
      const done = () => resolve({ done: true, value: undefined });
      if (closed || !source.readers) return done();
      begin(source.readers);
      endNext = done;
      take()
        .then(
          (batch) => (batch && !closed ? resolve({ done: false, value: batch }) : done()),
          (error: unknown) => {
            if (closed) return done();
            reject(error);
            close();
          },
        )
        .finally(() => {
          endNext = null;
        });
    });
  }

  const subscription: FeedSubscription = {
    [Symbol.asyncIterator]: () => subscription,
    ready: () => established,
    next() {
      const taken = turn.then(next, next);
      turn = taken.catch(() => {});
      return taken;
    },
    async return() {
      close();
      return { done: true, value: undefined };
    },
  };
  return subscription;
}

function invalid(): CursorError {
  return new CursorError('CURSOR_INVALID');
}
