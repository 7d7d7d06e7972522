/**
 * Effects of entering a state: fields that are set, commands to the runtime, work. A map from
 * (trigger, state entered); `instance-table.ts` decides which state is entered.
 */
import { type Cause, type InstanceSnapshot, isRemoving } from './change.ts';
import type { Draft, InstanceSet } from './draft.ts';
import type { Failure } from './failure.ts';
import { type InstanceAction, type InstanceState, instanceStateFacts } from './instance.ts';
import type { HostEffect, InstanceObservationName } from './instance-table.ts';
import { updatePhases, waitingForHost } from './operation.ts';

export type InstanceTrigger = InstanceAction | InstanceObservationName | HostEffect;

export interface InstanceEntering {
  readonly trigger: InstanceTrigger;
  readonly operationId: string | null;
  readonly causedBy?: Cause | null;
  readonly failure?: Failure;
  /** Further fields to set; they override those of the effect. */
  readonly set?: InstanceSet;
}

interface Effect {
  readonly set?: (draft: Draft, entering: InstanceEntering) => InstanceSet;
  readonly after?: (
    draft: Draft,
    instance: InstanceSnapshot,
    entered: { operationId: string | null; runId: string | null },
  ) => void;
}

const reachability = { value: 'OK', because: null } as const;

const resumes: Effect = { after: (draft, instance) => draft.command('RESUME', instance) };
const ended: Effect = { set: () => ({ runtimeGone: true, endpoints: null, reachability }) };
const failed: Effect = {
  set: (_draft, { failure }) => ({
    endpoints: null,
    reachability,
    ...(failure
      ? { failure, details: { code: failure.code, message: failure.message.slice(0, 500) } }
      : {}),
  }),
  after: confirmHost,
};

const effects: Readonly<Partial<Record<`${InstanceTrigger | 'ANY'} ${InstanceState}`, Effect>>> = {
  'ANY STARTING_RUNTIME': {
    set: (draft) => ({
      beginRun: draft.context.newId(),
      failure: null,
      endpoints: null,
      reachability,
    }),
    after: (draft, instance, entered) => draft.addWork('START_RUNTIME', next(instance), entered),
  },
  'ANY INITIALIZING': {
    set: () => ({ reachability }),
    after: (draft, instance) => draft.command('LOAD_SOLUTION', instance),
  },
  'LOAD_SOLUTION_DONE STARTING': {
    after: (draft, instance) =>
      draft.command('START_LISTENING', instance, {
        intake: instance.desired === 'PAUSED' ? 'CLOSED' : 'OPEN',
      }),
  },
  'DEPLOY STARTING': resumes,
  'START STARTING': resumes,
  'RESUME STARTING': resumes,
  'ANY PAUSING': { after: (draft, instance) => draft.command('PAUSE', instance) },
  'ANY STOPPING': {
    set: () => ({ endpoints: null }),
    after: (draft, instance, { operationId }) => {
      draft.command('STOP', instance);
      draft.addWork('STOP_RUNTIME', next(instance), { operationId });
      confirmHost(draft, instance);
    },
  },
  'RUNTIME_GONE STOPPED': ended,
  'INSTANCE_DEADLINE STOPPED': ended,
  'DETACH OFFLINE': { set: () => ({ failure: null, endpoints: null }) },
  'HOST_GONE OFFLINE': {
    set: () => ({ runtimeGone: true, endpoints: null, failure: null, reachability }),
  },
  'ANY FAILED_TO_INITIALIZE': failed,
  'ANY FAILED_TO_START': failed,
  'ANY FATAL_ERROR': failed,
};

/** The instance with the sequence of the new state. */
const next = (instance: InstanceSnapshot): InstanceSnapshot => ({
  ...instance,
  sequence: instance.sequence + 1,
});

/** Enters a state and applies its effects. */
export function enterInstance(
  draft: Draft,
  instance: InstanceSnapshot,
  to: InstanceState,
  entering: InstanceEntering,
): void {
  const { trigger, operationId } = entering;
  const effect = effects[`${trigger} ${to}`] ?? effects[`ANY ${to}`];
  const set = {
    operationId,
    causedBy: entering.causedBy ?? null,
    ...effect?.set?.(draft, entering),
    ...entering.set,
  };
  draft.instance(instance, to, set);
  effect?.after?.(draft, instance, { operationId, runId: set.beginRun ?? instance.runId });
}

/** Ends the operation of an instance unless the state entered is transient, or a restart continues. */
export function endInstanceOperation(
  draft: Draft,
  instance: InstanceSnapshot,
  to: InstanceState,
  options: { failure?: Failure; status?: 'FAILED' | 'TIMED_OUT' } = {},
): void {
  switch (instanceStateFacts[to].class) {
    case 'TRANSIENT':
      break;
    case 'LIVE':
      // The failure of an update that went back is stored already.
      draft.end(instance, isRollingBack(instance) ? 'FAILED' : 'SUCCEEDED');
      break;
    case 'ERROR':
      if (isRollingBack(instance)) draft.end(instance, 'FAILED');
      else draft.end(instance, options.status ?? 'FAILED', options.failure);
      break;
    case 'AT_REST':
      if (restarts(instance)) continueRestart(draft, instance);
      else draft.end(instance, 'SUCCEEDED');
      break;
    default:
      instanceStateFacts[to].class satisfies never;
  }
}

/** Does its operation start the instance again once its runtime is gone? */
export const restarts = ({ operation }: InstanceSnapshot): boolean =>
  operation?.kind === 'RESTART_INSTANCE' || operation?.kind === 'UPDATE_RUNTIME';

/** Is the image of before an update started again? */
export const isRollingBack = ({ operation }: InstanceSnapshot): boolean =>
  operation?.kind === 'UPDATE_RUNTIME' && operation.phase === updatePhases.rollingBack;

/**
 * The start of an update's image failed: the image of before is started again, and the operation fails
 * with this first cause once that is decided. False: there is none to go back to.
 */
export function rollBack(draft: Draft, instance: InstanceSnapshot, failure: Failure): boolean {
  const { operation } = instance;
  const isNew = operation?.phase === updatePhases.restarting && operation.update;
  if (!isNew || !startingStates.includes(instance.state)) return false;
  const message = `${failure.message} The image of before is started again.`;
  draft.operation(operation, instance, 'RUNNING', {
    phase: updatePhases.rollingBack,
    failure: { ...failure, message },
  });
  draft.addWork('CONTINUE_RESTART', next(instance), { operationId: operation.id });
  return true;
}

const startingStates: readonly InstanceState[] = ['STARTING_RUNTIME', 'INITIALIZING', 'STARTING'];

/** The second half of a restart: begins now, or when the host is ready. */
function continueRestart(draft: Draft, instance: InstanceSnapshot): void {
  const { operation } = instance;
  if (!operation) return;
  if (operation.parentId && draft.snapshot.host?.state === 'RESTARTING_CONTAINER') {
    draft.operation(operation, instance, 'RUNNING', { phase: waitingForHost });
  } else {
    draft.addWork('CONTINUE_RESTART', next(instance), { operationId: operation.id });
  }
}

/** The runtime will not report that the host's container is up: the host is checked instead. */
function confirmHost(draft: Draft, instance: InstanceSnapshot): void {
  const { host } = draft.snapshot;
  const waits = host?.state === 'STARTING_CONTAINER' && instance.state === 'STARTING_RUNTIME';
  if (!host || !waits || isRemoving(host)) return;
  draft.addWork('CONFIRM_HOST', host, { operationId: host.operation?.id ?? null });
}
