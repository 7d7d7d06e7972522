/** The rows of a list in lines of one height: so many side by side, and a line for the name of each group. */
import type { Row } from '../live/row.ts';
import type { FleetList, Group } from './query.ts';

/** A group's name, or the rows from `from` up to `end`, itself excluded. */
export type Line = Group | { readonly from: number; readonly end: number };

export interface Layout {
  readonly lines: readonly Line[];
  readonly rows: readonly Row[];
  /** The line of each row. */
  readonly lineOf: Int32Array;
  readonly perLine: number;
}

export const isGroup = (line: object): line is Group => 'group' in line;

export function layoutOf(items: FleetList['lines'], perLine: number): Layout {
  const lines: Line[] = [];
  const rows: Row[] = [];
  const lineOf = new Int32Array(items.length);
  let open: { from: number; end: number } | null = null;
  for (const item of items) {
    if (isGroup(item)) {
      lines.push(item);
      open = null;
      continue;
    }
    if (!open || open.end - open.from === perLine) {
      open = { from: rows.length, end: rows.length };
      lines.push(open);
    }
    lineOf[rows.length] = lines.length - 1;
    open.end = rows.push(item);
  }
  return { lines, rows, lineOf: lineOf.subarray(0, rows.length), perLine };
}
