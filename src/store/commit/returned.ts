/** Whole rows from RETURNING: each column under a name of its own, so that rows may be joined. */
import { getColumns, type Table } from 'drizzle-orm';
import { raw, type Sql } from './sql.ts';

export class Returned {
  /** For RETURNING; the table is `t`. */
  readonly columns: Sql;
  /** What the column `id` is called. */
  readonly id: Sql;
  private readonly names: readonly (readonly [name: string, returned: string])[];

  /** @param prefix of the columns' names, one for each table of a statement */
  constructor(table: Table, prefix: string) {
    const columns = Object.entries(getColumns(table));
    this.names = columns.map(([name], at) => [name, `${prefix}${at}`]);
    this.id = raw(`${prefix}${columns.findIndex(([name]) => name === 'id')}`);
    this.columns = raw(
      columns.map(([, column], at) => `t."${column.name}" as ${prefix}${at}`).join(', '),
    );
  }

  /** The row as the table's readers know it; null where there is none in the join. */
  take(row: Readonly<Record<string, unknown>>): Record<string, unknown> | null {
    const taken: Record<string, unknown> = {};
    for (const [name, returned] of this.names) taken[name] = row[returned];
    return taken.id ? taken : null;
  }
}
