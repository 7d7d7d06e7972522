/** What the executor does for instances: it starts, watches and ends their runtimes. */

import type { Driver, Handle, RuntimeObservation, RuntimeRef } from '../drivers/driver.ts';
import type { WorkKind } from '../lifecycle/change.ts';
import { sizes } from '../lifecycle/compute.ts';
import { instanceStateFacts, isAtRest, isError } from '../lifecycle/instance.ts';
import type { InstanceObservation } from '../lifecycle/instance-observations.ts';
import { createRunKey } from '../store/access-keys.ts';
import { recordInstanceObservation } from '../store/command/observations.ts';
import { type InstanceTarget, portsOfRun } from '../store/read/targets.ts';
import { unreadableSecret } from '../store/read/unreadable-secret.ts';
import type { StoredFailure } from '../store/table/schema.ts';
import { firstCause, runtimeStarted, type WorkItem } from '../store/work/work.ts';
import { callDriver, failureOf, isFenced, isFinal, stageOf } from './call.ts';
import { containerImage } from './image.ts';
import type { WorkContext, WorkHandler } from './work-handler.ts';

interface Target {
  readonly instance: InstanceTarget;
  readonly driver: Driver;
  readonly handle: Handle;
  readonly runtime: RuntimeRef;
}

export async function target(context: WorkContext, item: WorkItem): Promise<Target | null> {
  const instance = await context.instanceTarget(item.resourceId);
  if (!instance?.driver || !instance.handle || !instance.runId) return null;
  const { driver: kind, providerId, providerVersion: version } = instance;
  if (providerId === null || version === null) return null;
  return {
    instance,
    driver: await context.driverOf({ kind, providerId, version }),
    handle: instance.handle,
    runtime: { instanceId: instance.id, runId: instance.runId },
  };
}

export async function observe(
  context: WorkContext,
  item: WorkItem,
  observation: InstanceObservation,
): Promise<boolean> {
  // The result of a kill is an observation of the driver, even if a deadline asked for it.
  const deadline =
    observation.kind === 'PULL_DEADLINE' ||
    (observation.kind === 'INSTANCE_DEADLINE' && !observation.kill);
  const decided = await recordInstanceObservation(context.store, item.resourceId, observation, {
    actor: deadline ? { kind: 'DEADLINE', name: 'deadline' } : { kind: 'DRIVER', name: 'driver' },
    heldItem: item,
  });
  return decided.outcome === 'WRITTEN';
}

const inspect = (
  context: WorkContext,
  item: WorkItem,
  found: Target,
): Promise<RuntimeObservation> =>
  callDriver(
    item,
    {
      signal: context.signal,
      seconds: found.driver.limits.inspectRuntime,
      name: 'inspectRuntime',
    },
    (call) => found.driver.inspectRuntime(found.handle, found.runtime, call),
  );

const goneFrom = (
  runId: string,
  seen: Extract<RuntimeObservation, { state: 'exited' }>,
): InstanceObservation => ({
  kind: 'RUNTIME_GONE',
  runId,
  exitCode: seen.exitCode,
  signal: seen.signal,
  logTail: seen.logTail,
  exitCause: seen.cause,
});

const startRuntime: WorkHandler = async (context, item) => {
  const found = await target(context, item);
  if (found?.instance.state !== 'STARTING_RUNTIME') return 'DONE';
  const { instance, driver, handle, runtime } = found;
  if (runtime.runId !== item.runId) return 'DONE';
  const unreadable = unreadableSecret(context.store, instance);
  if (unreadable) {
    const failure = { ...failureOf(null, 'STARTING_RUNTIME'), retryable: false, ...unreadable };
    await observe(context, item, { kind: 'START_FAILED', runId: runtime.runId, failure });
    return 'DONE';
  }
  const ports = await portsOfRun(context.store, runtime.runId);
  const { key: runKey } = await createRunKey(context.store, {
    organizationId: instance.organizationId,
    ...runtime,
  });
  try {
    const image = await containerImage(context.store, instance);
    const { imageDigest } = await callDriver(
      item,
      { signal: context.signal, seconds: driver.limits.startRuntime, name: 'startRuntime' },
      (call) =>
        driver.startRuntime(
          handle,
          {
            ...runtime,
            instanceKey: instance.key,
            runKey,
            endpoint: context.endpoint(),
            authorities: context.authorities,
            heartbeatSeconds: context.heartbeatSeconds,
            image,
            hostNames: instance.dnsName === null ? [] : [instance.dnsName],
            ports,
            resources: sizes[instance.size],
          },
          call,
        ),
    );
    await runtimeStarted(context.store, item, imageDigest);
    context.wake();
  } catch (error) {
    if (!isFinal(error)) throw error;
    const failure = failureOf(error, 'STARTING_RUNTIME');
    await observe(context, item, { kind: 'START_FAILED', runId: runtime.runId, failure });
  }
  return 'DONE';
};

const stopRuntime: WorkHandler = async (context, item) => {
  const found = await target(context, item);
  if (found?.instance.state !== 'STOPPING') return 'DONE';
  // Before an absence is believed: this token makes the driver refuse any start that is still
  // pending.
  await callDriver(
    item,
    { signal: context.signal, seconds: found.driver.limits.stopRuntime, name: 'stopRuntime' },
    (call) => found.driver.stopRuntime(found.handle, found.runtime, call),
  );
  const seen = await inspect(context, item, found);
  if (seen.state === 'exited') {
    const written = await observe(context, item, goneFrom(found.runtime.runId, seen));
    return written ? 'DONE' : { againInSeconds: 0.5 };
  }
  if (seen.state === 'running') return { againInSeconds: Math.min(1, 0.05 * item.attempt) };
  return {
    againInSeconds: 0.5,
    cause: { ...failureOf(null, 'STOPPING'), code: 'HOST_SILENT', message: seen.reason },
  };
};

/** Kills the runtime. Null: it is gone; otherwise the reason why that could not be confirmed. */
async function kill(
  context: WorkContext,
  item: WorkItem,
  found: Target,
): Promise<{ readonly error: unknown } | null> {
  try {
    await callDriver(
      item,
      { signal: context.signal, seconds: found.driver.limits.killRuntime, name: 'killRuntime' },
      (call) => found.driver.killRuntime(found.handle, found.runtime, call),
    );
    return null;
  } catch (error) {
    if (isFenced(error)) throw error;
    return { error };
  }
}

const killRuntime: WorkHandler = async (context, item) => {
  const found = await target(context, item);
  if (!found || found.instance.runtimeGone || isAtRest(found.instance.state)) return 'DONE';
  const { runId } = found.runtime;
  const failed = await kill(context, item, found);
  if (!failed) {
    await observe(context, item, {
      kind: 'RUNTIME_GONE',
      runId,
      exitCode: null,
      signal: 'SIGKILL',
      logTail: null,
    });
    return 'DONE';
  }
  if (context.signal.aborted) throw failed.error;
  if (found.instance.operationKind === 'DETACH_INSTANCE' && item.attempt >= 3) {
    const { message } = failureOf(failed.error, found.instance.state);
    await observe(context, item, {
      kind: 'KILL_UNCONFIRMED',
      runId,
      message: `It could not be confirmed that the runtime is gone: ${message}`,
    });
    return 'DONE';
  }
  throw failed.error;
};

const watchRuntime: WorkHandler = async (context, item) => {
  const found = await target(context, item);
  if (!found) return 'DONE';
  const { instance, runtime } = found;
  if (isAtRest(instance.state) || isError(instance.state)) return 'DONE';
  const transient = instanceStateFacts[instance.state].class === 'TRANSIENT';
  const seen = await inspect(context, item, found);
  if (seen.state === 'exited') {
    const written = await observe(context, item, goneFrom(runtime.runId, seen));
    return written ? 'DONE' : { againInSeconds: 1 };
  }
  if (seen.state === 'running' && !transient) return 'DONE';
  return { againInSeconds: transient ? 0.7 : 2, resetAttempts: true };
};

const continueRestart: WorkHandler = async (context, item) => {
  await observe(context, item, { kind: 'RESTART_CONTINUES' });
  return 'DONE';
};

/** The last output of a runtime that runs but has not advanced; null if there is none. */
async function lastOutput(context: WorkContext, item: WorkItem): Promise<StoredFailure | null> {
  // A host that cannot be asked contributes nothing, and must not delay the deadline.
  const found = await target(context, item).catch(() => null);
  const seen = found && (await inspect(context, item, found).catch(() => null));
  if (seen?.state !== 'running' || !seen.logTail) return null;
  const message = `The runtime runs; its last line: ${seen.logTail.split('\n').at(-1)}`;
  const failure = failureOf(null, found?.instance.state ?? stageOf(item.kind));
  return { ...failure, code: 'RUNTIME_BEHIND', message, logTail: seen.logTail };
}

/** The kill that some deadlines require before they expire. */
async function killAtDeadline(
  context: WorkContext,
  item: WorkItem,
): Promise<{ confirmed: boolean; message: string }> {
  const failed = await target(context, item).then(
    (found) =>
      found ? kill(context, item, found) : { error: new Error('its host has no handle any more') },
    // This server does not have the driver, and none that has it took the deadline.
    (error: unknown) => ({ error }),
  );
  if (!failed) return { confirmed: true, message: '' };
  const { message } = failureOf(failed.error, stageOf(item.kind));
  return {
    confirmed: false,
    message: `The runtime did not stop in time, and it could not be confirmed that it is gone: ${message}`,
  };
}

const instanceDeadline: WorkHandler = async (context, item) => {
  const instance = await context.instanceTarget(item.resourceId);
  if (!instance || instance.sequence !== item.sequence) return 'DONE';
  const kills = instanceStateFacts[instance.state].deadline?.kills && instance.runId !== null;
  const written = await observe(context, item, {
    kind: 'INSTANCE_DEADLINE',
    sequence: item.sequence,
    ...(kills
      ? { cause: null, kill: await killAtDeadline(context, item) }
      : { cause: await causeOfDelay(context, item) }),
  });
  return written ? 'DONE' : { againInSeconds: 1 };
};

/** The first known cause of a state that lasts too long. */
const causeOfDelay = async (context: WorkContext, item: WorkItem) =>
  (await lastOutput(context, item)) ??
  (await firstCause(context.store, item.resourceId, ['START_RUNTIME', 'STOP_RUNTIME']));

export const runtimeWork = {
  START_RUNTIME: startRuntime,
  STOP_RUNTIME: stopRuntime,
  KILL_RUNTIME: killRuntime,
  WATCH_RUNTIME: watchRuntime,
  CONTINUE_RESTART: continueRestart,
  INSTANCE_DEADLINE: instanceDeadline,
} satisfies Partial<Record<WorkKind, WorkHandler>>;
