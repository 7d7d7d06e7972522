/** What an address asks for that a view does not know, as after a typing error. */

/** The values that a name takes, as a list or by a rule; several are separated by commas. */
export type KnownValues = Readonly<
  Record<string, readonly string[] | ((value: string) => boolean)>
>;

export interface UnknownValue {
  readonly name: string;
  readonly value: string;
  /** The values of the name that are known; null: none. */
  readonly rest: string | null;
}

export function unknownIn(query: URLSearchParams, known: KnownValues): readonly UnknownValue[] {
  return Object.entries(known).flatMap(([name, values]) => {
    const isKnown = (value: string): boolean =>
      typeof values === 'function' ? values(value) : values.includes(value);
    const asked = (query.get(name) ?? '').split(',').filter(Boolean);
    const unknown = asked.filter((value) => !isKnown(value));
    if (unknown.length === 0) return [];
    return { name, value: unknown.join(', '), rest: asked.filter(isKnown).join(',') || null };
  });
}

export const isMoment = (text: string): boolean => !Number.isNaN(new Date(text).getTime());
