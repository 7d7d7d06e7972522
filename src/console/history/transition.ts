/** Transitions of the fleet: how they are asked for, and which of them match what is looked for. */

import { anyOf, spanNow } from '../operations/filters.tsx';
import type { ResourceName } from '../operations/operation.ts';

export interface Transition {
  readonly id: string;
  readonly sequence: number;
  readonly fromState: string;
  readonly toState: string;
  readonly at: string;
  readonly details: Readonly<Record<string, unknown>>;
  readonly resource: ResourceName;
  readonly actor: { readonly kind: string; readonly name: string };
  readonly operation: {
    readonly id: string;
    readonly kind: string;
    readonly reason: string | null;
  } | null;
  readonly causedBy: {
    readonly operation: { readonly kind: string; readonly resource: ResourceName } | null;
    readonly transition: { readonly toState: string; readonly resource: ResourceName } | null;
  } | null;
}

export interface TransitionPage {
  readonly nodes: readonly Transition[];
  readonly pageInfo: { readonly hasNextPage: boolean; readonly endCursor: string | null };
}

export interface Snapshot {
  readonly transitions: TransitionPage;
}

export interface Change {
  readonly changes: Partial<Transition>;
}

const fields = `id sequence fromState toState at details
  resource { __typename key } actor { kind name } operation { id kind reason }
  causedBy { operation { kind resource { __typename key } }
    transition { toState resource { __typename key } } }`;

export const pageSize = 100;

/** `feedPosition` is where the stream goes on. */
export const pageQuery = `query ($filter: TransitionFilter, $after: String) {
  feedPosition
  transitions(first: ${pageSize}, after: $after, filter: $filter,
    orderBy: { field: AT, direction: DESC }) {
    nodes { ${fields} } pageInfo { hasNextPage endCursor } } }`;

export const changesQuery = `subscription ($filter: ChangeFilter, $after: Cursor) {
  changes(filter: $filter, after: $after) {
    ... on InstanceTransition { ${fields} } ... on HostTransition { ${fields} } } }`;

export interface Wanted {
  readonly resourceKind: string | null;
  readonly instance: readonly string[] | null;
  readonly host: readonly string[] | null;
  readonly fromState: readonly string[] | null;
  readonly toState: readonly string[] | null;
  readonly at: { readonly since: string | null; readonly until: string | null } | null;
}

/** What the address looks for. */
export function wantedNow(): Wanted {
  return {
    resourceKind: anyOf('kind')?.[0] ?? null,
    instance: anyOf('instance'),
    host: anyOf('host'),
    fromState: anyOf('from'),
    toState: anyOf('to'),
    at: spanNow(),
  };
}

/** What the stream does not filter by itself. */
export function matches({ fromState, toState }: Wanted, transition: Transition): boolean {
  return (
    (fromState === null || fromState.includes(transition.fromState)) &&
    (toState === null || toState.includes(transition.toState))
  );
}
