/** What filters of several lists have in common, as conditions of Drizzle's relational queries. */
import type { Context } from '../base/context.ts';
import type { Where } from './page.ts';

/** Rows of the viewer's organization alone. */
export function owned({ viewer }: Context): Where {
  return { organizationId: viewer.organizationId };
}

/** One column is any of these; nothing where nothing was asked. */
export function anyOf(column: string, values: readonly unknown[] | null | undefined): Where {
  return values ? { [column]: { in: [...values] } } : {};
}

/** One column is this; nothing where nothing was asked. */
export function equal(column: string, value: unknown): Where {
  return value == null ? {} : { [column]: { eq: value } };
}

export interface Span {
  since?: Date | null;
  until?: Date | null;
}

/** One column lies within a span: its beginning included, its end not. */
export function within(column: string, span: Span | null | undefined): Where {
  if (!span?.since && !span?.until) return {};
  return {
    [column]: {
      ...(span.since ? { gte: span.since } : {}),
      ...(span.until ? { lt: span.until } : {}),
    },
  };
}

/** `text` as a pattern of ILIKE that finds it anywhere, its own `%` and `_` taken literally. */
export function containing(text: string): string {
  return `%${text.replace(/[\\%_]/g, '\\$&')}%`;
}

/** What every filter of a configured resource has. */
export interface ResourceFilter {
  key?: readonly string[] | null;
  text?: string | null;
  archived?: boolean | null;
}

/** The viewer's rows that match, and of these the archived ones or, as a rule, the others. */
export function resources(filter: ResourceFilter | null | undefined, context: Context): Where {
  const pattern = filter?.text ? containing(filter.text) : null;
  return {
    ...owned(context),
    archivedAt: filter?.archived ? { isNotNull: true } : { isNull: true },
    ...anyOf('key', filter?.key),
    ...(pattern ? { OR: [{ key: { ilike: pattern } }, { name: { ilike: pattern } }] } : {}),
  };
}

/** All of these conditions; each may have an `OR` of its own. */
export function allOf(...conditions: readonly Where[]): Where {
  return { AND: conditions.filter((condition) => Object.keys(condition).length > 0) };
}
