/** Puts one question to the code, and says the answer in the words of `contract.ts`. */
import {
  type Change,
  type DecisionContext,
  deadlinesOfFacts,
  type InstanceSnapshot,
} from '../../src/lifecycle/change.ts';
import { Draft } from '../../src/lifecycle/draft.ts';
import type { HostAction, HostState } from '../../src/lifecycle/host.ts';
import { decideHostCommand } from '../../src/lifecycle/host-commands.ts';
import { type HostObservation, observeHost } from '../../src/lifecycle/host-observations.ts';
import type {
  DesiredInstanceState,
  InstanceAction,
  InstanceState,
} from '../../src/lifecycle/instance.ts';
import { decideInstanceCommand } from '../../src/lifecycle/instance-commands.ts';
import {
  type InstanceObservation,
  observeInstance,
} from '../../src/lifecycle/instance-observations.ts';
import type { OperationKind } from '../../src/lifecycle/operation.ts';
import type { Refusal } from '../../src/lifecycle/refusal.ts';
import { accepted } from './contract.ts';
import { context as contextOf, host, instance, operation } from './model.ts';

const context = (): DecisionContext => ({ ...contextOf(), deadlines: deadlinesOfFacts() });

const failure = {
  code: 'X',
  message: 'x',
  stage: 'x',
  exitCode: null,
  retryable: true,
  logTail: null,
};

function updateOf(result: Change | Refusal | null, id: 'instance' | 'host') {
  return result && !('refused' in result) ? result.updates.find((each) => each.id === id) : null;
}

function answerOf(result: Change | Refusal, id: 'instance' | 'host'): string {
  if ('refused' in result) return result.refused;
  return updateOf(result, id)?.to ?? accepted;
}

/** What a command does; `superseding`: while an operation is active. */
export function instanceCommand(state: InstanceState, action: InstanceAction | 'superseding') {
  const superseding = action === 'superseding';
  const on = instance(state, {
    runtimeGone: true,
    desired: 'PAUSED',
    operation: superseding ? operation('START_INSTANCE') : null,
  });
  const snapshot = { host: host('RUNNING'), instances: [on] };
  const result = decideInstanceCommand(snapshot, superseding ? 'FORCE_STOP' : action, context());
  const update = updateOf(result, 'instance');
  return {
    answer: answerOf(result, 'instance'),
    desired: (update?.kind === 'INSTANCE' && update.desired) || on.desired,
  };
}

export function hostCommand(state: HostState, action: HostAction): string {
  return answerOf(
    decideHostCommand({ host: host(state), instances: [] }, action, context()),
    'host',
  );
}

/** What else is true when an observation is made. */
export interface Situation {
  readonly desired: DesiredInstanceState;
  readonly reachability: 'OK' | 'UNKNOWN';
  readonly operation: OperationKind | null;
  readonly phase?: string | null;
  readonly runtimeGone: boolean;
  /** A deadline of an earlier sequence. */
  readonly stale: boolean;
  readonly kill: 'none' | 'confirmed' | 'unconfirmed';
}

function instanceObservation(name: string, { stale, kill }: Situation): InstanceObservation {
  if (/^(IMAGE|PULL)_/.test(name)) {
    const ofUpdate = {
      operationId: 'op-UPDATE_RUNTIME',
      digest: 'sha256:new',
      failure,
      cause: null,
    };
    return { kind: name, ...ofUpdate } as unknown as InstanceObservation;
  }
  const runId = 'run';
  const command = /^(.*)_(DONE|FAILED)$/.exec(name);
  if (command && name !== 'START_FAILED') {
    return {
      kind: 'COMMAND_COMPLETED',
      runId,
      command: command[1] as 'PAUSE',
      done: command[2] === 'DONE',
      message: null,
      endpoints: null,
    };
  }
  return {
    kind: name,
    runId,
    message: 'x',
    failure,
    exitCode: 1,
    signal: null,
    logTail: null,
    sequence: stale ? 4 : 5,
    cause: null,
    ...(kill === 'none' ? {} : { kill: { confirmed: kill === 'confirmed', message: 'x' } }),
  } as unknown as InstanceObservation;
}

/** What an observation leads to. An error state is entered with its cause, or that is missed. */
export function instanceObserved(name: string, state: InstanceState, situation: Situation): string {
  const { desired, reachability, runtimeGone } = situation;
  const active =
    situation.operation && operation(situation.operation, { phase: situation.phase ?? null });
  const on = instance(state, {
    runId: 'run',
    desired,
    reachability,
    runtimeGone,
    operation: active,
  });
  const snapshot = { host: host('RUNNING'), instances: [on] };
  const result = observeInstance(snapshot, instanceObservation(name, situation), context());
  const update = updateOf(result, 'instance');
  if (!result || update?.kind !== 'INSTANCE') return '';
  if (update.to) return update.failure ? `${update.to} with its cause` : update.to;
  if (update.reachability) return `reachability ${update.reachability.value}`;
  if (update.runtimeGone) return 'gone';
  const [ended] = result.operations;
  if (ended?.id === 'op-UPDATE_RUNTIME' && ended.failure) return 'update failed';
  return ended?.status === 'FAILED' ? 'detach failed' : 'touched';
}

/** What a host's event does to an instance on it. */
export function hostEffect(
  event: string,
  state: InstanceState,
  desired: DesiredInstanceState,
): string {
  const on = instance(state, { desired });
  const at = (hostState: HostState) => ({ host: host(hostState), instances: [on] });
  const observe = (hostState: HostState, observation: HostObservation) =>
    observeHost(at(hostState), observation, context());
  const results: Record<string, () => Change | Refusal | null> = {
    HOST_DEPLOYED: () =>
      observe('DEPLOYING_CONTAINER', { kind: 'CONTAINER_CREATED', imageDigest: 'd' }),
    HOST_BACK: () =>
      observe('FAILED_HEALTH_CHECK', { kind: 'HOST_CHECKED', answers: true, reason: '' }),
    CONTAINER_UP: () =>
      observe('RESTARTING_CONTAINER', {
        kind: 'HOST_DEADLINE',
        sequence: 5,
        answers: true,
        cause: null,
      }),
    HOST_STOPS: () => decideHostCommand(at('RUNNING'), 'FORCE_REMOVE', context()),
    HOST_GONE: () =>
      observe('RESTARTING_HOST', { kind: 'RUNTIMES_GONE', handle: {}, address: 'a' }),
  };
  return updateOf(results[event]?.() ?? null, 'instance')?.to ?? '';
}

function hostObservation(name: string, answers: boolean, stale: boolean): HostObservation {
  const kinds: Record<string, string> = {
    CHECK_ANSWERED: 'HOST_CHECKED',
    CHECK_MISSED: 'HOST_CHECKED',
    COMPUTE_RELEASED: 'HOST_RELEASED',
    HOST_REMOVED: 'HOST_RELEASED',
  };
  return {
    kind: kinds[name] ?? name,
    answers: name === 'CHECK_ANSWERED' || answers,
    reason: 'x',
    handle: {},
    address: 'a',
    imageDigest: 'd',
    failure,
    sequence: stale ? 4 : 5,
    cause: null,
  } as unknown as HostObservation;
}

/** What an observation leads to. */
export function hostObserved(
  name: string,
  state: HostState,
  { answers, stale, removing }: { answers: boolean; stale: boolean; removing: boolean },
): string {
  const active = removing ? operation('REMOVE_HOST') : null;
  const on = host(state, { operation: active });
  const result =
    name === 'RUNTIME_ONLINE'
      ? observeInstance(
          { host: on, instances: [instance('STARTING_RUNTIME')] },
          { kind: 'RUNTIME_ONLINE', runId: 'run' },
          context(),
        )
      : observeHost({ host: on, instances: [] }, hostObservation(name, answers, stale), context());
  const update = updateOf(result, 'host');
  if (!result || update?.kind !== 'HOST') return '';
  if (update.to) return update.failure ? `${update.to} with its cause` : update.to;
  return result.work.some(({ kind }) => kind === 'CONFIRM_HOST')
    ? 'runtimes lost'
    : 'compute forgotten';
}

/** After how many seconds the deadline of a state is due, where entering it sets one. */
export function deadlineSeconds(kind: 'INSTANCE' | 'HOST', state: string): string {
  const snapshot = { host: host('OFFLINE'), instances: [instance('OFFLINE')] };
  const draft = new Draft(snapshot, context());
  if (kind === 'HOST') draft.host(snapshot.host, state as HostState);
  else draft.instance(snapshot.instances[0] as InstanceSnapshot, state as InstanceState);
  const due = draft.done().work.find((work) => work.kind === `${kind}_DEADLINE`);
  return due ? String(due.dueInSeconds) : '';
}

/** The class of an instance's state, by what is done because of it. */
export function instanceClass(state: InstanceState): string {
  const on = instance(state, { desired: 'STOPPED', operation: operation('START_INSTANCE') });
  const snapshot = (hostState: HostState) => ({ host: host(hostState), instances: [on] });
  const endsWith = (hostState: HostState, observation: HostObservation) =>
    observeHost(snapshot(hostState), observation, context())?.operations.find(
      ({ resourceId }) => resourceId === 'instance',
    )?.status;
  if (!('refused' in decideHostCommand(snapshot('RUNNING'), 'REMOVE', context()))) {
    const released = endsWith('DEPLOYING_CONTAINER', {
      kind: 'CONTAINER_CREATED',
      imageDigest: 'd',
    });
    return released === 'SUCCEEDED' ? 'AT_REST' : 'ERROR';
  }
  const missed = { kind: 'HOST_CHECKED', answers: false, reason: 'x' } as const;
  return endsWith('RUNNING', missed) === 'FAILED' ? 'LIVE' : 'TRANSIENT';
}

/** Is the host checked again once its removal has failed? */
export function isChecked(state: HostState): boolean {
  const on = host(state, { operation: operation('REMOVE_HOST') });
  const expired = { kind: 'REMOVAL_DEADLINE', operationId: 'op-REMOVE_HOST', cause: null } as const;
  const change = observeHost({ host: on, instances: [] }, expired, context());
  return change?.work.some(({ kind }) => kind === 'CHECK_HOST') ?? false;
}
