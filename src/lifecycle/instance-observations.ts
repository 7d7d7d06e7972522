/**
 * What an observation of an instance does: its runtime's report, its driver's word, a deadline.
 * Null means that it has nothing to say to the state the instance is in; nothing is written.
 * Source: lifecycle.md, "Edges (closed set)" and "Reachability is not state".
 */
import {
  type Change,
  type Context,
  type InstanceSnapshot,
  isRemoving,
  type RuntimeCommandKind,
  type World,
} from './change.ts';
import { Draft } from './draft.ts';
import { startRuntime } from './effects.ts';
import type { Failure } from './errors.ts';
import { failureStateOf, instanceStateFacts, isAtRest, isError } from './instance.ts';
import { waitingForHost } from './operation.ts';

interface OfRun {
  /** The run that this is about; an observation of another run is stale and says nothing. */
  readonly runId: string;
}

export type InstanceObservation =
  | (OfRun & { readonly kind: 'RUNTIME_ONLINE' })
  /** A heartbeat, while it was not known whether the runtime is there. */
  | (OfRun & { readonly kind: 'RUNTIME_SEEN' })
  /** Three heartbeats were missed. */
  | (OfRun & { readonly kind: 'RUNTIME_SILENT' })
  | (OfRun & {
      readonly kind: 'COMMAND_COMPLETED';
      readonly command: RuntimeCommandKind;
      readonly done: boolean;
      readonly message: string | null;
      readonly endpoints: readonly unknown[] | null;
    })
  | (OfRun & { readonly kind: 'RUNTIME_FAULT'; readonly message: string })
  /** The driver saw that the runtime is gone. */
  | (OfRun & {
      readonly kind: 'RUNTIME_GONE';
      readonly exitCode: number | null;
      readonly signal: string | null;
      readonly logTail: string | null;
    })
  | (OfRun & { readonly kind: 'START_FAILED'; readonly failure: Failure })
  | (OfRun & { readonly kind: 'KILL_UNCONFIRMED'; readonly message: string })
  /** A restart goes on from STOPPED. */
  | { readonly kind: 'RESTART_CONTINUES' }
  | {
      readonly kind: 'INSTANCE_DEADLINE';
      readonly sequence: number;
      readonly cause: Failure | null;
    };

/** Decides an observation of the one instance of `world`. */
export function observeInstance(
  world: World,
  observation: InstanceObservation,
  context: Context,
): Change | null {
  const instance = world.instances[0];
  if (!instance) return null;
  if ('runId' in observation && observation.runId !== instance.runId) return null;
  const draft = new Draft(world, context);
  const { host } = world;
  const { state, operation } = instance;
  const operationId = operation?.id ?? null;
  // While it is being removed the host restarts no more: its instances end one by one.
  const restarting = host?.state === 'RESTARTING_HOST' && !isRemoving(host);
  const reachable = { value: 'OK', because: null } as const;

  switch (observation.kind) {
    case 'RUNTIME_ONLINE':
      if (state !== 'STARTING_RUNTIME' || restarting) return seen(draft, instance);
      draft.instance(instance, 'INITIALIZING', { operationId, reachability: reachable });
      draft.command('LOAD_SOLUTION', instance);
      if (host?.state === 'STARTING_CONTAINER' && !isRemoving(host)) {
        draft.host(host, 'RUNNING', { operationId: host.operation?.id ?? null, failure: null });
        draft.drop(host.id, ['CONFIRM_HOST']);
        draft.end(host, 'SUCCEEDED');
        draft.addWork(
          'CHECK_HOST',
          { ...host, sequence: host.sequence + 1 },
          { dueInSeconds: context.deadlines.healthCheck },
        );
      }
      break;
    case 'RUNTIME_SEEN':
      return seen(draft, instance);
    case 'RUNTIME_SILENT':
      if (isAtRest(state) || isError(state) || instance.reachability === 'UNKNOWN') return null;
      if (host?.state !== 'RUNNING') return null;
      draft.instance(instance, null, { reachability: { value: 'UNKNOWN', because: 'RUNTIME' } });
      break;
    case 'COMMAND_COMPLETED':
      if (restarting) return null;
      return completed(draft, instance, observation);
    case 'RUNTIME_FAULT':
      if (restarting || state === 'STOPPING' || !failureStateOf(state)) return null;
      fail(draft, instance, {
        failure: failureOf(instance, 'RUNTIME_FAULT', observation.message),
      });
      break;
    case 'RUNTIME_GONE': {
      if (restarting || isAtRest(state) || (isError(state) && instance.runtimeGone)) return null;
      const { exitCode, signal, logTail } = observation;
      if (isError(state)) {
        const detaches = operation?.kind === 'DETACH_INSTANCE';
        draft.instance(instance, detaches ? 'OFFLINE' : null, {
          runtimeGone: true,
          ...(detaches ? { operationId, failure: null, endpoints: null } : {}),
        });
        draft.drop(instance.id, ['KILL_RUNTIME', 'WATCH_RUNTIME']);
        if (detaches) draft.end(instance, 'SUCCEEDED');
      } else if (state === 'STOPPING') {
        stopped(draft, instance, { exitCode, signal });
      } else {
        const how = signal ? `by signal ${signal}` : `with exit code ${exitCode ?? 'unknown'}`;
        fail(draft, instance, {
          failure: {
            ...failureOf(instance, 'RUNTIME_EXITED', `The runtime ended ${how} while ${state}.`),
            exitCode,
            logTail,
          },
          gone: true,
        });
      }
      break;
    }
    case 'START_FAILED':
      if (restarting || state !== 'STARTING_RUNTIME') return null;
      fail(draft, instance, { failure: observation.failure });
      break;
    case 'KILL_UNCONFIRMED': {
      if (restarting) return null;
      const failure = failureOf(instance, 'KILL_UNCONFIRMED', observation.message);
      if (state === 'STOPPING') {
        fail(draft, instance, { failure });
      } else if (isError(state) && operation?.kind === 'DETACH_INSTANCE') {
        draft.end(instance, 'FAILED', failure);
        draft.instance(instance, null);
        draft.addWork('KILL_RUNTIME', instance, { dueInSeconds: 10 });
      } else {
        return null;
      }
      break;
    }
    case 'RESTART_CONTINUES':
      if (state !== 'STOPPED' || operation?.kind !== 'RESTART_INSTANCE') return null;
      if (host?.state === 'RUNNING' && !isRemoving(host)) {
        startRuntime(draft, instance, { operationId: operation.id });
      } else {
        const where = host ? `host ${host.key} is ${host.state}` : 'it has no host';
        draft.end(
          instance,
          'FAILED',
          failureOf(instance, 'HOST_NOT_READY', `The restart could not go on: ${where}.`),
        );
        draft.instance(instance, null);
      }
      break;
    case 'INSTANCE_DEADLINE': {
      const { deadline } = instanceStateFacts[state];
      if (observation.sequence !== instance.sequence || restarting || !deadline) return null;
      const { cause } = observation;
      fail(draft, instance, {
        failure: {
          ...failureOf(
            instance,
            'DEADLINE_EXCEEDED',
            `The instance was ${state} for too long.${cause ? ` First cause: ${cause.message}` : ''}`,
          ),
          logTail: cause?.logTail ?? null,
        },
        status: 'TIMED_OUT',
      });
      break;
    }
    default:
      observation satisfies never;
  }
  return draft.done();
}

function seen(draft: Draft, instance: InstanceSnapshot): Change | null {
  const { host } = draft.world;
  if (instance.reachability === 'OK' || isAtRest(instance.state)) return null;
  if (host?.state === 'FAILED_HEALTH_CHECK' || host?.state === 'RESTARTING_HOST') return null;
  draft.instance(instance, null, { reachability: { value: 'OK', because: null } });
  return draft.done();
}

function completed(
  draft: Draft,
  instance: InstanceSnapshot,
  observation: Extract<InstanceObservation, { kind: 'COMMAND_COMPLETED' }>,
): Change | null {
  const { state, desired } = instance;
  const operationId = instance.operation?.id ?? null;
  const { command, done, endpoints } = observation;
  const expected =
    (state === 'INITIALIZING' && command === 'LOAD_SOLUTION') ||
    (state === 'STARTING' && (command === 'START_LISTENING' || command === 'RESUME')) ||
    (state === 'PAUSING' && command === 'PAUSE');
  if (!expected) return null;
  if (!done) {
    const message = observation.message ?? `The runtime could not complete ${command}.`;
    fail(draft, instance, { failure: failureOf(instance, `${command}_FAILED`, message) });
  } else if (command === 'LOAD_SOLUTION') {
    draft.instance(instance, 'STARTING', { operationId });
    draft.command('START_LISTENING', instance, {
      intake: desired === 'PAUSED' ? 'CLOSED' : 'OPEN',
    });
  } else {
    const paused = command === 'PAUSE' || (command === 'START_LISTENING' && desired === 'PAUSED');
    draft.instance(instance, paused ? 'PAUSED' : 'RUNNING', {
      operationId,
      ...(endpoints ? { endpoints } : {}),
    });
    draft.end(instance, 'SUCCEEDED');
  }
  return draft.done();
}

function stopped(draft: Draft, instance: InstanceSnapshot, details: Record<string, unknown>): void {
  const { operation } = instance;
  const { host } = draft.world;
  draft.instance(instance, 'STOPPED', {
    operationId: operation?.id ?? null,
    runtimeGone: true,
    endpoints: null,
    details,
    reachability: { value: 'OK', because: null },
  });
  if (operation?.kind !== 'RESTART_INSTANCE') {
    draft.end(instance, 'SUCCEEDED');
  } else if (operation.parentId && host?.state === 'RESTARTING_CONTAINER') {
    draft.operation(operation, instance, 'RUNNING', { phase: waitingForHost });
  } else {
    const entered = { ...instance, sequence: instance.sequence + 1 };
    draft.addWork('CONTINUE_RESTART', entered, { operationId: operation.id });
  }
}

/** Enters the error state of the present state, with the cause, and ends the operation. */
function fail(
  draft: Draft,
  instance: InstanceSnapshot,
  options: { failure: Failure; gone?: boolean; status?: 'FAILED' | 'TIMED_OUT' },
): void {
  const to = failureStateOf(instance.state);
  if (!to) return;
  const { failure } = options;
  const { host } = draft.world;
  draft.instance(instance, to, {
    operationId: instance.operation?.id ?? null,
    failure,
    endpoints: null,
    details: { code: failure.code, message: failure.message.slice(0, 500) },
    reachability: { value: 'OK', because: null },
    ...(options.gone ? { runtimeGone: true } : {}),
  });
  draft.end(instance, options.status ?? 'FAILED', failure);
  if (host?.state === 'STARTING_CONTAINER' && instance.state === 'STARTING_RUNTIME') {
    draft.addWork('CONFIRM_HOST', host, { operationId: host.operation?.id ?? null });
  }
}

function failureOf(instance: InstanceSnapshot, code: string, message: string): Failure {
  return {
    code,
    message,
    stage: instance.state,
    exitCode: null,
    retryable: true,
    logTail: null,
  };
}
