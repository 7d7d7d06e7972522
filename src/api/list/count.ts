/** Counts of the matching rows of a relation, within the statement of their parent. */
import { aliasedTable, and, type Column, eq, getColumns, sql, type Table } from 'drizzle-orm';
import { relations } from '../../store/table/relations.ts';
import type { Context } from '../base/context.ts';
import { type VisibleTable, type Where, whereSql } from '../base/reads.ts';

interface RelatedCount {
  readonly parent: VisibleTable;
  readonly relation: string;
  readonly where: Where;
}

const counts = new WeakMap<object, Map<string, unknown>>();

/**
 * Counts the matching rows of a relation, within the statement that reads its parent. The planner
 * compares such functions by identity, so the same count must be the same function.
 */
export function countRelated(context: Context, filter: unknown, count: RelatedCount): unknown {
  const known = counts.get(context) ?? new Map<string, unknown>();
  counts.set(context, known);
  const id = JSON.stringify([count.parent, count.relation, filter]);
  const made = known.get(id) ?? ((parent: Table) => relatedCountSql(parent, count));
  known.set(id, made);
  return made;
}

function relatedCountSql(parentTable: Table, { parent, relation: name, where }: RelatedCount) {
  const relation = (relations[parent].relations as Record<string, Relation>)[name];
  if (!relation) throw new Error(`No relation ${name} of ${parent}.`);
  const counted = aliasedTable(relation.targetTable, 'counted');
  const joined = relation.sourceColumns.map((column, index) =>
    eq(columnOf(counted, relation.targetColumns[index]), columnOf(parentTable, column)),
  );
  const condition = and(...joined, whereSql(relation.targetTableName, where, counted));
  const rows = sql`(select count(*) from ${relation.targetTable} as "counted" where ${condition})`;
  return rows.mapWith(Number);
}

interface Relation {
  readonly targetTable: Table;
  readonly targetTableName: VisibleTable;
  readonly sourceColumns: readonly RelationColumn[];
  readonly targetColumns: readonly RelationColumn[];
}

/** A column as a relation names it. */
interface RelationColumn {
  readonly _: { readonly key: string };
}

function columnOf(table: Table, named: RelationColumn | undefined): Column {
  const column = (getColumns(table) as Record<string, Column>)[named?._.key ?? ''];
  if (!column) throw new Error(`No column ${named?._.key}.`);
  return column;
}
