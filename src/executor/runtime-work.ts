/** What the executor does for instances: it starts, watches and ends their runtimes. */

import type { Driver, Handle, RuntimeObservation, RuntimeRef } from '../drivers/driver.ts';
import type { WorkKind } from '../lifecycle/change.ts';
import { defaultImage } from '../lifecycle/compute.ts';
import { instanceStateFacts, isAtRest, isError } from '../lifecycle/instance.ts';
import type { InstanceObservation } from '../lifecycle/instance-observations.ts';
import { createRunKey } from '../store/access-keys.ts';
import { recordInstanceObservation } from '../store/command/observations.ts';
import type { InstanceTarget } from '../store/read/targets.ts';
import type { StoredFailure } from '../store/table/schema.ts';
import { firstCause, runtimeStarted, type WorkItem } from '../store/work/work.ts';
import { callDriver, failureOf, isFenced, isFinal } from './call.ts';
import type { Executing, WorkHandler } from './work-handler.ts';

interface Target {
  readonly instance: InstanceTarget;
  readonly driver: Driver;
  readonly handle: Handle;
  readonly runtime: RuntimeRef;
}

async function target(executing: Executing, item: WorkItem): Promise<Target | null> {
  const instance = await executing.instanceTarget(item.resourceId);
  if (!instance?.driver || !instance.handle || !instance.runId) return null;
  return {
    instance,
    driver: executing.driverOf(instance.driver),
    handle: instance.handle,
    runtime: { instanceId: instance.id, runId: instance.runId },
  };
}

async function observe(
  executing: Executing,
  item: WorkItem,
  observation: InstanceObservation,
): Promise<boolean> {
  // The result of a kill is an observation of the driver, even if a deadline asked for it.
  const deadline = observation.kind === 'INSTANCE_DEADLINE' && !observation.kill;
  const decided = await recordInstanceObservation(executing.store, item.resourceId, observation, {
    actor: deadline ? { kind: 'DEADLINE', name: 'deadline' } : { kind: 'DRIVER', name: 'driver' },
    heldItem: item,
  });
  return decided.outcome === 'WRITTEN';
}

const inspect = (
  executing: Executing,
  item: WorkItem,
  found: Target,
): Promise<RuntimeObservation> =>
  callDriver(item, { signal: executing.signal, seconds: 5, name: 'inspectRuntime' }, (call) =>
    found.driver.inspectRuntime(found.handle, found.runtime, call),
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
});

const startRuntime: WorkHandler = async (executing, item) => {
  const found = await target(executing, item);
  if (found?.instance.state !== 'STARTING_RUNTIME') return 'OVER';
  const { instance, driver, handle, runtime } = found;
  if (runtime.runId !== item.runId) return 'OVER';
  const { key: runKey } = await createRunKey(executing.store, {
    organizationId: instance.organizationId,
    ...runtime,
  });
  try {
    const { imageDigest } = await callDriver(
      item,
      { signal: executing.signal, seconds: 60, name: 'startRuntime' },
      (call) =>
        driver.startRuntime(
          handle,
          {
            ...runtime,
            instanceKey: instance.key,
            runKey,
            endpoint: executing.endpoint(),
            authorities: executing.authorities,
            heartbeatSeconds: executing.heartbeatSeconds,
            image: {
              repository: instance.repository ?? defaultImage.repository,
              image: instance.image ?? defaultImage.image,
              tag: instance.tag ?? defaultImage.tag,
            },
          },
          call,
        ),
    );
    await runtimeStarted(executing.store, item, imageDigest);
    executing.wake();
  } catch (error) {
    if (!isFinal(error)) throw error;
    const failure = failureOf(error, 'STARTING_RUNTIME');
    await observe(executing, item, { kind: 'START_FAILED', runId: runtime.runId, failure });
  }
  return 'OVER';
};

const stopRuntime: WorkHandler = async (executing, item) => {
  const found = await target(executing, item);
  if (found?.instance.state !== 'STOPPING') return 'OVER';
  // Before an absence is believed: this token makes the driver refuse any start that is still
  // pending.
  await callDriver(item, { signal: executing.signal, seconds: 5, name: 'stopRuntime' }, (call) =>
    found.driver.stopRuntime(found.handle, found.runtime, call),
  );
  const seen = await inspect(executing, item, found);
  if (seen.state === 'exited') {
    const written = await observe(executing, item, goneFrom(found.runtime.runId, seen));
    return written ? 'OVER' : { againInSeconds: 0.5 };
  }
  if (seen.state === 'running') return { againInSeconds: Math.min(1, 0.05 * item.attempt) };
  return {
    againInSeconds: 0.5,
    cause: { ...failureOf(null, 'STOPPING'), code: 'HOST_SILENT', message: seen.reason },
  };
};

/** Kills the runtime. Null: it is gone; otherwise the reason why that could not be confirmed. */
async function kill(
  executing: Executing,
  item: WorkItem,
  found: Target,
): Promise<{ readonly error: unknown } | null> {
  try {
    await callDriver(item, { signal: executing.signal, seconds: 4, name: 'killRuntime' }, (call) =>
      found.driver.killRuntime(found.handle, found.runtime, call),
    );
    return null;
  } catch (error) {
    if (isFenced(error)) throw error;
    return { error };
  }
}

const killRuntime: WorkHandler = async (executing, item) => {
  const found = await target(executing, item);
  if (!found || found.instance.runtimeGone || isAtRest(found.instance.state)) return 'OVER';
  const { runId } = found.runtime;
  const failed = await kill(executing, item, found);
  if (!failed) {
    await observe(executing, item, {
      kind: 'RUNTIME_GONE',
      runId,
      exitCode: null,
      signal: 'SIGKILL',
      logTail: null,
    });
    return 'OVER';
  }
  if (executing.signal.aborted) throw failed.error;
  if (found.instance.operationKind === 'DETACH_INSTANCE' && item.attempt >= 3) {
    const { message } = failureOf(failed.error, found.instance.state);
    await observe(executing, item, {
      kind: 'KILL_UNCONFIRMED',
      runId,
      message: `It could not be confirmed that the runtime is gone: ${message}`,
    });
    return 'OVER';
  }
  throw failed.error;
};

const watchRuntime: WorkHandler = async (executing, item) => {
  const found = await target(executing, item);
  if (!found) return 'OVER';
  const { instance, runtime } = found;
  if (isAtRest(instance.state) || isError(instance.state)) return 'OVER';
  const transient = instanceStateFacts[instance.state].class === 'TRANSIENT';
  const seen = await inspect(executing, item, found);
  if (seen.state === 'exited') {
    const written = await observe(executing, item, goneFrom(runtime.runId, seen));
    return written ? 'OVER' : { againInSeconds: 1 };
  }
  if (seen.state === 'running' && !transient) return 'OVER';
  return { againInSeconds: transient ? 0.7 : 2, fresh: true };
};

const continueRestart: WorkHandler = async (executing, item) => {
  await observe(executing, item, { kind: 'RESTART_CONTINUES' });
  return 'OVER';
};

/** The last output of a runtime that runs but has not advanced; null if there is none. */
async function lastWords(executing: Executing, item: WorkItem): Promise<StoredFailure | null> {
  // A host that cannot be asked contributes nothing, and must not delay the deadline.
  const found = await target(executing, item).catch(() => null);
  const seen = found && (await inspect(executing, item, found).catch(() => null));
  if (seen?.state !== 'running' || !seen.logTail) return null;
  const message = `The runtime runs; its last line: ${seen.logTail.split('\n').at(-1)}`;
  const failure = failureOf(null, found?.instance.state ?? item.kind);
  return { ...failure, code: 'RUNTIME_BEHIND', message, logTail: seen.logTail };
}

/** The kill that some deadlines require before they expire. */
async function killAtDeadline(
  executing: Executing,
  item: WorkItem,
): Promise<{ confirmed: boolean; message: string }> {
  const failed = await target(executing, item).then(
    (found) =>
      found
        ? kill(executing, item, found)
        : { error: new Error('its host has no handle any more') },
    // This server does not have the driver, and none that has it took the deadline.
    (error: unknown) => ({ error }),
  );
  if (!failed) return { confirmed: true, message: '' };
  const { message } = failureOf(failed.error, item.kind);
  return {
    confirmed: false,
    message: `The runtime did not stop in time, and it could not be confirmed that it is gone: ${message}`,
  };
}

const instanceDeadline: WorkHandler = async (executing, item) => {
  const instance = await executing.instanceTarget(item.resourceId);
  if (!instance || instance.sequence !== item.sequence) return 'OVER';
  const kills = instanceStateFacts[instance.state].deadline?.kills && instance.runId !== null;
  const written = await observe(executing, item, {
    kind: 'INSTANCE_DEADLINE',
    sequence: item.sequence,
    ...(kills
      ? { cause: null, kill: await killAtDeadline(executing, item) }
      : { cause: await causeOfDelay(executing, item) }),
  });
  return written ? 'OVER' : { againInSeconds: 1 };
};

/** The first known cause of a state that lasts too long. */
const causeOfDelay = async (executing: Executing, item: WorkItem) =>
  (await lastWords(executing, item)) ??
  (await firstCause(executing.store, item.resourceId, ['START_RUNTIME', 'STOP_RUNTIME']));

export const runtimeWork = {
  START_RUNTIME: startRuntime,
  STOP_RUNTIME: stopRuntime,
  KILL_RUNTIME: killRuntime,
  WATCH_RUNTIME: watchRuntime,
  CONTINUE_RESTART: continueRestart,
  INSTANCE_DEADLINE: instanceDeadline,
} satisfies Partial<Record<WorkKind, WorkHandler>>;
