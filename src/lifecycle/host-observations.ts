/**
 * Decides observations of a host: reports of its driver, health checks, deadlines. Null: the
 * observation does not apply in the present state, and nothing is written.
 * The rules: docs/lifecycle.md, "Edges" and "Hosts and their instances".
 */
import {
  type Change,
  type DecisionContext,
  type HostSnapshot,
  type InstanceSnapshot,
  isRemoving,
  type Snapshot,
} from './change.ts';
import { Draft, type HostSet } from './draft.ts';
import { allOffline } from './effects.ts';
import { type Failure, failureAt } from './failure.ts';
import { type HostState, hostStateFacts } from './host.ts';
import { isLive } from './host-commands.ts';
import { endHostOperation, enterHost } from './host-entry.ts';
import { type HostEffectName, type HostObservationName, hostObservations } from './host-table.ts';

export type HostObservation =
  /** The compute is online and has an address. */
  | { readonly kind: 'HOST_ONLINE'; readonly handle: unknown; readonly address: string }
  /** The name server answered with the A record. */
  | { readonly kind: 'DNS_ANSWERS' }
  | { readonly kind: 'CONTAINER_CREATED'; readonly imageDigest: string }
  /** The stage failed and is not retried. */
  | { readonly kind: 'STAGE_FAILED'; readonly failure: Failure }
  /** The host answered while it was starting. */
  | { readonly kind: 'HOST_ANSWERS' }
  /** The driver restarts the compute; every runtime that was on it is gone. */
  | { readonly kind: 'RUNTIMES_GONE'; readonly handle: unknown; readonly address: string }
  | { readonly kind: 'CONTAINER_UP' }
  | { readonly kind: 'HOST_CHECKED'; readonly answers: boolean; readonly reason: string }
  /** The driver confirmed that everything allocated is released. */
  | { readonly kind: 'HOST_RELEASED' }
  | {
      readonly kind: 'HOST_DEADLINE';
      /** The sequence that the deadline was set at. */
      readonly sequence: number;
      /** Whether the host answered a last check. */
      readonly answers: boolean;
      readonly cause: Failure | null;
    }
  | {
      readonly kind: 'REMOVAL_DEADLINE';
      readonly operationId: string;
      readonly cause: Failure | null;
    };

/** The table row of an observation. A removal suspends all rows but its own. */
function rowOf(observation: HostObservation, host: HostSnapshot): HostObservationName | null {
  const removing = isRemoving(host);
  switch (observation.kind) {
    case 'HOST_RELEASED':
      return removing ? 'HOST_REMOVED' : 'COMPUTE_RELEASED';
    case 'HOST_CHECKED':
      if (removing) return null;
      return observation.answers ? 'CHECK_ANSWERED' : 'CHECK_MISSED';
    case 'REMOVAL_DEADLINE':
      return null;
    default:
      return removing ? null : observation.kind;
  }
}

/** Decides an observation of the host of `snapshot`, whose instances are all that name it. */
export function observeHost(
  snapshot: Snapshot,
  observation: HostObservation,
  context: DecisionContext,
): Change | null {
  const { host } = snapshot;
  if (!host) return null;
  const draft = new Draft(snapshot, context);
  if (observation.kind === 'REMOVAL_DEADLINE') {
    return expireRemoval(draft, host, observation) ? draft.done() : null;
  }
  const trigger = rowOf(observation, host);
  const cell = trigger && hostObservations[trigger][host.state];
  if (!cell || waitsForInstances(trigger, host.state, snapshot.instances)) return null;
  if ('enters' in cell) {
    enter(draft, host, { to: cell.enters, trigger, observation });
    return draft.done();
  }
  return affect[cell.effect](draft, host, observation) ? draft.done() : null;
}

/** Some rows apply only once no instance is in transition. */
function waitsForInstances(
  trigger: HostObservationName,
  state: HostState,
  instances: readonly InstanceSnapshot[],
): boolean {
  switch (trigger) {
    case 'CONTAINER_UP':
    case 'HOST_REMOVED':
      return instances.some(isLive);
    case 'HOST_ANSWERS':
      // A runtime is being started: its own report, or its failure, ends the wait.
      return (
        state === 'STARTING_CONTAINER' &&
        instances.some((each) => each.state === 'STARTING_RUNTIME')
      );
    default:
      return false;
  }
}

function enter(
  draft: Draft,
  host: HostSnapshot,
  how: { to: HostState; trigger: HostObservationName; observation: HostObservation },
): void {
  const { to, trigger, observation } = how;
  const failure = hostStateFacts[to].class === 'ERROR' ? failureFrom(host, observation) : undefined;
  const operationId = host.operation?.id ?? null;
  enterHost(draft, host, to, { trigger, operationId, failure, set: seenIn(observation) });
  const status = observation.kind === 'HOST_DEADLINE' ? 'TIMED_OUT' : 'FAILED';
  endHostOperation(draft, host, to, { failure, status });
}

/** Fields that the observation itself carries. */
function seenIn(observation: HostObservation): HostSet {
  switch (observation.kind) {
    case 'HOST_ONLINE': {
      const { handle, address } = observation;
      return { handle, address, details: { address } };
    }
    case 'CONTAINER_CREATED': {
      const { imageDigest } = observation;
      return { imageDigest, details: { imageDigest } };
    }
    default:
      return {};
  }
}

/** False: the observation does not apply. */
type Decide = (draft: Draft, host: HostSnapshot, observation: HostObservation) => boolean;

const affect: Readonly<Record<HostEffectName, Decide>> = {
  EXPIRE: (draft, host, observation) => {
    const { deadline } = hostStateFacts[host.state];
    if (observation.kind !== 'HOST_DEADLINE' || !deadline) return false;
    if (observation.sequence !== host.sequence) return false;
    const to = (observation.answers && deadline.ifItAnswers) || deadline.onExpiry;
    enter(draft, host, { to, trigger: 'HOST_DEADLINE', observation });
    return true;
  },
  LOSE_RUNTIMES: (draft, host, observation) => {
    if (observation.kind !== 'RUNTIMES_GONE') return false;
    const { handle, address } = observation;
    const operationId = host.operation?.id ?? null;
    draft.host(host, null, { operationId, handle, address });
    draft.drop(host.id, ['RESTART_HOST']);
    draft.addWork('CONFIRM_HOST', host, { operationId });
    const transition = { resourceId: host.id, sequence: host.sequence };
    allOffline(draft, { operationId, transition }, { restarting: true });
    return true;
  },
  FORGET_COMPUTE: (draft, host) => {
    draft.host(host, null, { handle: null, address: null });
    draft.drop(host.id, ['RELEASE_HOST']);
    return true;
  },
};

/** The removal's deadline passed: its operation ends, and the suspended work resumes. */
function expireRemoval(
  draft: Draft,
  host: HostSnapshot,
  { operationId, cause }: Extract<HostObservation, { kind: 'REMOVAL_DEADLINE' }>,
): boolean {
  if (!isRemoving(host) || host.operation?.id !== operationId) return false;
  draft.host(host, null, { operationId, removing: false });
  draft.drop(host.id, ['REMOVAL_DEADLINE', 'RELEASE_HOST']);
  const first = cause ? `First cause: ${cause.message} ` : '';
  const message = `Host ${host.key} could not be removed in time. ${first}Call removeHost again.`;
  draft.end(host, 'TIMED_OUT', failureAt('REMOVING', 'DEADLINE_EXCEEDED', message));
  const { deadline, checked } = hostStateFacts[host.state];
  if (deadline) draft.addWork('HOST_DEADLINE', host);
  if (hostObservations.COMPUTE_RELEASED[host.state]) draft.addWork('RELEASE_HOST', host);
  if (checked) draft.addWork('CHECK_HOST', host);
  return true;
}

/** The failure that an observation reports. */
function failureFrom({ key, state }: HostSnapshot, observation: HostObservation): Failure {
  switch (observation.kind) {
    case 'STAGE_FAILED':
      return observation.failure;
    case 'HOST_CHECKED': {
      const message = `The host did not answer its health check: ${observation.reason}`;
      return failureAt(state, 'HOST_SILENT', message);
    }
    case 'HOST_DEADLINE': {
      const { cause } = observation;
      const first = cause ? ` First cause: ${cause.message}` : '';
      const message = `Host ${key} was ${state} for too long.${first}`;
      const failure = failureAt(state, 'DEADLINE_EXCEEDED', message);
      return { ...failure, logTail: cause?.logTail ?? null };
    }
    default:
      return failureAt(state, observation.kind, `${observation.kind} while ${state}.`);
  }
}
