/** One reader of the feed by itself: a replay, and then whatever comes, as an async iterator. */
import type { Beginning, Replay } from '../channel/channel.ts';
import { comparePositions, endOf } from '../channel/cursor.ts';
import {
  bookmarkAt,
  byRevision,
  type FeedEvent,
  type LogEvent,
  type Selection,
  select,
} from '../channel/event.ts';
import { openReplay, type Source } from './replay.ts';

export interface SubscribeOptions extends Beginning {
  readonly organizationId: string;
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

/** Those that somebody reads, to be ended with the feed; null: it has ended. */
export type Readers = Set<FeedSubscription> | null;

export function openSubscription(
  source: Source & { readonly readers: Readers },
  options: SubscribeOptions,
): FeedSubscription {
  const { hub } = source;
  const selection = selectionOf(options);
  let closed = false;
  let failed: unknown = null;
  let replay: Replay<LogEvent> = openReplay(source, selection, options);
  const established = replay.ready();
  /** Taken from the replay, not yet from here. */
  let taken: FeedEvent[][] = [];
  let bookmarkDue = false;
  let bookmarks: NodeJS.Timeout | undefined;
  /** Ends the present wait for something new, and the present `next`. */
  let endWait: (() => void) | null = null;
  let endNext: (() => void) | null = null;
  let turn: Promise<unknown> = Promise.resolve();

  /** From the first `next` on, so that one that nobody reads keeps nothing. */
  function begin(readers: NonNullable<Readers>): void {
    if (readers.has(subscription)) return;
    readers.add(subscription);
    if (!options.bookmarkSeconds) return;
    bookmarks = setInterval(() => {
      bookmarkDue = true;
      endWait?.();
    }, options.bookmarkSeconds * 1000);
    bookmarks.unref();
  }

  async function take(): Promise<FeedEvent[] | null> {
    await established;
    for (;;) {
      if (closed) return null;
      if (failed) throw failed;
      const batch = taken.shift();
      if (batch) return batch;
      const found = replay.take();
      if (found) {
        taken = byRevision(await found).map(({ events }) => [...events]);
        continue;
      }
      if (bookmarkDue) {
        bookmarkDue = false;
        const { position } = replay;
        return [bookmarkAt(position, hub.cursors.encode(selection.organizationId, position))];
      }
      const offered = await wait();
      if (offered) return offered;
    }
  }

  /** Waits in the hub; null: look again. */
  function wait(): Promise<FeedEvent[] | null> {
    const { generation } = hub;
    return new Promise((resolve) => {
      const end = (events: LogEvent[] | null, reached = hub.position) => {
        leave();
        endWait = null;
        // Behind what the hub has handed on; one that has become another says so at the next take.
        if (hub.generation === generation && comparePositions(reached, replay.position) > 0)
          replay = openReplay(source, selection, reached);
        resolve(events);
      };
      const leave = hub.wait(selection.organizationId, {
        offer(events) {
          try {
            const selected = select(events, selection, replay.position);
            if (selected.length === 0) return false;
            end(selected, endOf(selected[0]?.revision ?? 0));
          } catch (error) {
            failed = error; // Of `matches`: this reader's fault, and not the others' misfortune.
            end(null);
          }
          return true;
        },
        recheck: () => end(null),
      });
      endWait = () => end(null);
    });
  }

  function close(): void {
    if (closed) return;
    closed = true;
    clearInterval(bookmarks);
    taken = [];
    replay.close();
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
      const batch = turn.then(next, next);
      turn = batch.catch(() => {});
      return batch;
    },
    async return() {
      close();
      return { done: true, value: undefined };
    },
  };
  return subscription;
}

/** What the options ask for. */
export function selectionOf(
  options: Pick<SubscribeOptions, 'organizationId' | 'resourceId' | 'matches'>,
): Selection {
  const { organizationId, resourceId, matches } = options;
  return { organizationId, resourceId: resourceId ?? null, matches: matches ?? null };
}
