/**
 * Reads of what a viewer may see. Every resolver reads through this file: no other file of `api/` uses
 * the database, which a test checks.
 */
import { relationsFilterToSQL, type SQL, sql, type Table } from 'drizzle-orm';
import type { Drizzle } from '../../store/database/database.ts';
import { relations } from '../../store/table/relations.ts';
import type { Context } from './context.ts';
import type { Viewer } from './viewer.ts';

/** A filter as Drizzle's relational queries take it. */
export type Where = Record<string, unknown>;

type TableName = keyof typeof relations;

/** The tables that have rows of organizations. */
export type VisibleTable =
  | 'organizations'
  | {
      [Name in TableName]: 'organizationId' extends keyof (typeof relations)[Name]['table']
        ? Name
        : never;
    }[TableName];

export type Reads<Name extends VisibleTable> = Pick<
  Drizzle['query'][Name],
  'findFirst' | 'findMany'
>;

type Viewing = Pick<Context, 'store' | 'viewer'>;

/**
 * The organization whose rows and events a viewer may see. Viewers of the same scope see the same: it
 * is part of the key of a group of subscribers.
 */
export function scopeOf({ organizationId }: Viewer): string {
  return organizationId;
}

/** The rows of a table that a viewer may see. */
export function visibleTo(viewer: Viewer, name: VisibleTable): Where {
  if (name === 'organizations') return { id: scopeOf(viewer) };
  // A viewer sees its own key only.
  if (name === 'accessKeys') return { organizationId: scopeOf(viewer), id: viewer.accessKeyId };
  return { organizationId: scopeOf(viewer) };
}

interface AnyReads {
  findFirst(query: { where?: Where }): unknown;
  findMany(query: { where?: Where }): unknown;
}

/** The relational reads of Drizzle over a table, limited to the rows that the viewer may see. */
export function readsOf<Name extends VisibleTable>(
  { store, viewer }: Viewing,
  name: Name,
): Reads<Name> {
  const all = store.database.drizzle.query[name] as unknown as AnyReads;
  const visible = (query: { where?: Where } = {}) => ({
    ...query,
    where: query.where ? { AND: [visibleTo(viewer, name), query.where] } : visibleTo(viewer, name),
  });
  const reads: AnyReads = {
    findFirst: (query) => all.findFirst(visible(query)),
    findMany: (query) => all.findMany(visible(query)),
  };
  return reads as unknown as Reads<Name>;
}

/** Runs a query that the Drizzle plugin planned, over a table that is known only at run time. */
export function readRows<Row extends object = object>(
  context: Viewing,
  name: VisibleTable,
  query: object,
): Promise<Row[]> {
  return (readsOf(context, name) as unknown as AnyReads).findMany(query) as Promise<Row[]>;
}

/** The first row of such a query. */
export function readRow<Row extends object = object>(
  context: Viewing,
  name: VisibleTable,
  query: object,
): Promise<Row | undefined> {
  const reads = readsOf(context, name) as unknown as AnyReads;
  return reads.findFirst(query) as Promise<Row | undefined>;
}

/** Counts the matching rows that the viewer may see, in one statement. */
export function countRows(
  { store, viewer }: Viewing,
  name: VisibleTable,
  where: Where,
): Promise<number> {
  const table = relations[name].table as Table;
  const visible = { AND: [visibleTo(viewer, name), where] };
  return store.database.drizzle.$count(table as never, whereSql(name, visible));
}

const visibleTables = Object.entries(relations)
  .filter(([name, { table }]) => name === 'organizations' || 'organizationId' in table)
  .map(([name]) => name as VisibleTable);

/** The client of the Drizzle plugin, which reads the selected columns that a row lacks. */
export function clientOf(context: Viewing): Drizzle {
  const query = Object.fromEntries(visibleTables.map((name) => [name, readsOf(context, name)]));
  return { query } as unknown as Drizzle;
}

/** A relational filter as plain SQL over `table`, which may be an alias. */
export function whereSql(name: TableName, where: Where, table?: Table): SQL | undefined {
  const { sql: chunks } = relationsFilterToSQL(
    table ?? (relations[name].table as Table),
    where as never,
    relations[name].relations,
    relations,
    undefined,
  );
  return chunks && sql.join(chunks);
}
