/** Reads of the table by readers that the ring does not reach, a few at a time. */
import { setTimeout as sleep } from 'node:timers/promises';
import { type Database, isConnectionError } from '../store/database.ts';
import {
  type LogPage,
  type LogPosition,
  type LogState,
  readLogAfter,
  readLogBefore,
  readLogState,
} from '../store/log.ts';
import { within } from '../store/notifier.ts';
import type { Selection } from './event.ts';

/** What is read for whom; `isOver` ends the attempts when the reader has gone. */
export interface CatchUpOptions {
  readonly selection: Selection;
  readonly isOver: () => boolean;
}

export interface CatchUp {
  /** A page of what is behind the position; none above `through`. */
  after(position: LogPosition, through: number, options: CatchUpOptions): Promise<LogPage>;
  /** A page of what is before the position, newest first. */
  before(position: LogPosition, options: CatchUpOptions): Promise<LogPage>;
  state(options: CatchUpOptions): Promise<LogState>;
}

const PAGE_ROWS = 500;
const READ_SECONDS = 10;
const RETRY_MS = { first: 50, most: 2000 };

/** Catch-ups of a node: at most so many reads at a time, each again until the database answers. */
export function createCatchUp(database: Database, atATime: number): CatchUp {
  let free = atATime;
  const queue: (() => void)[] = [];

  async function read<T>(isOver: () => boolean, statement: () => Promise<T>): Promise<T> {
    for (let attempt = 0; ; attempt += 1) {
      if (free > 0) free -= 1;
      else await new Promise<void>((resolve) => queue.push(resolve));
      try {
        return await within(READ_SECONDS, statement());
      } catch (error) {
        if (!isConnectionError(error) || isOver()) throw error;
      } finally {
        const next = queue.shift();
        if (next) next();
        else free += 1;
      }
      const ms = Math.min(RETRY_MS.most, RETRY_MS.first * 2 ** attempt);
      await sleep(ms, undefined, { ref: false });
    }
  }

  const selected = ({ organizationId, resourceId }: Selection) => ({
    organizationId,
    resourceId,
    limit: PAGE_ROWS,
  });
  return {
    after: (position, through, { selection, isOver }) =>
      read(isOver, () => readLogAfter(database, position, { ...selected(selection), through })),
    before: (position, { selection, isOver }) =>
      read(isOver, () => readLogBefore(database, position, selected(selection))),
    state: ({ isOver }) => read(isOver, () => readLogState(database)),
  };
}
