/**
 * Effects of entering a state, on a host and on its instances: a map from (trigger, state entered).
 * `host-table.ts` decides which state is entered.
 */
import type { Cause, HostSnapshot } from './change.ts';
import type { Draft, HostSet } from './draft.ts';
import {
  allAskedAgain,
  allOffline,
  allUnreachable,
  failWaiting,
  startDesired,
  stopAll,
  supersedeAll,
} from './effects.ts';
import type { Failure } from './failure.ts';
import { type HostAction, type HostState, hostStateFacts } from './host.ts';
import type { HostObservationName } from './host-table.ts';

export type HostTrigger = HostAction | HostObservationName;

export interface HostEntering {
  readonly trigger: HostTrigger;
  readonly operationId: string | null;
  readonly failure?: Failure;
  /** Further fields to set. */
  readonly set?: HostSet;
}

interface Entered extends HostEntering {
  /** The host with the sequence of the new state. */
  readonly next: HostSnapshot;
  readonly cause: Cause;
}

interface Effect {
  readonly set?: (host: HostSnapshot, entering: HostEntering) => HostSet;
  readonly after?: (draft: Draft, host: HostSnapshot, entered: Entered) => void;
}

const detailsOf = ({ code, message }: Failure) => ({ code, message });

const startContainers =
  (event: 'HOST_DEPLOYED' | 'HOST_BACK') =>
  (draft: Draft, host: HostSnapshot, { next, cause, operationId }: Entered): void => {
    draft.drop(host.id, ['DEPLOY_CONTAINER', 'CONFIRM_HOST']);
    if (!startDesired(draft, event, cause)) draft.addWork('CONFIRM_HOST', next, { operationId });
  };

const effects: Readonly<Partial<Record<`${HostTrigger | 'ANY'} ${HostState}`, Effect>>> = {
  'ANY DEPLOYING': {
    set: () => ({ failure: null, failedStage: null, address: null }),
    after: (draft, _host, { next, operationId }) =>
      draft.addWork('ALLOCATE_HOST', next, { operationId }),
  },
  'ANY CONFIGURING_DNS': {
    after: (draft, host, { next, operationId }) => {
      draft.drop(host.id, ['ALLOCATE_HOST']);
      draft.addWork('CONFIGURE_DNS', next, { operationId });
    },
  },
  'ANY DEPLOYING_CONTAINER': {
    after: (draft, host, { next, operationId }) => {
      draft.drop(host.id, ['CONFIGURE_DNS']);
      draft.addWork('DEPLOY_CONTAINER', next, { operationId });
    },
  },
  'CONTAINER_CREATED STARTING_CONTAINER': { after: startContainers('HOST_DEPLOYED') },
  'ANY STARTING_CONTAINER': { after: startContainers('HOST_BACK') },
  'ANY RUNNING': {
    set: () => ({ failure: null }),
    after: (draft, host, { next, cause }) => {
      draft.drop(host.id, ['CONFIRM_HOST', 'RESTART_CONTAINER']);
      checkNext(draft, next);
      if (host.state === 'RESTARTING_CONTAINER') startDesired(draft, 'CONTAINER_UP', cause);
      if (host.state === 'FAILED_HEALTH_CHECK') {
        allAskedAgain(draft);
        startDesired(draft, 'HOST_BACK', cause);
      }
    },
  },
  'ANY RESTARTING_HOST': {
    set: () => ({ failure: null }),
    after: (draft, host, { next, operationId }) => {
      draft.drop(host.id, ['CHECK_HOST']);
      draft.addWork('RESTART_HOST', next, { operationId });
      supersedeAll(draft, operationId);
    },
  },
  'ANY RESTARTING_CONTAINER': {
    after: (draft, _host, { next, cause, operationId }) => {
      draft.addWork('RESTART_CONTAINER', next, { operationId });
      stopAll(draft, cause, { comesBack: true });
    },
  },
  'ANY FAILED_DEPLOYMENT': {
    set: ({ state }, { failure }) => ({
      failedStage: state,
      ...(failure ? { failure, details: { stage: state, ...detailsOf(failure) } } : {}),
    }),
    after: (draft, host, { next, failure }) => {
      draft.drop(host.id, ['ALLOCATE_HOST', 'CONFIGURE_DNS', 'DEPLOY_CONTAINER']);
      draft.addWork('RELEASE_HOST', next);
      if (failure) failWaiting(draft, host, failure);
    },
  },
  'ANY FAILED_HEALTH_CHECK': {
    set: (_host, { failure }) => (failure ? { failure, details: detailsOf(failure) } : {}),
    after: (draft, host, { next, failure }) => {
      draft.drop(host.id, ['CONFIRM_HOST', 'RESTART_HOST', 'RESTART_CONTAINER']);
      checkNext(draft, next);
      if (failure) allUnreachable(draft, failure);
    },
  },
  'ANY OFFLINE': {
    set: () => ({
      handle: null,
      address: null,
      failure: null,
      failedStage: null,
      removing: false,
    }),
    after: (draft, host, { cause }) => {
      draft.drop(host.id, ['RELEASE_HOST', 'REMOVAL_DEADLINE', 'HOST_DEADLINE', 'CHECK_HOST']);
      allOffline(draft, cause, { restarting: false });
    },
  },
};

/** Enters a state and applies its effects. */
export function enterHost(
  draft: Draft,
  host: HostSnapshot,
  to: HostState,
  entering: HostEntering,
): void {
  const { trigger, operationId } = entering;
  const effect = effects[`${trigger} ${to}`] ?? effects[`ANY ${to}`];
  draft.host(host, to, { operationId, ...effect?.set?.(host, entering), ...entering.set });
  const next = { ...host, sequence: host.sequence + 1 };
  const transition = { resourceId: host.id, sequence: next.sequence };
  const cause = { operationId, transition };
  effect?.after?.(draft, host, { ...entering, next, cause });
}

/** Ends the operation of a host unless the state entered is transient. */
export function endHostOperation(
  draft: Draft,
  host: HostSnapshot,
  to: HostState,
  options: { failure?: Failure; status?: 'FAILED' | 'TIMED_OUT' } = {},
): void {
  const { class: stateClass } = hostStateFacts[to];
  if (stateClass === 'TRANSIENT') return;
  if (stateClass === 'ERROR') draft.end(host, options.status ?? 'FAILED', options.failure);
  else draft.end(host, 'SUCCEEDED');
}

function checkNext(draft: Draft, next: HostSnapshot): void {
  draft.addWork('CHECK_HOST', next, { dueInSeconds: draft.context.deadlines.healthCheck });
}
