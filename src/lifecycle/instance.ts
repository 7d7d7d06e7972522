/**
 * The state machine of an instance, as data. Types, enums, the edge table in Postgres and the
 * diagram are derived from it. What commands and observations do is in `instance-table.ts`.
 *
 *            ┌──────────────────────────── restart ◄─── FAILED_TO_INITIALIZE, FAILED_TO_START,
 *            ▼                                          FATAL_ERROR
 *   OFFLINE ─► STARTING_RUNTIME ─► INITIALIZING ─► STARTING ─► RUNNING ─► PAUSING ─► PAUSED
 *      ▲              ▲                               ▲           │                    │
 *      │              │                               └───────────┼───── start, resume ┤
 *      └── STOPPED ◄──┴──────── STOPPING ◄────────────────────────┴────────────────────┘
 */
import { type Deadline, type Edge, edges, type Meter, type StateClass } from './table-types.ts';

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
  'UPDATE_RUNTIME',
  'DETACH',
  'DELETE',
] as const;
export type InstanceAction = (typeof instanceActions)[number];

export interface InstanceDeadline extends Deadline<InstanceState> {
  /** The runtime is killed first; where that cannot be confirmed, `failsTo` is entered instead. */
  readonly kills?: true;
}

export interface InstanceStateFacts {
  readonly class: StateClass;
  readonly takesMessages: boolean;
  readonly takesInputCommands: boolean;
  readonly description: string;
  readonly deadline: InstanceDeadline | null;
  /** The error state that a failure in this state leads to; null where none does. */
  readonly failsTo: InstanceState | null;
  /** The meter that runs in this state. */
  readonly meter: Meter | null;
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
  failsTo: null,
  meter: null,
  ...rest,
});

/** What is true of an instance in each state. Shown in docs/instance-states.md, "States". */
export const instanceStateFacts: Readonly<Record<InstanceState, InstanceStateFacts>> = {
  OFFLINE: at('AT_REST', 'The instance is not loaded.'),
  STARTING_RUNTIME: at('TRANSIENT', 'The runtime within the container is starting up.', {
    deadline: { seconds: 120, onExpiry: 'FAILED_TO_INITIALIZE' },
    failsTo: 'FAILED_TO_INITIALIZE',
  }),
  INITIALIZING: at('TRANSIENT', 'The solution is being loaded into the runtime.', {
    deadline: { seconds: 120, onExpiry: 'FAILED_TO_INITIALIZE' },
    failsTo: 'FAILED_TO_INITIALIZE',
  }),
  STARTING: at('TRANSIENT', 'The solution is loaded and its listeners are being opened.', {
    deadline: { seconds: 60, onExpiry: 'FAILED_TO_START' },
    failsTo: 'FAILED_TO_START',
  }),
  RUNNING: at('LIVE', 'The instance takes messages and input commands.', {
    takesMessages: true,
    takesInputCommands: true,
    failsTo: 'FATAL_ERROR',
    meter: 'RUN',
  }),
  PAUSING: at('TRANSIENT', 'No new messages are taken; the accepted ones are being finished.', {
    takesInputCommands: true,
    deadline: { seconds: 60, onExpiry: 'FATAL_ERROR' },
    failsTo: 'FATAL_ERROR',
  }),
  PAUSED: at('LIVE', 'The instance is online and answers input commands, but takes no messages.', {
    takesInputCommands: true,
    failsTo: 'FATAL_ERROR',
    meter: 'PAUSED',
  }),
  STOPPING: at('TRANSIENT', 'The instance is shutting down.', {
    deadline: { seconds: 30, onExpiry: 'STOPPED', kills: true },
    failsTo: 'FATAL_ERROR',
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
/** States with a deadline and an active operation. */
export const transientInstanceStates = statesOf('TRANSIENT');

/** Is there no runtime, and none to be started? */
export const isAtRest = (state: InstanceState): boolean =>
  instanceStateFacts[state].class === 'AT_REST';
/** Is it one of the three error states? */
export const isError = (state: InstanceState): boolean =>
  instanceStateFacts[state].class === 'ERROR';

/** Is it neither at rest nor in error? Then there is a runtime, or one is being started. */
export const isLiveState = (state: InstanceState): boolean => !isAtRest(state) && !isError(state);

const edge = edges<InstanceState>;

/** Every legal edge; nothing else is ever written. Shown in docs/instance-states.md, "Edges". */
export const instanceEdges: readonly Edge<InstanceState>[] = [
  ...edge(
    ['OFFLINE', 'STOPPED', ...errorInstanceStates],
    'STARTING_RUNTIME',
    'start, restart, update, or its host is ready again',
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
  ...edge(['RUNNING', 'PAUSED'], 'STOPPING', 'stop, restart, update, or its host stops it'),
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

/** Is the state the desired one (OFFLINE counts as STOPPED), with no active operation? */
export function isConverged(
  state: InstanceState,
  desired: DesiredInstanceState,
  operationActive: boolean,
): boolean {
  if (operationActive) return false;
  return state === desired || (desired === 'STOPPED' && state === 'OFFLINE');
}
