/**
 * The state machine of an instance, as data. Everything else (types, enums, the edge table in
 * Postgres, `allowedActions`, the diagram in `instance.md`) is derived from this file.
 *
 *            ┌──────────────────────────── restart ◄─── FAILED_TO_INITIALIZE, FAILED_TO_START,
 *            ▼                                          FATAL_ERROR
 *   OFFLINE ─► STARTING_RUNTIME ─► INITIALIZING ─► STARTING ─► RUNNING ─► PAUSING ─► PAUSED
 *      ▲              ▲                               ▲           │                    │
 *      │              │                               └───────────┼───── start, resume ┤
 *      └── STOPPED ◄──┴──────── STOPPING ◄────────────────────────┴────────────────────┘
 */
export const instanceStates = [
  'OFFLINE',
  'STARTING_RUNTIME',
  'INITIALIZING',
  'STARTING',
  'RUNNING',
  'PAUSING',
  'PAUSED',
  'STOPPING',
  'STOPPED',
  'FAILED_TO_INITIALIZE',
  'FAILED_TO_START',
  'FATAL_ERROR',
] as const;
export type InstanceState = (typeof instanceStates)[number];

export const desiredInstanceStates = ['RUNNING', 'PAUSED', 'STOPPED'] as const;
export type DesiredInstanceState = (typeof desiredInstanceStates)[number];

export const instanceActions = [
  'DEPLOY',
  'START',
  'PAUSE',
  'RESUME',
  'STOP',
  'FORCE_STOP',
  'RESTART',
  'DETACH',
  'DELETE',
] as const;
export type InstanceAction = (typeof instanceActions)[number];

export type StateClass = 'AT_REST' | 'TRANSIENT' | 'LIVE' | 'ERROR';

export interface Deadline<State> {
  /** Default; configurable as `INSTANCE_<STATE>_DEADLINE_SECONDS` or `HOST_…`. */
  readonly seconds: number;
  /** The state entered when the deadline passes. */
  readonly onExpiry: State;
}

export interface InstanceStateFacts {
  readonly class: StateClass;
  readonly takesMessages: boolean;
  readonly takesInputCommands: boolean;
  readonly description: string;
  readonly deadline: Deadline<InstanceState> | null;
}

const at = (
  stateClass: StateClass,
  description: string,
  rest: Partial<Omit<InstanceStateFacts, 'class' | 'description'>> = {},
): InstanceStateFacts => ({
  class: stateClass,
  description,
  takesMessages: false,
  takesInputCommands: false,
  deadline: null,
  ...rest,
});

/** What is true of an instance in each state. Source: lifecycle.md, first table, and the seeds. */
export const instanceStateFacts: Readonly<Record<InstanceState, InstanceStateFacts>> = {
  OFFLINE: at('AT_REST', 'The instance is not loaded.'),
  STARTING_RUNTIME: at('TRANSIENT', 'The runtime within the container is starting up.', {
    deadline: { seconds: 120, onExpiry: 'FAILED_TO_INITIALIZE' },
  }),
  INITIALIZING: at('TRANSIENT', 'The solution is being loaded into the runtime.', {
    deadline: { seconds: 120, onExpiry: 'FAILED_TO_INITIALIZE' },
  }),
  STARTING: at('TRANSIENT', 'The solution is loaded and its listeners are being opened.', {
    deadline: { seconds: 60, onExpiry: 'FAILED_TO_START' },
  }),
  RUNNING: at('LIVE', 'The instance takes messages and input commands.', {
    takesMessages: true,
    takesInputCommands: true,
  }),
  PAUSING: at('TRANSIENT', 'No new messages are taken; the accepted ones are being finished.', {
    takesInputCommands: true,
    deadline: { seconds: 60, onExpiry: 'FATAL_ERROR' },
  }),
  PAUSED: at('LIVE', 'The instance is online and answers input commands, but takes no messages.', {
    takesInputCommands: true,
  }),
  STOPPING: at('TRANSIENT', 'The instance is shutting down.', {
    deadline: { seconds: 30, onExpiry: 'STOPPED' },
  }),
  STOPPED: at('AT_REST', 'The instance is no longer online: no messages, no input commands.'),
  FAILED_TO_INITIALIZE: at('ERROR', 'Something went wrong while the instance was being loaded.'),
  FAILED_TO_START: at('ERROR', 'The instance was loaded, but could not be started.'),
  FATAL_ERROR: at('ERROR', 'Something happened after the start that it could not recover from.'),
};

const statesOf = (stateClass: StateClass): readonly InstanceState[] =>
  instanceStates.filter((state) => instanceStateFacts[state].class === stateClass);

/** The three states that only a restart (or a detach) leaves. */
export const errorInstanceStates = statesOf('ERROR');
/** The states that pass by themselves: each has a deadline and an active operation. */
export const transientInstanceStates = statesOf('TRANSIENT');

/** Is nothing of the instance running, and nothing about to? */
export const isAtRest = (state: InstanceState): boolean =>
  instanceStateFacts[state].class === 'AT_REST';
/** Is it one of the three error states? */
export const isError = (state: InstanceState): boolean =>
  instanceStateFacts[state].class === 'ERROR';

export interface Edge<State> {
  readonly from: State;
  readonly to: State;
  readonly trigger: string;
}

const edge = (
  from: readonly InstanceState[],
  to: InstanceState,
  trigger: string,
): Edge<InstanceState>[] => from.map((state) => ({ from: state, to, trigger }));

/** Every legal edge; nothing else is ever written. Source: lifecycle.md, "Edges (closed set)". */
export const instanceEdges: readonly Edge<InstanceState>[] = [
  ...edge(
    ['OFFLINE', 'STOPPED', ...errorInstanceStates],
    'STARTING_RUNTIME',
    'start, restart, or its host is ready again',
  ),
  ...edge(['STARTING_RUNTIME'], 'INITIALIZING', 'the runtime reported that it is up'),
  ...edge(['INITIALIZING'], 'STARTING', 'the solution is loaded'),
  ...edge(['STARTING'], 'RUNNING', 'the listeners are open'),
  ...edge(['STARTING'], 'PAUSED', 'its host came back and PAUSED is desired'),
  ...edge(
    ['STARTING_RUNTIME', 'INITIALIZING'],
    'FAILED_TO_INITIALIZE',
    'failure or deadline while it is being loaded',
  ),
  ...edge(['STARTING'], 'FAILED_TO_START', 'failure or deadline while it is being started'),
  ...edge(['RUNNING'], 'PAUSING', 'pause'),
  ...edge(['PAUSING'], 'PAUSED', 'the intake is closed and the accepted messages are done'),
  ...edge(['PAUSED'], 'STARTING', 'start, resume'),
  ...edge(['RUNNING', 'PAUSED'], 'STOPPING', 'stop, restart, or its host stops it'),
  ...edge(
    ['STARTING_RUNTIME', 'INITIALIZING', 'STARTING', 'PAUSING'],
    'STOPPING',
    'forced stop, or its host stops it',
  ),
  ...edge(['STOPPING'], 'STOPPED', 'the driver saw the runtime gone'),
  ...edge(
    ['RUNNING', 'PAUSING', 'PAUSED', 'STOPPING'],
    'FATAL_ERROR',
    'unrecoverable failure after it was started',
  ),
  ...edge(
    instanceStates.filter((state) => state !== 'OFFLINE'),
    'OFFLINE',
    'its host was removed or restarts; detach',
  ),
];

/**
 * What a command does in a state: the first state it enters (null: accepted without a row), or
 * the code of its refusal.
 */
export type Cell<State> = { readonly enters: State | null } | { readonly refused: CellRefusal };
export type CellRefusal =
  | 'ILLEGAL_TRANSITION'
  | 'ALREADY_IN_STATE'
  | 'RESTART_REQUIRED'
  | 'REMOVE_REQUIRED'
  | 'OPERATION_IN_PROGRESS';

const enters = <State>(state: State | null): Cell<State> => ({ enters: state });
const ILL: Cell<never> = { refused: 'ILLEGAL_TRANSITION' };
const ALR: Cell<never> = { refused: 'ALREADY_IN_STATE' };
const RST: Cell<never> = { refused: 'RESTART_REQUIRED' };
const BUSY: Cell<never> = { refused: 'OPERATION_IN_PROGRESS' };

type InstanceRow = Readonly<Record<InstanceAction, Cell<InstanceState>>>;

const errorRow: InstanceRow = {
  DEPLOY: RST,
  START: RST,
  PAUSE: RST,
  RESUME: RST,
  STOP: RST,
  FORCE_STOP: RST,
  RESTART: enters('STARTING_RUNTIME'),
  DETACH: enters('OFFLINE'),
  DELETE: ILL,
};

const busyRow = (force: InstanceState | null): InstanceRow => ({
  DEPLOY: BUSY,
  START: BUSY,
  PAUSE: BUSY,
  RESUME: BUSY,
  STOP: BUSY,
  FORCE_STOP: enters(force),
  RESTART: BUSY,
  DETACH: BUSY,
  DELETE: BUSY,
});

/**
 * Every command in every state, with the host RUNNING and no operation active (a transient state
 * always has one). DEPLOY is START there; what it does for a host that is OFFLINE is in `decide`.
 */
export const instanceCommands: Readonly<Record<InstanceState, InstanceRow>> = {
  OFFLINE: {
    DEPLOY: enters('STARTING_RUNTIME'),
    START: enters('STARTING_RUNTIME'),
    PAUSE: ILL,
    RESUME: ILL,
    STOP: ILL,
    FORCE_STOP: ILL,
    RESTART: ILL,
    DETACH: enters(null),
    DELETE: enters(null),
  },
  STARTING_RUNTIME: busyRow('STOPPING'),
  INITIALIZING: busyRow('STOPPING'),
  STARTING: busyRow('STOPPING'),
  RUNNING: {
    DEPLOY: ALR,
    START: ALR,
    RESUME: ALR,
    PAUSE: enters('PAUSING'),
    STOP: enters('STOPPING'),
    FORCE_STOP: enters('STOPPING'),
    RESTART: enters('STOPPING'),
    DETACH: ILL,
    DELETE: ILL,
  },
  PAUSING: busyRow('STOPPING'),
  PAUSED: {
    DEPLOY: enters('STARTING'),
    START: enters('STARTING'),
    RESUME: enters('STARTING'),
    PAUSE: ALR,
    STOP: enters('STOPPING'),
    FORCE_STOP: enters('STOPPING'),
    RESTART: enters('STOPPING'),
    DETACH: ILL,
    DELETE: ILL,
  },
  STOPPING: busyRow(null),
  STOPPED: {
    DEPLOY: enters('STARTING_RUNTIME'),
    START: enters('STARTING_RUNTIME'),
    RESUME: ILL,
    PAUSE: ILL,
    STOP: ALR,
    FORCE_STOP: ALR,
    RESTART: enters('STARTING_RUNTIME'),
    DETACH: enters('OFFLINE'),
    DELETE: ILL,
  },
  FAILED_TO_INITIALIZE: errorRow,
  FAILED_TO_START: errorRow,
  FATAL_ERROR: errorRow,
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

/** Is the state the desired one (OFFLINE counts as STOPPED), with no operation on the way? */
export function isConverged(
  state: InstanceState,
  desired: DesiredInstanceState,
  operationActive: boolean,
): boolean {
  if (operationActive) return false;
  return state === desired || (desired === 'STOPPED' && state === 'OFFLINE');
}

/** The error state that a failure in this state leads to, or null where none does. */
export function failureStateOf(state: InstanceState): InstanceState | null {
  switch (state) {
    case 'STARTING_RUNTIME':
    case 'INITIALIZING':
      return 'FAILED_TO_INITIALIZE';
    case 'STARTING':
      return 'FAILED_TO_START';
    case 'RUNNING':
    case 'PAUSING':
    case 'PAUSED':
    case 'STOPPING':
      return 'FATAL_ERROR';
    case 'OFFLINE':
    case 'STOPPED':
    case 'FAILED_TO_INITIALIZE':
    case 'FAILED_TO_START':
    case 'FATAL_ERROR':
      return null;
    default:
      return state satisfies never;
  }
}
