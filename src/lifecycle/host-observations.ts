/**
 * What an observation of a host does: its driver's word, a health check, a deadline. Null means
 * that the observation has nothing to say to the state the host is in; nothing is written.
 * Source: lifecycle.md, second host table and "What a host does to its instances".
 */
import { type Cause, type Change, type Context, isRemoving, type World } from './change.ts';
import { Draft } from './draft.ts';
import { allAskedAgain, allOffline, allUnreachable, failWaiting, startDesired } from './effects.ts';
import type { Failure } from './errors.ts';
import { checkedHostStates, type HostState, hostStateFacts } from './host.ts';
import { isLive } from './host-commands.ts';
import { errorInstanceStates } from './instance.ts';

export type HostObservation =
  /** The compute is online and has an address. */
  | { readonly kind: 'HOST_ONLINE'; readonly handle: unknown; readonly address: string }
  /** The name server answered with the A record. */
  | { readonly kind: 'DNS_ANSWERS' }
  | { readonly kind: 'CONTAINER_CREATED'; readonly imageDigest: string }
  /** The stage cannot succeed any more. */
  | { readonly kind: 'STAGE_FAILED'; readonly failure: Failure }
  /** Asked while it starts up, the host answered. */
  | { readonly kind: 'HOST_ANSWERS' }
  /** The driver restarts the compute; every runtime that was on it is gone. */
  | { readonly kind: 'RUNTIMES_GONE'; readonly handle: unknown; readonly address: string }
  | { readonly kind: 'CONTAINER_UP' }
  | { readonly kind: 'HOST_CHECKED'; readonly answers: boolean; readonly reason: string }
  /** All that was ever allocated is confirmed gone. */
  | { readonly kind: 'HOST_RELEASED' }
  | {
      readonly kind: 'HOST_DEADLINE';
      /** The sequence that the deadline was set at. */
      readonly sequence: number;
      /** Whether the host answered when it was asked once more. */
      readonly answers: boolean;
      readonly cause: Failure | null;
    }
  | {
      readonly kind: 'REMOVAL_DEADLINE';
      readonly operationId: string;
      readonly cause: Failure | null;
    };

const upDesired = ['RUNNING', 'PAUSED'] as const;

/** Decides an observation of the host of `world`, whose instances are all that name it. */
export function observeHost(
  world: World,
  observation: HostObservation,
  context: Context,
): Change | null {
  const { host } = world;
  if (!host) return null;
  const draft = new Draft(world, context);
  const entered = { ...host, sequence: host.sequence + 1 };
  const operationId = host.operation?.id ?? null;
  const cause: Cause = {
    operationId,
    transition: { resourceId: host.id, sequence: entered.sequence },
  };
  const { state } = host;

  const run = (from: HostState): void => {
    draft.host(host, 'RUNNING', { operationId, failure: null });
    draft.drop(host.id, ['CONFIRM_HOST', 'RESTART_CONTAINER']);
    draft.addWork('CHECK_HOST', entered, { dueInSeconds: context.deadlines.healthCheck });
    draft.end(host, 'SUCCEEDED');
    if (from === 'RESTARTING_CONTAINER') {
      startDesired(draft, {
        desired: upDesired,
        from: ['OFFLINE', 'STOPPED', ...errorInstanceStates],
        cause,
      });
    }
  };
  const failDeployment = (failure: Failure, status: 'FAILED' | 'TIMED_OUT'): void => {
    draft.host(host, 'FAILED_DEPLOYMENT', {
      operationId,
      failure,
      failedStage: state,
      details: { stage: state, code: failure.code, message: failure.message },
    });
    draft.drop(host.id, ['ALLOCATE_HOST', 'CONFIGURE_DNS', 'DEPLOY_CONTAINER']);
    draft.addWork('RELEASE_HOST', entered);
    draft.end(host, status, failure);
    failWaiting(draft, host, failure);
  };
  const failHealthCheck = (failure: Failure, status: 'FAILED' | 'TIMED_OUT'): void => {
    draft.host(host, 'FAILED_HEALTH_CHECK', {
      operationId,
      failure,
      details: { code: failure.code, message: failure.message },
    });
    draft.drop(host.id, ['CONFIRM_HOST', 'RESTART_HOST', 'RESTART_CONTAINER']);
    draft.addWork('CHECK_HOST', entered, { dueInSeconds: context.deadlines.healthCheck });
    draft.end(host, status, failure);
    allUnreachable(draft, failure);
  };

  switch (observation.kind) {
    case 'HOST_ONLINE':
      if (state !== 'DEPLOYING' || isRemoving(host)) return null;
      draft.host(host, 'CONFIGURING_DNS', {
        operationId,
        handle: observation.handle,
        address: observation.address,
        details: { address: observation.address },
      });
      draft.drop(host.id, ['ALLOCATE_HOST']);
      draft.addWork('CONFIGURE_DNS', entered, { operationId });
      break;
    case 'DNS_ANSWERS':
      if (state !== 'CONFIGURING_DNS' || isRemoving(host)) return null;
      draft.host(host, 'DEPLOYING_CONTAINER', { operationId });
      draft.drop(host.id, ['CONFIGURE_DNS']);
      draft.addWork('DEPLOY_CONTAINER', entered, { operationId });
      break;
    case 'CONTAINER_CREATED':
      if (state !== 'DEPLOYING_CONTAINER' || isRemoving(host)) return null;
      draft.host(host, 'STARTING_CONTAINER', {
        operationId,
        imageDigest: observation.imageDigest,
        details: { imageDigest: observation.imageDigest },
      });
      draft.drop(host.id, ['DEPLOY_CONTAINER']);
      if (!startDesired(draft, { desired: ['RUNNING'], from: ['OFFLINE'], cause })) {
        draft.addWork('CONFIRM_HOST', entered, { operationId });
      }
      break;
    case 'STAGE_FAILED':
      if (!isDeploying(state) || isRemoving(host)) return null;
      failDeployment(observation.failure, 'FAILED');
      break;
    case 'HOST_ANSWERS':
      if (isRemoving(host)) return null;
      if (state === 'RESTARTING_HOST') {
        draft.drop(host.id, ['CONFIRM_HOST']);
        draft.host(host, 'STARTING_CONTAINER', { operationId });
        if (!startDesired(draft, { desired: upDesired, from: ['OFFLINE'], cause })) {
          draft.addWork('CONFIRM_HOST', entered, { operationId });
        }
        break;
      }
      if (state !== 'STARTING_CONTAINER') return null;
      if (world.instances.some((instance) => instance.state === 'STARTING_RUNTIME')) return null;
      run(state);
      break;
    case 'RUNTIMES_GONE':
      if (state !== 'RESTARTING_HOST' || isRemoving(host)) return null;
      draft.host(host, null, {
        operationId,
        handle: observation.handle,
        address: observation.address,
      });
      draft.drop(host.id, ['RESTART_HOST']);
      draft.addWork('CONFIRM_HOST', host, { operationId });
      allOffline(
        draft,
        { operationId, transition: { resourceId: host.id, sequence: host.sequence } },
        { restarting: true },
      );
      break;
    case 'CONTAINER_UP':
      if (state !== 'RESTARTING_CONTAINER' || isRemoving(host)) return null;
      if (world.instances.some(isLive)) return null;
      run(state);
      break;
    case 'HOST_CHECKED': {
      if (isRemoving(host)) return null;
      if (observation.answers) {
        if (state !== 'FAILED_HEALTH_CHECK') return null;
        run(state);
        allAskedAgain(draft);
        startDesired(draft, { desired: upDesired, from: ['OFFLINE'], cause });
        break;
      }
      if (state !== 'RUNNING' && state !== 'RESTARTING_CONTAINER') return null;
      failHealthCheck(silent(state, observation.reason), 'FAILED');
      break;
    }
    case 'HOST_RELEASED':
      if (!isRemoving(host)) {
        if (state !== 'FAILED_DEPLOYMENT') return null;
        draft.host(host, null, { handle: null, address: null });
        draft.drop(host.id, ['RELEASE_HOST']);
        break;
      }
      if (world.instances.some(isLive)) return null;
      draft.host(host, 'OFFLINE', {
        operationId,
        handle: null,
        address: null,
        failure: null,
        failedStage: null,
        removing: false,
      });
      draft.drop(host.id, ['RELEASE_HOST', 'REMOVAL_DEADLINE', 'HOST_DEADLINE', 'CHECK_HOST']);
      draft.end(host, 'SUCCEEDED');
      allOffline(draft, cause, { restarting: false });
      break;
    case 'HOST_DEADLINE': {
      if (observation.sequence !== host.sequence || isRemoving(host)) return null;
      const facts = hostStateFacts[state];
      if (!facts.deadline) return null;
      const failure: Failure = {
        code: 'DEADLINE_EXCEEDED',
        message: `Host ${host.key} was ${state} for too long.${
          observation.cause ? ` First cause: ${observation.cause.message}` : ''
        }`,
        stage: state,
        exitCode: null,
        retryable: true,
        logTail: observation.cause?.logTail ?? null,
      };
      if (observation.answers && facts.onExpiryIfItAnswers) {
        run(state);
      } else if (facts.deadline.onExpiry === 'FAILED_DEPLOYMENT') {
        failDeployment(failure, 'TIMED_OUT');
      } else {
        failHealthCheck(failure, 'TIMED_OUT');
      }
      break;
    }
    case 'REMOVAL_DEADLINE':
      if (!isRemoving(host) || operationId !== observation.operationId) return null;
      draft.host(host, null, { operationId, removing: false });
      draft.drop(host.id, ['REMOVAL_DEADLINE', 'RELEASE_HOST']);
      draft.end(host, 'TIMED_OUT', {
        code: 'DEADLINE_EXCEEDED',
        message: `Host ${host.key} could not be removed in time. ${
          observation.cause ? `First cause: ${observation.cause.message} ` : ''
        }Call removeHost again.`,
        stage: 'REMOVING',
        exitCode: null,
        retryable: true,
        logTail: null,
      });
      if (hostStateFacts[state].deadline) draft.addWork('HOST_DEADLINE', host);
      if (state === 'FAILED_DEPLOYMENT') draft.addWork('RELEASE_HOST', host);
      if (checkedHostStates.includes(state)) draft.addWork('CHECK_HOST', host);
      break;
    default:
      observation satisfies never;
  }
  return draft.done();
}

const isDeploying = (state: HostState): boolean =>
  hostStateFacts[state].deadline?.onExpiry === 'FAILED_DEPLOYMENT';

const silent = (stage: string, reason: string): Failure => ({
  code: 'HOST_SILENT',
  message: `The host did not answer its health check: ${reason}`,
  stage,
  exitCode: null,
  retryable: true,
  logTail: null,
});
