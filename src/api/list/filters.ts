/** Conditions that the filters of several lists share, for the relational queries of Drizzle. */
import { type Column, or, sql } from 'drizzle-orm';
import type { InputFields } from '../base/builder.ts';
import type { Where } from '../base/reads.ts';

/** The column has any of these values; no condition without a value. */
export function anyOf(column: string, values: readonly unknown[] | null | undefined): Where {
  return values ? { [column]: { in: [...values] } } : {};
}

/** The column has this value; no condition without a value. */
export function equal(column: string, value: unknown): Where {
  return value == null ? {} : { [column]: { eq: value } };
}

export interface Span {
  since?: Date | null;
  until?: Date | null;
}

/** The column lies within a span that includes its beginning and excludes its end. */
export function inSpan(column: string, span: Span | null | undefined): Where {
  if (!span?.since && !span?.until) return {};
  return {
    [column]: {
      ...(span.since ? { gte: span.since } : {}),
      ...(span.until ? { lt: span.until } : {}),
    },
  };
}

/** The rows that have `text` in any of these columns, without regard to case and accents. */
function containing(columns: readonly string[], text: string | null | undefined): Where {
  if (!text) return {};
  return {
    RAW: (table: Record<string, Column>) =>
      or(
        ...columns.map(
          (column) => sql`strpos(folded(${table[column]}), (select folded(${text}::text))) > 0`,
        ),
      ),
  };
}

/** The fields of every filter of a configured resource. */
export interface ResourceFilter {
  key?: readonly string[] | null;
  text?: string | null;
  archived?: boolean | null;
}

/** The fields of every filter of a configured resource. */
export const resourceFilterFields = (t: InputFields) => ({
  // A key that the store cannot hold is an unknown one (unstorable-text.ts).
  key: t.stringList({ extensions: { isReference: true } }),
  text: t.string(),
  archived: t.boolean(),
});

/** The matching rows: archived ones if the filter asks for them, otherwise the others. */
export function resources(filter: ResourceFilter | null | undefined): Where {
  return {
    archivedAt: filter?.archived ? { isNotNull: true } : { isNull: true },
    ...anyOf('key', filter?.key),
    ...containing(['key', 'name'], filter?.text),
  };
}

/** All of these conditions; each may contain an `OR`. */
export function allOf(...conditions: readonly Where[]): Where {
  const given = conditions.filter((condition) => Object.keys(condition).length > 0);
  return given.length > 0 ? { AND: given } : {};
}
