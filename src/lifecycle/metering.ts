/**
 * What is metered, and by which rows an interval opens and closes. The rules:
 * docs/lifecycle.md, "Metering".
 * Times are the database's; every interval names the (resource, sequence) of both rows.
 */
import { type HostState, hostStateFacts } from './host.ts';
import { type InstanceState, instanceStateFacts } from './instance.ts';
import type { Meter } from './table-types.ts';

/** The meter that runs while a host is in this state, or null. */
export function hostMeter(state: HostState): Meter | null {
  return hostStateFacts[state].billed ? 'COMPUTE' : null;
}

/** The meter that runs while an instance is in this state, or null. */
export function instanceMeter(state: InstanceState): Meter | null {
  return instanceStateFacts[state].meter;
}
