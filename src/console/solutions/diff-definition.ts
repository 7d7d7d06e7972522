/** What changed between two documents, in words: listeners, messages, commands, settings and their parts. */

export interface Difference {
  readonly kind: 'ADDED' | 'REMOVED' | 'CHANGED';
  /** `Field temperature of message climate`. */
  readonly what: string;
  /** `maximum: 85 → 90`. */
  readonly detail: string;
  /** What it means for instances, where that is not plain. */
  readonly note?: string;
}

type Part = Readonly<Record<string, unknown>>;

/** The named parts of a part, and what one of them is called. */
interface Group {
  readonly of: string;
  readonly noun: string;
  readonly within?: readonly Group[];
}

const groups: readonly Group[] = [
  { of: 'settings', noun: 'setting' },
  { of: 'listeners', noun: 'listener' },
  { of: 'messages', noun: 'message', within: [{ of: 'fields', noun: 'field' }] },
  { of: 'inputCommands', noun: 'command', within: [{ of: 'parameters', noun: 'parameter' }] },
];

/** Both with their defaults. */
export function differences(before: unknown, after: unknown): Difference[] {
  const [old, now] = [partOf(before), partOf(after)];
  const own = propertyChanges(old, now, groups);
  return [
    ...(own ? [{ kind: 'CHANGED', what: 'The solution', detail: own } as const] : []),
    ...groups.flatMap((group) => inGroup(old, now, { group, owner: '' })),
  ];
}

function inGroup(
  old: Part,
  now: Part,
  { group, owner }: { group: Group; owner: string },
): Difference[] {
  const [before, after] = [partOf(old[group.of]), partOf(now[group.of])];
  const names = [...new Set([...Object.keys(before), ...Object.keys(after)])];
  return names.flatMap((name) => {
    const [was, is] = [before[name], after[name]];
    const what = `${capital(group.noun)} ${name}${owner && ` of ${owner}`}`;
    if (was === undefined)
      return [
        { kind: 'ADDED', what, detail: inWords(partOf(is)), ...noteOf(group, partOf(is)) } as const,
      ];
    if (is === undefined) return [{ kind: 'REMOVED', what, detail: '' } as const];
    const within = group.within ?? [];
    const detail = propertyChanges(partOf(was), partOf(is), within);
    return [
      ...(detail
        ? [{ kind: 'CHANGED', what, detail, ...noteOf(group, partOf(is), partOf(was)) } as const]
        : []),
      ...within.flatMap((inner) =>
        inGroup(partOf(was), partOf(is), { group: inner, owner: `${group.noun} ${name}` }),
      ),
    ];
  });
}

/** A setting that every instance has to give from now on. */
function noteOf(group: Group, is: Part, was?: Part): { note?: string } {
  const demands = (part: Part | undefined): boolean =>
    part?.required === true && part.default === undefined;
  if (group.of !== 'settings' || !demands(is) || demands(was)) return {};
  return { note: 'An instance that does not give it can not start with this version.' };
}

/** `maximum: 85 → 90`; empty: the same. */
function propertyChanges(old: Part, now: Part, apart: readonly Group[]): string {
  const names = [...new Set([...Object.keys(old), ...Object.keys(now)])];
  return names
    .filter((name) => !apart.some(({ of }) => of === name))
    .filter((name) => JSON.stringify(old[name]) !== JSON.stringify(now[name]))
    .map((name) => `${name}: ${shown(old[name])} → ${shown(now[name])}`)
    .join(', ');
}

const inWords = (part: Part): string =>
  Object.entries(part)
    .map(([name, value]) => `${name}: ${shown(value)}`)
    .join(', ');

function shown(value: unknown): string {
  if (value === undefined) return 'none';
  if (typeof value !== 'object' || value === null) return String(value);
  if (Array.isArray(value)) return value.length > 0 ? value.map(shown).join(' ') : 'none';
  const entries = Object.entries(value);
  const isNamed = entries.every(([, inner]) => typeof inner === 'object');
  if (entries.length === 0) return 'none';
  if (isNamed) return entries.map(([name]) => name).join(' ');
  return entries.map(([name, inner]) => `${name} ${shown(inner)}`).join(' ');
}

const partOf = (value: unknown): Part =>
  typeof value === 'object' && value !== null ? (value as Part) : {};

const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);
