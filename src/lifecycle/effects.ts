/**
 * What a host does to its instances. `desired` alone decides which instances start; every
 * transition names its cause. The rules: docs/lifecycle.md, "Hosts and their instances".
 */
import type { Cause, HostSnapshot, InstanceSnapshot } from './change.ts';
import type { Draft } from './draft.ts';
import type { Failure } from './failure.ts';
import { instanceStateFacts, isAtRest, isLiveState } from './instance.ts';
import { enterInstance } from './instance-entry.ts';
import { instanceByHost, startsWhereDesired } from './instance-table.ts';
import { waitingForHost } from './operation.ts';

/**
 * Starts the instances whose state and desired state ask for it at a host's event.
 *
 * @returns the number of instances started
 */
export function startDesired(
  draft: Draft,
  event: 'HOST_DEPLOYED' | 'HOST_BACK' | 'CONTAINER_UP',
  cause: Cause,
): number {
  let started = 0;
  for (const instance of draft.snapshot.instances) {
    const to = instanceByHost[event][instance.state];
    if (!to || !startsWhereDesired[event].includes(instance.desired)) {
      releaseWaiting(draft, instance);
      continue;
    }
    started += 1;
    const { operation } = instance;
    if (operation) draft.operation(operation, instance, 'RUNNING', { phase: null });
    const operationId =
      operation?.id ?? draft.begin('START_INSTANCE', instance, { parentId: cause.operationId });
    enterInstance(draft, instance, to, { trigger: event, operationId, causedBy: cause });
  }
  return started;
}

/** Ends the operation of an instance at rest that waited for its host. */
function releaseWaiting(draft: Draft, instance: InstanceSnapshot): void {
  if (isAtRest(instance.state) && instance.operation) {
    draft.end(instance, 'SUCCEEDED');
    draft.instance(instance, null);
  }
}

/** Ends the operation of an instance and begins the one that the host's effect needs. */
function supersedeOperation(
  draft: Draft,
  instance: InstanceSnapshot,
  options: { parentId: string | null; comesBack: boolean },
): string {
  draft.end(instance, 'SUPERSEDED');
  const returns = options.comesBack && instance.desired !== 'STOPPED';
  return draft.begin(returns ? 'RESTART_INSTANCE' : 'STOP_INSTANCE', instance, {
    parentId: options.parentId,
  });
}

/**
 * Stops every instance that is not at rest or in error, as a child of the host's operation.
 *
 * @param options.comesBack whether instances that are desired to run start again afterwards
 */
export function stopAll(draft: Draft, cause: Cause, options: { comesBack: boolean }): void {
  for (const instance of draft.snapshot.instances) {
    const to = instanceByHost.HOST_STOPS[instance.state];
    if (!to && !isLiveState(instance.state)) {
      if (!instance.operation) continue;
      draft.end(instance, 'SUPERSEDED');
      draft.drop(instance.id, ['CONTINUE_RESTART']);
      draft.instance(instance, null);
      continue;
    }
    const operationId = supersedeOperation(draft, instance, {
      parentId: cause.operationId,
      comesBack: options.comesBack,
    });
    if (to) {
      enterInstance(draft, instance, to, { trigger: 'HOST_STOPS', operationId, causedBy: cause });
    } else {
      draft.instance(instance, null, { operationId });
      draft.addWork('STOP_RUNTIME', instance, { operationId });
    }
  }
}

/** Before a host restarts: the operations of its instances end, children of the restart begin. */
export function supersedeAll(draft: Draft, parentId: string | null): void {
  for (const instance of draft.snapshot.instances) {
    if (isAtRest(instance.state) && !instance.operation) continue;
    const operationId = supersedeOperation(draft, instance, { parentId, comesBack: true });
    draft.drop(instance.id, [
      ...['START_RUNTIME', 'STOP_RUNTIME', 'CONTINUE_RESTART', 'PULL_IMAGE', 'PULL_DEADLINE'],
    ] as const);
    draft.instance(instance, null, { operationId });
  }
}

/** Every instance enters OFFLINE. The caller has the driver's confirmation that runtimes are gone. */
export function allOffline(draft: Draft, cause: Cause, options: { restarting: boolean }): void {
  for (const instance of draft.snapshot.instances) {
    const waits = options.restarting && instance.desired !== 'STOPPED';
    if (instance.operation) {
      if (waits) {
        draft.operation(instance.operation, instance, 'RUNNING', { phase: waitingForHost });
      } else {
        draft.end(instance, instance.operation.parentId ? 'SUCCEEDED' : 'SUPERSEDED');
      }
    }
    const to = instanceByHost.HOST_GONE[instance.state];
    if (!to) {
      if (instance.operation) draft.instance(instance, null);
      continue;
    }
    enterInstance(draft, instance, to, {
      trigger: 'HOST_GONE',
      operationId: instance.operation?.id ?? cause.operationId,
      causedBy: cause,
    });
  }
}

/**
 * The host does not answer: the states of its instances cannot be confirmed. An operation fails
 * with it where the state of its instance has no deadline.
 */
export function allUnreachable(draft: Draft, failure: Failure): void {
  for (const instance of draft.snapshot.instances) {
    const transient = instanceStateFacts[instance.state].class === 'TRANSIENT';
    if (instance.operation && !transient) {
      draft.end(instance, 'FAILED', failure);
      draft.drop(instance.id, ['PULL_IMAGE', 'PULL_DEADLINE']);
    }
    if (!isLiveState(instance.state)) {
      if (instance.operation) draft.instance(instance, null);
      continue;
    }
    draft.instance(instance, null, { reachability: { value: 'UNKNOWN', because: 'HOST' } });
  }
}

/** The host answers again: its runtimes are inspected now; their reports confirm them. */
export function allAskedAgain(draft: Draft): void {
  for (const instance of draft.snapshot.instances) {
    if (!isLiveState(instance.state)) continue;
    draft.instance(instance, null, { reachability: { value: 'UNKNOWN', because: 'RUNTIME' } });
    // A runtime that has not been started looks like one that exited; its start adds the watch.
    if (instance.state === 'STARTING_RUNTIME') continue;
    draft.addWork('WATCH_RUNTIME', instance);
  }
}

/** Fails the operations that waited for the host, with the host's failure. */
export function failWaiting(draft: Draft, host: HostSnapshot, failure: Failure): void {
  for (const instance of draft.snapshot.instances) {
    if (!instance.operation) continue;
    draft.end(instance, 'FAILED', {
      ...failure,
      code: 'HOST_DEPLOYMENT_FAILED',
      message: `Host ${host.key} could not be deployed: ${failure.message} Remove the host, then deploy again.`,
    });
    draft.instance(instance, null);
  }
}
