/** Counts of the matching rows of a relation, and whether there are any, in the statement of their parent. */
import {
  aliasedTable,
  and,
  type Column,
  eq,
  getColumns,
  type SQL,
  sql,
  type Table,
} from 'drizzle-orm';
import { relations } from '../../store/table/relations.ts';
import type { Context } from '../base/context.ts';
import { type VisibleTable, type Where, whereSql } from '../base/reads.ts';

interface Related {
  readonly parent: VisibleTable;
  readonly relation: string;
  readonly where: Where;
}

const counts = new WeakMap<object, Map<string, unknown>>();

/**
 * Counts the matching rows of a relation, within the statement that reads its parent. The planner
 * compares such functions by identity, so the same count must be the same function.
 */
export function countRelated(context: Context, filter: unknown, related: Related): unknown {
  return sameFor(context, [related.parent, related.relation, filter], (parent) => {
    const { rows, table } = relatedSql(parent, related);
    return sql`(select count(*) from ${table} as "counted" where ${rows})`.mapWith(Number);
  });
}

/** Are there matching rows? `id` tells apart the conditions of one relation. */
export function relatedExists(context: Context, id: unknown, related: Related): unknown {
  return sameFor(context, [related.parent, related.relation, id, 'exists'], (parent) => {
    const { rows, table } = relatedSql(parent, related);
    return sql`exists (select from ${table} as "counted" where ${rows})`.mapWith(Boolean);
  });
}

/** The same function for the same id. */
function sameFor(context: Context, id: unknown, make: (parent: Table) => SQL): unknown {
  const known = counts.get(context) ?? new Map<string, unknown>();
  counts.set(context, known);
  const text = JSON.stringify(id);
  const made = known.get(text) ?? make;
  known.set(text, made);
  return made;
}

function relatedSql(parentTable: Table, { parent, relation: name, where }: Related) {
  const relation = (relations[parent].relations as Record<string, Relation>)[name];
  if (!relation) throw new Error(`No relation ${name} of ${parent}.`);
  const counted = aliasedTable(relation.targetTable, 'counted');
  const joined = relation.sourceColumns.map((column, index) =>
    eq(columnOf(counted, relation.targetColumns[index]), columnOf(parentTable, column)),
  );
  const condition = and(...joined, whereSql(relation.targetTableName, where, counted));
  return { table: relation.targetTable, rows: condition };
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
