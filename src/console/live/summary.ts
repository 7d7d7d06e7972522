/** How the fleet stands: the light stream that every view has, and by which the connection is live. */
import { computed, signal } from '@preact/signals';
import { connection, readServerTime } from '../app/connection.ts';
import { missed } from '../app/missed.ts';
import { appearanceOf, type ResourceKind } from '../part/state-sign.tsx';
import { keepOpen } from '../resource/keep-open.ts';

interface StateCount {
  readonly state: string;
  readonly count: number;
}

export interface Summary {
  readonly instanceCount: number;
  readonly hostCount: number;
  readonly unreachableCount: number;
  readonly instancesByState: readonly StateCount[];
  readonly hostsByState: readonly StateCount[];
  readonly at: string;
}

/** Null: not known yet. */
export const summary = signal<Summary | null>(null);

/** How many are in error, and in which states. */
export interface Errors {
  readonly count: number;
  readonly states: readonly string[];
}

const errorsOf = (kind: ResourceKind, counts: readonly StateCount[] = []): Errors => {
  const errors = counts.filter(({ state }) => appearanceOf(kind, state).tone === 'ERROR');
  return {
    count: errors.reduce((sum, { count }) => sum + count, 0),
    states: errors.map(({ state }) => state),
  };
};

export const instanceErrors = computed(() => errorsOf('INSTANCE', summary.value?.instancesByState));
export const hostErrors = computed(() => errorsOf('HOST', summary.value?.hostsByState));

const query = /* GraphQL */ `
  subscription FleetSummary {
    fleet {
      instanceCount
      hostCount
      unreachableCount
      instancesByState { state count }
      hostsByState { state count }
      at
    }
  }`;

connection.subscribe((state) => {
  if (state === 'LIVE') void readServerTime();
});

/** Begins once, with the page. */
export function followSummary(): void {
  keepOpen<{ fleet: Summary }>({ query }, ({ data }) => {
    if (!data) return;
    summary.value = data.fleet;
    missed.confirmed(data.fleet.at);
  });
}
