/**
 * What a host does to its instances. `desired` alone decides who starts; every row names its
 * cause. Source: lifecycle.md, "What a host does to its instances".
 */
import type { Cause, HostSnapshot, InstanceSnapshot } from './change.ts';
import type { Draft } from './draft.ts';
import type { Failure } from './errors.ts';
import { instanceStateFacts, isAtRest, isLiveState } from './instance.ts';
import { enterInstance } from './instance-entry.ts';
import { instanceByHost, startsWhereDesired } from './instance-table.ts';
import { waitingForHost } from './operation.ts';

/**
 * The start-up sequence of those that want it, at a host's event.
 *
 * @returns how many it is
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

/** An operation of an instance at rest that waited for the host has nothing left to wait for. */
function releaseWaiting(draft: Draft, instance: InstanceSnapshot): void {
  if (isAtRest(instance.state) && instance.operation) {
    draft.end(instance, 'SUCCEEDED');
    draft.instance(instance, null);
  }
}

/** A host effect takes an instance over: its own operation ends, the effect's begins. */
function takeOver(
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
 * All that are not at rest or in error: STOPPING, as a child of the host's operation.
 *
 * @param options.comesBack whether those that want to run start again afterwards
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
    const operationId = takeOver(draft, instance, {
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

/** The host is about to restart under its instances: their own operations end, its children begin. */
export function takeOverAll(draft: Draft, parentId: string | null): void {
  for (const instance of draft.snapshot.instances) {
    if (isAtRest(instance.state) && !instance.operation) continue;
    const operationId = takeOver(draft, instance, { parentId, comesBack: true });
    draft.drop(instance.id, ['START_RUNTIME', 'STOP_RUNTIME', 'CONTINUE_RESTART']);
    draft.instance(instance, null, { operationId });
  }
}

/** Every one that is not OFFLINE enters OFFLINE; the driver confirmed that its runtime is gone. */
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
 * The host can no longer be asked: what its instances do cannot be confirmed. Operations that have
 * no deadline of their own, because their instance's state is not transient, fail with it.
 */
export function allUnreachable(draft: Draft, failure: Failure): void {
  for (const instance of draft.snapshot.instances) {
    const transient = instanceStateFacts[instance.state].class === 'TRANSIENT';
    if (instance.operation && !transient) draft.end(instance, 'FAILED', failure);
    if (!isLiveState(instance.state)) {
      if (instance.operation) draft.instance(instance, null);
      continue;
    }
    draft.instance(instance, null, { reachability: { value: 'UNKNOWN', because: 'HOST' } });
  }
}

/** The host answers again: what is loaded on it is asked at once; its runtime's report confirms it. */
export function allAskedAgain(draft: Draft): void {
  for (const instance of draft.snapshot.instances) {
    if (!isLiveState(instance.state)) continue;
    draft.instance(instance, null, { reachability: { value: 'UNKNOWN', because: 'RUNTIME' } });
    // While its start is still to be made there is nothing to look at; the watch comes with it.
    if (instance.state === 'STARTING_RUNTIME') continue;
    draft.addWork('WATCH_RUNTIME', instance);
  }
}

/** Operations that waited for the host fail, naming it. */
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
