/**
 * A channel: an ordered sequence of items that a group of subscribers follows and can replay. The feed is
 * one; the lines of a runtime's log and the states of an operation are others.
 */
import type { LogPosition } from '../../store/log/log.ts';
import { endOf } from './cursor.ts';

/** Where a reader begins. */
export interface Beginning {
  /** Directly after this cursor; without it, at the present. */
  readonly after?: string | null;
  /** Without `after`: this many of the newest items come first, in order. */
  readonly last?: number | null;
}

/** Receives new items. Its functions must not throw, and must not call the channel. */
export interface Follower<Item> {
  /** New items, in order; the channel's position is after them. */
  onItems(items: readonly Item[]): void;
  /** Items are about to be skipped: the follower must replay from the present position. */
  onSkip(): void;
  /** Nothing more will come; with an error if the channel failed. */
  end(error?: unknown): void;
}

/** Reads the items from a beginning up to the present. */
export interface Replay<Item> {
  /**
   * Resolves when the position is established: no item that comes from then on is missed.
   *
   * @throws {CursorError} the cursor cannot be followed; the first `next` throws the same
   */
  ready(): Promise<void>;
  /** Everything up to here has been taken. */
  readonly position: LogPosition;
  /**
   * The next items, or a promise of them (the list may be empty) if they have to be read. Null, which is
   * never promised: everything up to the channel's position was taken.
   *
   * @throws {CursorError} the next items were pruned; the promise rejects with the same
   */
  next(): readonly Item[] | Promise<readonly Item[]> | null;
  /** Ends a read that is being repeated. */
  close(): void;
}

export interface Channel<Item extends LogPosition> {
  /** Its items are states: a follower that was sent one is not sent another that renders the same. */
  readonly isOfStates?: true;
  /** Everything up to here was passed to the followers. */
  readonly position: LogPosition;
  /** Passes items to a follower from now on, until the returned function is called. */
  follow(follower: Follower<Item>): () => void;
  /** Replays from a beginning, or from a position of a follower. */
  replay(from: Beginning | LogPosition): Replay<Item>;
  /** A bookmark: an item that states that everything up to the present position was delivered. */
  bookmark?(leftOut: number): Item;
}

/** The position directly before an item. */
export function before({ revision, place }: LogPosition): LogPosition {
  return place === 0 ? endOf(revision - 1) : { revision, place: place - 1 };
}
