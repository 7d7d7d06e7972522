/** Pages of a list: what to read, cursors, and the checks of arguments. Pure. */
import { type Column, getColumns, type Table } from 'drizzle-orm';
import { GraphQLError } from 'graphql';
import { isStorable } from '../../store/input/text.ts';
import { isUuid } from '../base/ids.ts';
import { defaultPageSize, maxPageSize } from '../base/limits.ts';
import type { Where } from '../base/reads.ts';
import { parseTime } from '../base/time.ts';

export type Direction = 'asc' | 'desc';

/** The order of a list: its name in cursors, and its columns, the last of which is unique. */
export interface Order {
  readonly name: string;
  readonly columns: readonly string[];
  readonly direction: Direction;
}

export interface PageArguments {
  first?: number | null;
  after?: string | null;
  last?: number | null;
  before?: string | null;
}

/** What to read for a page: one row more than shown, to know whether there is another page. */
export interface Page {
  readonly where: Where;
  readonly orderBy: Record<string, Direction>;
  readonly limit: number;
  /** The columns that cursors are made of. */
  readonly columns: Record<string, true>;
}

/** The bounds of a page: the values of its cursors, by column of the order, and the direction. */
export interface Bounds {
  readonly after: readonly unknown[] | null;
  readonly before: readonly unknown[] | null;
  /** The direction of reading: backwards from the end if `last` was given. */
  readonly direction: Direction;
  readonly limit: number;
}

/** The caller sent something that is not accepted; `message` says what would be right. */
export function badInput(message: string): GraphQLError {
  return new GraphQLError(message, { extensions: { code: 'BAD_USER_INPUT' } });
}

/**
 * The bounds of a page.
 *
 * @throws a GraphQLError if the arguments are out of range or a cursor does not fit this order
 */
export function boundsOf(table: Table, order: Order, args: PageArguments): Bounds {
  return {
    limit: pageSize(args) + 1,
    after: args.after == null ? null : parseCursor(table, order, args.after),
    before: args.before == null ? null : parseCursor(table, order, args.before),
    direction: isBackward(args) ? opposite(order.direction) : order.direction,
  };
}

/** Plans a page of a table; throws what `boundsOf` throws. */
export function planPage(table: Table, where: Where, order: Order, args: PageArguments): Page {
  const { after, before, direction, limit } = boundsOf(table, order, args);
  return {
    where: {
      AND: [
        where,
        ...(after ? [beyond(order, after, 'after')] : []),
        ...(before ? [beyond(order, before, 'before')] : []),
      ],
    },
    orderBy: Object.fromEntries(order.columns.map((column) => [column, direction])),
    limit,
    columns: columnsOf(order),
  };
}

const columnsOf = (order: Order): Record<string, true> =>
  Object.fromEntries(order.columns.map((column) => [column, true as const]));

/** The sides of a page that a cursor can bound. */
export type Side = 'after' | 'before';

/** Plans a read of one row outside of a bound of a page: its own row, or one on its other side. */
export function planOutside(table: Table, order: Order, args: PageArguments, side: Side): Outside {
  const bound = boundsOf(table, order, args)[side];
  const opposed = side === 'after' ? 'before' : 'after';
  return {
    where: bound ? beyond(order, bound, opposed, true) : null,
    orderBy: Object.fromEntries(order.columns.map((column) => [column, order.direction])),
    columns: columnsOf(order),
    limit: 1,
  };
}

export interface Outside extends Omit<Page, 'where'> {
  /** Null: the page has no such bound. */
  readonly where: Where | null;
}

interface Read<Flag> {
  readonly order: Order;
  readonly args: PageArguments;
  /** Are there rows outside of the bounds? Called for a bound that is given, if it matters. */
  outside(side: Side): Flag;
}

/** Makes the connection from the rows that the plan of a page has read. */
export function connectionOf<Row extends object, Flag extends boolean | Promise<boolean>>(
  rows: readonly Row[],
  { order, args, outside }: Read<Flag>,
) {
  const size = pageSize(args);
  const backward = isBackward(args);
  const more = rows.length > size;
  const shown = rows.slice(0, size);
  if (backward) shown.reverse();
  const edges = shown.map((node) => ({ cursor: cursorOf(node, order), node }));
  return {
    edges,
    pageInfo: {
      get hasNextPage(): boolean | Flag {
        return (!backward && more) || (args.before != null && outside('before'));
      },
      get hasPreviousPage(): boolean | Flag {
        return (backward && more) || (args.after != null && outside('after'));
      },
      startCursor: edges.at(0)?.cursor ?? null,
      endCursor: edges.at(-1)?.cursor ?? null,
    },
  };
}

function pageSize({ first, last }: PageArguments): number {
  if (first != null && last != null) {
    throw badInput('`first` and `last` exclude each other. Ask for one of them.');
  }
  const size = first ?? last ?? defaultPageSize;
  if (size < 1 || size > maxPageSize) {
    const argument = first != null ? 'first' : 'last';
    throw badInput(`\`${argument}\` is ${size}; it takes 1 to ${maxPageSize}. Ask for less.`);
  }
  return size;
}

function isBackward({ first, last }: PageArguments): boolean {
  return first == null && last != null;
}

function opposite(direction: Direction): Direction {
  return direction === 'asc' ? 'desc' : 'asc';
}

/**
 * The rows after or before a cursor, or with `orAt` its own row too. The first condition allows the use
 * of an index.
 */
function beyond(order: Order, values: readonly unknown[], side: Side, orAt = false): Where {
  const greater = (order.direction === 'asc') === (side === 'after');
  const operator = greater ? 'gt' : 'lt';
  const alternatives = order.columns.map((column, index) => ({
    AND: [
      ...order.columns.slice(0, index).map((earlier, at) => ({ [earlier]: { eq: values[at] } })),
      { [column]: { [operator]: values[index] } },
    ],
  }));
  if (orAt)
    alternatives.push({
      AND: order.columns.map((column, at) => ({ [column]: { eq: values[at] } })),
    });
  return {
    AND: [{ [order.columns[0] ?? '']: { [`${operator}e`]: values[0] } }, { OR: alternatives }],
  };
}

function cursorOf(row: object, order: Order): string {
  const values = order.columns.map((column) => (row as Record<string, unknown>)[column]);
  return Buffer.from(JSON.stringify([order.name, ...values])).toString('base64url');
}

function parseCursor(table: Table, order: Order, cursor: string): unknown[] {
  const parts = jsonOf(Buffer.from(cursor, 'base64url').toString('utf8'));
  const columns = getColumns(table) as Record<string, Column>;
  if (!Array.isArray(parts) || parts.length !== order.columns.length + 1) throw wrongCursor();
  if (parts[0] !== order.name) {
    throw wrongCursor(` It is of a list ordered by ${String(parts[0]).slice(0, 20)}.`);
  }
  return order.columns.map((name, index) => {
    const column = columns[name];
    const value = column && columnValue(column, parts[index + 1]);
    if (value === undefined) throw wrongCursor();
    return value;
  });
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** The value of a cursor for the column; undefined if it does not fit. */
function columnValue(column: Column, value: unknown): unknown {
  if (column.dataType.startsWith('number') || column.dataType.startsWith('bigint')) {
    return Number.isSafeInteger(value) ? value : undefined;
  }
  if (typeof value !== 'string' || !isStorable(value) || value.length > 1000) return undefined;
  if (column.dataType === 'object date') return parseTime(value) ?? undefined;
  if (column.enumValues?.length) return column.enumValues.includes(value) ? value : undefined;
  if (column.columnType === 'PgUUID') return isUuid(value) ? value : undefined;
  return value;
}

function wrongCursor(because = ''): GraphQLError {
  return new GraphQLError(
    `The cursor is not one of this list.${because} Take one from its \`edges\` or its \`pageInfo\`.`,
    { extensions: { code: 'CURSOR_INVALID' } },
  );
}
