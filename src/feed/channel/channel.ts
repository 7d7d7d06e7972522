/**
 * What a group of readers follows: items at places of an order, those of now and those of before.
 * The feed is one, the lines of a runtime's log and the states of an operation are others.
 */
import type { LogPosition } from '../../store/log/log.ts';
import { endOf } from './cursor.ts';

/** Where a reader begins. */
export interface Beginning {
  /** Right behind this cursor; without it, now. */
  readonly after?: string | null;
  /** Without `after`: with the newest so many, the oldest of them first. */
  readonly last?: number | null;
}

/** Hears what is new. Nothing of it may throw, and nothing may call the channel back meanwhile. */
export interface Follower<Item> {
  /** New items, in order; the channel's position is behind them. */
  take(items: readonly Item[]): void;
  /** The position is about to jump: whoever stands at the present one has to look for itself. */
  recheck(): void;
  /** Nothing more will come, with an error if it failed. */
  end(error?: unknown): void;
}

/** A way from somewhere to the present. */
export interface Replay<Item> {
  /**
   * Resolves when the position is established: nothing that comes from now on is missed.
   *
   * @throws {CursorError} the cursor cannot be followed; the first `take` throws the same
   */
  ready(): Promise<void>;
  /** Everything up to here has been taken. */
  readonly position: LogPosition;
  /**
   * The next items; a promise (whose list may be empty) where they have to be read; null, and never
   * a promise of it: there is nothing up to the channel's position.
   *
   * @throws {CursorError} what comes next is gone; the promise rejects with the same
   */
  take(): readonly Item[] | Promise<readonly Item[]> | null;
  /** Ends attempts to read. */
  close(): void;
}

export interface Channel<Item extends LogPosition> {
  /** Its items are states: whoever was sent one need not be sent another that looks the same to them. */
  readonly isOfStates?: true;
  /** Everything up to here was handed to the followers. */
  readonly position: LogPosition;
  /** Items from now on, until the function is called. */
  follow(follower: Follower<Item>): () => void;
  /** From a beginning, or from a place where a follower was. */
  replay(from: Beginning | LogPosition): Replay<Item>;
  /** An item that says that everything up to the present position was delivered. */
  bookmark?(leftOut: number): Item;
}

/** The place right before an item. */
export function before({ revision, place }: LogPosition): LogPosition {
  return place === 0 ? endOf(revision - 1) : { revision, place: place - 1 };
}
