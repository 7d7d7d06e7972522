/**
 * Commands, observations and host events of an instance by state. Decisions enter the state that
 * these tables name. Shown in docs/instance-states.md.
 */
import type { RuntimeCommandKind } from './change.ts';
import {
  type DesiredInstanceState,
  errorInstanceStates,
  type InstanceAction,
  type InstanceState,
  instanceStates,
  isLiveState,
} from './instance.ts';
import {
  accepted,
  alreadyInState,
  type Cell,
  enters,
  illegal,
  inProgress,
  inStates,
  type ObservationRow,
  restartRequired,
} from './table-types.ts';

/** A deletion enters no state. */
type InstanceRow = Readonly<
  Record<Exclude<InstanceAction, 'DELETE'>, Cell<InstanceState>> & { DELETE: Cell<never> }
>;

const errorRow = (): InstanceRow => ({
  DEPLOY: restartRequired,
  START: restartRequired,
  PAUSE: restartRequired,
  RESUME: restartRequired,
  STOP: restartRequired,
  FORCE_STOP: restartRequired,
  RESTART: enters('STARTING_RUNTIME'),
  UPDATE_RUNTIME: enters('STARTING_RUNTIME'),
  DETACH: enters('OFFLINE'),
  DELETE: illegal,
});

const inProgressRow = (force: Cell<InstanceState>): InstanceRow => ({
  DEPLOY: inProgress,
  START: inProgress,
  PAUSE: inProgress,
  RESUME: inProgress,
  STOP: inProgress,
  FORCE_STOP: force,
  RESTART: inProgress,
  UPDATE_RUNTIME: inProgress,
  DETACH: inProgress,
  DELETE: inProgress,
});

/**
 * Every command in every state, with the host RUNNING and no operation active (a transient state
 * always has one). DEPLOY equals START here; for a host that is OFFLINE see `decideInstanceCommand`.
 */
export const instanceCommands: Readonly<Record<InstanceState, InstanceRow>> = {
  OFFLINE: {
    DEPLOY: enters('STARTING_RUNTIME'),
    START: enters('STARTING_RUNTIME'),
    PAUSE: illegal,
    RESUME: illegal,
    STOP: illegal,
    FORCE_STOP: illegal,
    RESTART: illegal,
    UPDATE_RUNTIME: accepted,
    DETACH: accepted,
    DELETE: accepted,
  },
  STARTING_RUNTIME: inProgressRow(enters('STOPPING')),
  INITIALIZING: inProgressRow(enters('STOPPING')),
  STARTING: inProgressRow(enters('STOPPING')),
  RUNNING: {
    DEPLOY: alreadyInState,
    START: alreadyInState,
    RESUME: alreadyInState,
    PAUSE: enters('PAUSING'),
    STOP: enters('STOPPING'),
    FORCE_STOP: enters('STOPPING'),
    RESTART: enters('STOPPING'),
    UPDATE_RUNTIME: accepted,
    DETACH: illegal,
    DELETE: illegal,
  },
  PAUSING: inProgressRow(enters('STOPPING')),
  PAUSED: {
    DEPLOY: enters('STARTING'),
    START: enters('STARTING'),
    RESUME: enters('STARTING'),
    PAUSE: alreadyInState,
    STOP: enters('STOPPING'),
    FORCE_STOP: enters('STOPPING'),
    RESTART: enters('STOPPING'),
    UPDATE_RUNTIME: accepted,
    DETACH: illegal,
    DELETE: illegal,
  },
  STOPPING: inProgressRow(accepted),
  STOPPED: {
    DEPLOY: enters('STARTING_RUNTIME'),
    START: enters('STARTING_RUNTIME'),
    RESUME: illegal,
    PAUSE: illegal,
    STOP: alreadyInState,
    FORCE_STOP: alreadyInState,
    RESTART: enters('STARTING_RUNTIME'),
    UPDATE_RUNTIME: accepted,
    DETACH: enters('OFFLINE'),
    DELETE: illegal,
  },
  FAILED_TO_INITIALIZE: errorRow(),
  FAILED_TO_START: errorRow(),
  FATAL_ERROR: errorRow(),
};

/** The state desired after a command, where the command says one. */
export const desiredBy: Readonly<Partial<Record<InstanceAction, DesiredInstanceState>>> = {
  DEPLOY: 'RUNNING',
  START: 'RUNNING',
  RESUME: 'RUNNING',
  RESTART: 'RUNNING',
  PAUSE: 'PAUSED',
  STOP: 'STOPPED',
  FORCE_STOP: 'STOPPED',
  DETACH: 'STOPPED',
};

/**
 * What a forced stop does while an operation is active, which it supersedes. Without one the cell
 * of `instanceCommands` holds.
 */
export const forcedStops: Readonly<Record<InstanceState, Cell<InstanceState>>> = {
  OFFLINE: accepted,
  STARTING_RUNTIME: enters('STOPPING'),
  INITIALIZING: enters('STOPPING'),
  STARTING: enters('STOPPING'),
  RUNNING: enters('STOPPING'),
  PAUSING: enters('STOPPING'),
  PAUSED: enters('STOPPING'),
  STOPPING: accepted,
  STOPPED: accepted,
  FAILED_TO_INITIALIZE: inProgress,
  FAILED_TO_START: inProgress,
  FATAL_ERROR: inProgress,
};

/** An effect of an observation other than entering a fixed state. */
export type InstanceEffect =
  /** Enters the error state of the present state, `failsTo`, with the cause. */
  | 'FAIL'
  /** Enters `onExpiry` of the present state's deadline. */
  | 'EXPIRE'
  /** The runtime can be asked again: reachability OK. */
  | 'REACHABLE'
  /** The runtime does not answer: reachability UNKNOWN. */
  | 'UNREACHABLE'
  /** Records that the runtime is gone; a detach that waited for that enters its cell's state. */
  | 'CONFIRM_GONE'
  /** A detach that waits for the runtime to be gone fails. */
  | 'FAIL_DETACH'
  /** An update that pulls its image fails; what runs goes on. */
  | 'FAIL_UPDATE';

export type InstanceObservationName =
  | 'RUNTIME_ONLINE'
  | 'RUNTIME_SEEN'
  | 'RUNTIME_SILENT'
  | `${Exclude<RuntimeCommandKind, 'STOP'>}_${'DONE' | 'FAILED'}`
  | 'RUNTIME_FAULT'
  | 'RUNTIME_GONE'
  | 'START_FAILED'
  | 'KILL_UNCONFIRMED'
  | 'RESTART_CONTINUES'
  | 'IMAGE_PULLED'
  | 'PULL_FAILED'
  | 'PULL_DEADLINE'
  | 'INSTANCE_DEADLINE';

type Row = ObservationRow<InstanceState, InstanceEffect>;
const FAIL = { effect: 'FAIL' } as const;
const EXPIRE = { effect: 'EXPIRE' } as const;
const FAIL_UPDATE = { effect: 'FAIL_UPDATE' } as const;
const REACHABLE = { effect: 'REACHABLE' } as const;
const liveStates = instanceStates.filter(isLiveState);
const reachableRow: Row = inStates([...liveStates, ...errorInstanceStates], REACHABLE);

/** Every observation in every state. */
export const instanceObservations: Readonly<Record<InstanceObservationName, Row>> = {
  RUNTIME_ONLINE: { ...reachableRow, STARTING_RUNTIME: enters('INITIALIZING') },
  RUNTIME_SEEN: { ...reachableRow },
  RUNTIME_SILENT: inStates(liveStates, { effect: 'UNREACHABLE' } as const),
  LOAD_SOLUTION_DONE: { INITIALIZING: enters('STARTING') },
  LOAD_SOLUTION_FAILED: { INITIALIZING: FAIL },
  START_LISTENING_DONE: { STARTING: { enters: 'RUNNING', whereDesired: { PAUSED: 'PAUSED' } } },
  START_LISTENING_FAILED: { STARTING: FAIL },
  PAUSE_DONE: { PAUSING: enters('PAUSED') },
  PAUSE_FAILED: { PAUSING: FAIL },
  RESUME_DONE: { STARTING: enters('RUNNING') },
  RESUME_FAILED: { STARTING: FAIL },
  RUNTIME_FAULT: {
    STARTING_RUNTIME: FAIL,
    INITIALIZING: FAIL,
    STARTING: FAIL,
    RUNNING: FAIL,
    PAUSING: FAIL,
    PAUSED: FAIL,
  },
  RUNTIME_GONE: {
    STARTING_RUNTIME: FAIL,
    INITIALIZING: FAIL,
    STARTING: FAIL,
    RUNNING: FAIL,
    PAUSING: FAIL,
    PAUSED: FAIL,
    STOPPING: enters('STOPPED'),
    ...inStates(errorInstanceStates, { effect: 'CONFIRM_GONE' } as const),
  },
  START_FAILED: { STARTING_RUNTIME: FAIL },
  KILL_UNCONFIRMED: {
    STOPPING: FAIL,
    ...inStates(errorInstanceStates, { effect: 'FAIL_DETACH' } as const),
  },
  // From an error: an update whose start failed goes back.
  RESTART_CONTINUES: inStates(['STOPPED', ...errorInstanceStates], enters('STARTING_RUNTIME')),
  IMAGE_PULLED: { RUNNING: enters('STOPPING'), PAUSED: enters('STOPPING') },
  PULL_FAILED: { RUNNING: FAIL_UPDATE, PAUSED: FAIL_UPDATE },
  PULL_DEADLINE: { RUNNING: FAIL_UPDATE, PAUSED: FAIL_UPDATE },
  INSTANCE_DEADLINE: {
    STARTING_RUNTIME: EXPIRE,
    INITIALIZING: EXPIRE,
    STARTING: EXPIRE,
    PAUSING: EXPIRE,
    STOPPING: EXPIRE,
  },
};

export const hostEffects = [
  'HOST_DEPLOYED',
  'HOST_BACK',
  'CONTAINER_UP',
  'HOST_STOPS',
  'HOST_GONE',
] as const;
/** Host events that change the states of instances. */
export type HostEffect = (typeof hostEffects)[number];

/** The state that an instance enters at its host's event. No entry: the state is unchanged. */
export const instanceByHost: Readonly<
  Record<HostEffect, Readonly<Partial<Record<InstanceState, InstanceState>>>>
> = {
  HOST_DEPLOYED: { OFFLINE: 'STARTING_RUNTIME' },
  HOST_BACK: { OFFLINE: 'STARTING_RUNTIME' },
  CONTAINER_UP: inStates(['OFFLINE', 'STOPPED', ...errorInstanceStates], 'STARTING_RUNTIME'),
  HOST_STOPS: inStates(
    liveStates.filter((state) => state !== 'STOPPING'),
    'STOPPING',
  ),
  HOST_GONE: inStates(
    instanceStates.filter((state) => state !== 'OFFLINE'),
    'OFFLINE',
  ),
};

/** The desired states of the instances that start at a host's event. */
export const startsWhereDesired: Readonly<
  Record<'HOST_DEPLOYED' | 'HOST_BACK' | 'CONTAINER_UP', readonly DesiredInstanceState[]>
> = {
  HOST_DEPLOYED: ['RUNNING'],
  HOST_BACK: ['RUNNING', 'PAUSED'],
  CONTAINER_UP: ['RUNNING', 'PAUSED'],
};
