/** What the address asks of the fleet: filter, order, group and form. */
import { hostAppearance, instanceAppearance } from '../../lifecycle/appearance.ts';
import type { Row } from '../live/row.ts';
import { appearanceOf, type ResourceKind } from '../part/state-sign.tsx';
import type { KnownValues } from '../part/unknown.ts';

export const sortNames = {
  errors: 'Errors first',
  key: 'Key',
  state: 'State',
  since: 'Since',
  desired: 'Desired',
  solution: 'Solution',
  host: 'Host',
  size: 'Size',
  address: 'Address',
  labels: 'Labels',
  note: 'Note',
} as const;
export type Sort = keyof typeof sortNames;

export interface FleetQuery {
  readonly kind: ResourceKind;
  /** Lower case. */
  readonly text: string;
  readonly states: readonly string[];
  readonly reachability: string;
  readonly isDiverged: boolean;
  /** `site` or `site=north`. */
  readonly label: string;
  readonly host: string;
  readonly solution: string;
  readonly sort: Sort;
  readonly isDescending: boolean;
  /** `state`, `host`, `solution` or `label:NAME`. Empty: no groups. */
  readonly group: string;
  readonly isWall: boolean;
}

export function readQuery(path: readonly string[], query: URLSearchParams): FleetQuery {
  const of = (name: string): string => query.get(name) ?? '';
  const sort = of('sort').replace(/^-/, '');
  return {
    kind: path[0] === 'hosts' ? 'HOST' : 'INSTANCE',
    text: of('text').trim().toLowerCase(),
    states: of('state').split(',').filter(Boolean),
    reachability: of('reachability'),
    isDiverged: of('diverged') === 'true',
    label: of('label').trim(),
    host: of('host').trim(),
    solution: of('solution'),
    sort: Object.hasOwn(sortNames, sort) ? (sort as Sort) : 'errors',
    isDescending: of('sort').startsWith('-'),
    group: of('group'),
    isWall: of('view') === 'wall',
  };
}

/** The names in the address that filter; without them everything matches. */
export const filterNames = [
  ...['text', 'state', 'reachability', 'diverged'],
  ...['label', 'host', 'solution'],
] as const;

/** What is shown: the rows that match, in order, and the counts of the buttons. */
export interface FleetList {
  readonly lines: readonly (Row | Group)[];
  readonly matching: number;
  /** All of the kind, in the same order. */
  readonly all: readonly Row[];
  /** Of the rows that match everything but the filter by state. */
  readonly byState: ReadonlyMap<string, number>;
}

export interface Group {
  readonly group: string;
  readonly count: number;
  readonly errors: number;
}

/** `before`: all rows in the order of the list before this one. What is nearly sorted is soon sorted. */
export function listOf(
  rows: ReadonlyMap<string, Row>,
  query: FleetQuery,
  before: Iterable<Row> = [],
): FleetList {
  const all = new Set<Row>();
  for (const { id } of before) {
    const row = rows.get(id);
    if (row?.kind === query.kind) all.add(row);
  }
  for (const row of rows.values()) if (row.kind === query.kind) all.add(row);
  const sorted = [...all].sort(orderOf(query));
  const matching = sorted.filter((row) => matches(row, query));
  const byState = new Map<string, number>();
  for (const { state } of matching) byState.set(state, (byState.get(state) ?? 0) + 1);
  const { states, group } = query;
  const found = states.length ? matching.filter(({ state }) => states.includes(state)) : matching;
  return {
    lines: group ? grouped(found, group) : found,
    matching: found.length,
    all: sorted,
    byState,
  };
}

function matches(row: Row, query: FleetQuery): boolean {
  if (query.text && !row.text.includes(query.text)) return false;
  if (query.reachability && (query.reachability === 'UNKNOWN') === row.isConfirmed) return false;
  if (query.isDiverged && row.isConverged) return false;
  if (query.host && row.host !== query.host) return false;
  if (query.solution && row.solution !== query.solution) return false;
  if (!query.label) return true;
  const [name, ...value] = query.label.split('=');
  return row.labels.some(
    (label) => label.name === name && (value.length === 0 || label.value === value.join('=')),
  );
}

/** What stands in the cell of a column; what is sorted by. */
const sortText: Readonly<Record<Exclude<Sort, 'errors' | 'key' | 'state'>, (row: Row) => string>> =
  {
    since: (row) => row.since,
    desired: (row) => row.desired ?? '',
    solution: (row) => `${row.solution} ${row.version}`,
    host: (row) => row.host,
    size: (row) => row.size,
    address: (row) => row.address,
    labels: (row) => row.labels.map(({ name, value }) => `${name}=${value}`).join(' '),
    note: noteOf,
  };

function orderOf({ sort, isDescending }: FleetQuery): (a: Row, b: Row) => number {
  const byKey = (a: Row, b: Row) => compare(a.sortKey, b.sortKey);
  const first =
    sort === 'errors'
      ? (a: Row, b: Row) => Number(b.isError) - Number(a.isError)
      : sort === 'key'
        ? byKey
        : sort === 'state'
          ? (a: Row, b: Row) => stateRank(a.kind, a.state) - stateRank(b.kind, b.state)
          : (a: Row, b: Row) => compare(sortText[sort](a), sortText[sort](b));
  const sign = isDescending ? -1 : 1;
  return (a, b) => sign * first(a, b) || byKey(a, b);
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

const tones = ['ERROR', 'BUSY', 'HELD', 'OFF', 'GOOD'];

/** Errors first, then what is on its way. */
function ranked(kind: ResourceKind, states: readonly string[]): ReadonlyMap<string, number> {
  const rank = (state: string) => tones.indexOf(appearanceOf(kind, state).tone);
  return new Map(
    [...states].sort((a, b) => rank(a) - rank(b)).map((state, index) => [state, index]),
  );
}
const ranks: Readonly<Record<ResourceKind, ReadonlyMap<string, number>>> = {
  INSTANCE: ranked('INSTANCE', Object.keys(instanceAppearance)),
  HOST: ranked('HOST', Object.keys(hostAppearance)),
};
/** All states, errors first. */
export const statesOf = (kind: ResourceKind): readonly string[] => [...ranks[kind].keys()];
/** What the address may say; the other names take any text. */
export const knownValues = (kind: ResourceKind): KnownValues => ({
  state: statesOf(kind),
  reachability: ['OK', 'UNKNOWN'],
  diverged: ['true'],
  sort: (value) => Object.hasOwn(sortNames, value.replace(/^-/, '')),
  group: (value) => /^(state|host|solution|label:.+)$/.test(value),
  view: ['wall'],
});
const stateRank = (kind: ResourceKind, state: string): number =>
  ranks[kind].get(state) ?? ranks[kind].size;

/** Failure, operation, and who is silent: whatever there is. */
export function noteOf({ failure, operation, silent }: Row): string {
  const because = silent ? `${silent === 'HOST' ? 'Host' : 'Runtime'} is silent` : null;
  return [failure, operation, because].filter(Boolean).join(' · ');
}

function grouped(rows: readonly Row[], group: string): (Row | Group)[] {
  const groups = new Map<string, Row[]>();
  for (const row of rows) {
    const name = groupOf(row, group);
    const list = groups.get(name);
    if (list) list.push(row);
    else groups.set(name, [row]);
  }
  const kind = rows[0]?.kind ?? 'INSTANCE';
  const order =
    group === 'state'
      ? (a: string, b: string) => stateRank(kind, a) - stateRank(kind, b)
      : (a: string, b: string) => Number(a === '') - Number(b === '') || compare(a, b);
  return [...groups.keys()].sort(order).flatMap((name) => {
    const list = groups.get(name) ?? [];
    const errors = list.filter(({ isError }) => isError).length;
    return [{ group: nameOf(kind, group, name), count: list.length, errors }, ...list];
  });
}

function groupOf(row: Row, group: string): string {
  if (group === 'state') return row.state;
  if (group === 'host') return row.host;
  if (group === 'solution') return row.solution;
  const name = group.replace(/^label:/, '');
  return row.labels.find((label) => label.name === name)?.value ?? '';
}

function nameOf(kind: ResourceKind, group: string, value: string): string {
  if (group === 'state') return appearanceOf(kind, value).word;
  return value || `Without ${group.replace(/^label:/, 'the label ')}`;
}
