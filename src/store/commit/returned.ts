/**
 * Whole rows from RETURNING. Each column has a prefixed name, so that rows of several tables can be
 * joined.
 */
import { getColumns, type Table } from 'drizzle-orm';
import { raw, type Sql } from './sql.ts';

export class Returned {
  /** The list for RETURNING; the table has the alias `t`. */
  readonly columns: Sql;
  /** The prefixed name of the column `id`. */
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

  /** The row with the table's own column names; null if the join has none. */
  take(row: Readonly<Record<string, unknown>>): Record<string, unknown> | null {
    const taken: Record<string, unknown> = {};
    for (const [name, returned] of this.names) taken[name] = row[returned];
    return taken.id ? taken : null;
  }
}
