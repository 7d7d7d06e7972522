/** Filters resources by their labels. */
import { and, type Column, type SQL, sql } from 'drizzle-orm';
import type { Where } from '../base/reads.ts';

export interface LabelFilterShape {
  readonly name: string;
  readonly value?: readonly string[] | null;
}

/** One condition for each label of a filter. */
export function labelled(filters: readonly LabelFilterShape[] | null | undefined): Where[] {
  return (filters ?? []).map(({ name, value }) => ({
    RAW: ({ labels }: { labels: Column }): SQL | undefined => {
      const found = sql`(${labels} ->> ${name}::text)`;
      if (!value) return sql`${found} is not null`;
      const values = JSON.stringify(value);
      return and(sql`${found} in (select jsonb_array_elements_text(${values}::text::jsonb))`);
    },
  }));
}
