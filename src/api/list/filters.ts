/** Conditions that the filters of several lists share, for the relational queries of Drizzle. */
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
export function within(column: string, span: Span | null | undefined): Where {
  if (!span?.since && !span?.until) return {};
  return {
    [column]: {
      ...(span.since ? { gte: span.since } : {}),
      ...(span.until ? { lt: span.until } : {}),
    },
  };
}

/** A pattern of ILIKE that finds `text` anywhere, with `%` and `_` taken literally. */
export function containing(text: string): string {
  return `%${text.replace(/[\\%_]/g, '\\$&')}%`;
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
  const pattern = filter?.text ? containing(filter.text) : null;
  return {
    archivedAt: filter?.archived ? { isNotNull: true } : { isNull: true },
    ...anyOf('key', filter?.key),
    ...(pattern ? { OR: [{ key: { ilike: pattern } }, { name: { ilike: pattern } }] } : {}),
  };
}

/** All of these conditions; each may contain an `OR`. */
export function allOf(...conditions: readonly Where[]): Where {
  const given = conditions.filter((condition) => Object.keys(condition).length > 0);
  return given.length > 0 ? { AND: given } : {};
}
