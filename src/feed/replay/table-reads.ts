/** Reads of the log table for readers that are behind the ring. Their number at a time is limited. */
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
import { inReadTime, readWhileAway } from '../channel/while-away.ts';

/** `isOver` tells that the reader has left: the read is not repeated any more. */
export interface TableReadOptions {
  readonly selection: Selection;
  readonly isOver: () => boolean;
}

export interface TableReads {
  /** A page of rows after the position, none above `through`. */
  after(position: LogPosition, through: number, options: TableReadOptions): Promise<LogPage>;
  /** A page of rows before the position, newest first. */
  before(position: LogPosition, options: TableReadOptions): Promise<LogPage>;
  state(options: TableReadOptions): Promise<LogState>;
}

const pageRows = 200;

/** Creates the reads of a node. Reads are repeated until the database answers. */
export function createTableReads(database: Database, maxConcurrentReads: number): TableReads {
  let free = maxConcurrentReads;
  const queue: (() => void)[] = [];

  /** Takes a slot for each attempt, not for the wait between two attempts. */
  function read<T>(isOver: () => boolean, statement: () => Promise<T>): Promise<T> {
    return readWhileAway(async () => {
      if (free > 0) free -= 1;
      else await new Promise<void>((resolve) => queue.push(resolve));
      try {
        return await inReadTime(statement());
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
    limit: pageRows,
  });
  return {
    after: (position, through, { selection, isOver }) =>
      read(isOver, () => readLogAfter(database, position, { ...selected(selection), through })),
    before: (position, { selection, isOver }) =>
      read(isOver, () => readLogBefore(database, position, selected(selection))),
    state: ({ isOver }) => read(isOver, () => readLogState(database)),
  };
}
