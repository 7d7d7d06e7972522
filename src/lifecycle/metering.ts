/**
 * What is metered, and by which rows an interval opens and closes. Source: lifecycle.md, "Metering".
 * Times are the database's; every interval names the (resource, sequence) of both rows.
 */
import type { HostState } from './host.ts';
import type { InstanceState } from './instance.ts';

/** COMPUTE: a host that is billed. RUN: an instance that is RUNNING. PAUSED: one that is PAUSED. */
export const meters = ['COMPUTE', 'RUN', 'PAUSED'] as const;
export type Meter = (typeof meters)[number];

const billedHostStates: ReadonlySet<HostState> = new Set([
  'CONFIGURING_DNS',
  'DEPLOYING_CONTAINER',
  'STARTING_CONTAINER',
  'RUNNING',
  'RESTARTING_HOST',
  'RESTARTING_CONTAINER',
  'FAILED_HEALTH_CHECK',
]);

/** Is a host in this state billed for its compute? */
export function isBilled(state: HostState): boolean {
  return billedHostStates.has(state);
}

/** The meter that runs while a host is in this state, or null. */
export function hostMeter(state: HostState): Meter | null {
  return isBilled(state) ? 'COMPUTE' : null;
}

/** The meter that runs while an instance is in this state, or null. */
export function instanceMeter(state: InstanceState): Meter | null {
  if (state === 'RUNNING') return 'RUN';
  return state === 'PAUSED' ? 'PAUSED' : null;
}
