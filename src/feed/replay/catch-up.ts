/** Reads of the table by readers that the ring does not reach, a few at a time. */
import type { Database } from '../../store/database/database.ts';
import {
  type LogPage,
  type LogPosition,
  type LogState,
  readLogAfter,
  readLogBefore,
  readLogState,
} from '../../store/log/log.ts';
import type { Selection } from '../channel/event.ts';
import { answered, readWhileAway } from '../channel/while-away.ts';

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

const PAGE_ROWS = 200;

/** Catch-ups of a node: at most so many reads at a time, each again until the database answers. */
export function createCatchUp(database: Database, atATime: number): CatchUp {
  let free = atATime;
  const queue: (() => void)[] = [];

  /** One of those at a time; who waits for the database lets others ask it too. */
  function read<T>(isOver: () => boolean, statement: () => Promise<T>): Promise<T> {
    return readWhileAway(async () => {
      if (free > 0) free -= 1;
      else await new Promise<void>((resolve) => queue.push(resolve));
      try {
        return await answered(statement());
      } finally {
        const next = queue.shift();
        if (next) next();
        else free += 1;
      }
    }, isOver);
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
