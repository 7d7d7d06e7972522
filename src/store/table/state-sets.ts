/** Sets of states and statuses as SQL lists, made from the facts and tables of `lifecycle/`. */
import { downHostStates, hostStateFacts, hostStates } from '../../lifecycle/host.ts';
import { hostObservations } from '../../lifecycle/host-table.ts';
import { instanceStateFacts, instanceStates } from '../../lifecycle/instance.ts';
import { instanceObservations } from '../../lifecycle/instance-table.ts';
import { activeStatuses } from '../../lifecycle/operation.ts';

const listOf = (values: readonly string[]): string =>
  `(${values.map((value) => `'${value}'`).join(', ')})`;

/** Operations that have not ended. */
export const active = listOf(activeStatuses);

/** Hosts that carry no instance but OFFLINE ones. */
export const downHosts = listOf(downHostStates);

/** Hosts that are up, without a transition in progress. */
export const liveHosts = listOf(
  hostStates.filter((state) => hostStateFacts[state].class === 'LIVE'),
);

/** Instances that are up, without a transition in progress. */
export const liveInstances = listOf(
  instanceStates.filter((state) => instanceStateFacts[state].class === 'LIVE'),
);

/** Instances whose runtime must be present: its absence is a failure. */
export const watchedInstances = listOf(
  instanceStates.filter((state) => {
    const cell = instanceObservations.RUNTIME_GONE[state];
    return cell && 'effect' in cell && cell.effect === 'FAIL';
  }),
);

const edgesOf = (row: (typeof hostObservations)['DNS_ANSWERS']): string =>
  hostStates
    .flatMap((from) => {
      const cell = row[from];
      return cell && 'enters' in cell ? [`('${from}', '${cell.enters}')`] : [];
    })
    .join(', ');

/** The host transitions caused by an answer of the name server, as `(from, to)`. */
export const dnsConfirmations = `(${edgesOf(hostObservations.DNS_ANSWERS)})`;
