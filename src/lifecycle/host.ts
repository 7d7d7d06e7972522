/**
 * The state machine of a host, as data. Everything else is derived from this file.
 *
 *   OFFLINE ─► DEPLOYING ─► CONFIGURING_DNS ─► DEPLOYING_CONTAINER ─► STARTING_CONTAINER ─► RUNNING
 *      ▲           └──────────────┴────────────────────┤                   ▲                 │ ▲
 *      │                                               ▼                   │                 ▼ │
 *      │                                       FAILED_DEPLOYMENT    RESTARTING_HOST   RESTARTING_CONTAINER,
 *      └── removeHost, from every state                                    └───── FAILED_HEALTH_CHECK
 */
import type { Cell, Deadline, Edge, StateClass } from './instance.ts';

export const hostStates = [
  'OFFLINE',
  'DEPLOYING',
  'CONFIGURING_DNS',
  'DEPLOYING_CONTAINER',
  'STARTING_CONTAINER',
  'RUNNING',
  'RESTARTING_HOST',
  'RESTARTING_CONTAINER',
  'FAILED_DEPLOYMENT',
  'FAILED_HEALTH_CHECK',
] as const;
export type HostState = (typeof hostStates)[number];

export const hostActions = [
  'DEPLOY',
  'RESTART',
  'RESTART_CONTAINER',
  'REMOVE',
  'FORCE_REMOVE',
  'DELETE',
] as const;
export type HostAction = (typeof hostActions)[number];

export interface HostStateFacts {
  readonly class: StateClass;
  readonly description: string;
  readonly deadline: Deadline<HostState> | null;
  /** When the deadline passes the host is asked once more; this is entered where it answers. */
  readonly onExpiryIfItAnswers: HostState | null;
}

const at = (
  stateClass: StateClass,
  description: string,
  deadline: Deadline<HostState> | null = null,
  onExpiryIfItAnswers: HostState | null = null,
): HostStateFacts => ({ class: stateClass, description, deadline, onExpiryIfItAnswers });

/** What is true of a host in each state. Source: lifecycle.md, "Host", and the seeds. */
export const hostStateFacts: Readonly<Record<HostState, HostStateFacts>> = {
  OFFLINE: at('AT_REST', 'The host is not allocated and nothing is billed.'),
  DEPLOYING: at('TRANSIENT', 'Compute is being allocated; billing begins once it is online.', {
    seconds: 600,
    onExpiry: 'FAILED_DEPLOYMENT',
  }),
  CONFIGURING_DNS: at('TRANSIENT', 'The A record of the address is being created.', {
    seconds: 120,
    onExpiry: 'FAILED_DEPLOYMENT',
  }),
  DEPLOYING_CONTAINER: at('TRANSIENT', 'The containers are being downloaded and installed.', {
    seconds: 900,
    onExpiry: 'FAILED_DEPLOYMENT',
  }),
  STARTING_CONTAINER: at(
    'TRANSIENT',
    'The host is configured and its containers are being started.',
    { seconds: 120, onExpiry: 'FAILED_HEALTH_CHECK' },
    'RUNNING',
  ),
  RUNNING: at('LIVE', 'The host is up; each instance on it tells its own state.'),
  RESTARTING_HOST: at('TRANSIENT', 'The compute and its operating system are being restarted.', {
    seconds: 300,
    onExpiry: 'FAILED_HEALTH_CHECK',
  }),
  RESTARTING_CONTAINER: at(
    'TRANSIENT',
    'The containers of the instances are being stopped and started.',
    { seconds: 120, onExpiry: 'FAILED_HEALTH_CHECK' },
    'RUNNING',
  ),
  FAILED_DEPLOYMENT: at('ERROR', 'The compute was not created properly; nothing is billed.'),
  FAILED_HEALTH_CHECK: at('ERROR', 'The host did not answer its last check.'),
};

const edge = (from: readonly HostState[], to: HostState, trigger: string): Edge<HostState>[] =>
  from.map((state) => ({ from: state, to, trigger }));

/** Every legal edge; nothing else is ever written. Source: lifecycle.md, second host table. */
export const hostEdges: readonly Edge<HostState>[] = [
  ...edge(['OFFLINE'], 'DEPLOYING', 'deployHost'),
  ...edge(['DEPLOYING'], 'CONFIGURING_DNS', 'the compute is online and has an address'),
  ...edge(['CONFIGURING_DNS'], 'DEPLOYING_CONTAINER', 'the A record answers'),
  ...edge(['DEPLOYING_CONTAINER'], 'STARTING_CONTAINER', 'the container is created'),
  ...edge(['STARTING_CONTAINER'], 'RUNNING', 'a container is up, or there is none to start'),
  ...edge(['STARTING_CONTAINER'], 'FAILED_HEALTH_CHECK', 'deadline, and the host is silent'),
  ...edge(
    ['DEPLOYING', 'CONFIGURING_DNS', 'DEPLOYING_CONTAINER'],
    'FAILED_DEPLOYMENT',
    'the stage failed or its deadline passed',
  ),
  ...edge(['RUNNING', 'FAILED_HEALTH_CHECK'], 'RESTARTING_HOST', 'restartHost'),
  ...edge(['RESTARTING_HOST'], 'STARTING_CONTAINER', 'the host answers again'),
  ...edge(['RESTARTING_HOST'], 'FAILED_HEALTH_CHECK', 'deadline'),
  ...edge(['RUNNING'], 'RESTARTING_CONTAINER', 'restartContainer'),
  ...edge(['RESTARTING_CONTAINER'], 'RUNNING', 'the container is up'),
  ...edge(['RUNNING', 'RESTARTING_CONTAINER'], 'FAILED_HEALTH_CHECK', 'a missed minute check'),
  ...edge(['FAILED_HEALTH_CHECK'], 'RUNNING', 'a later check answers'),
  ...edge(
    hostStates.filter((state) => state !== 'OFFLINE'),
    'OFFLINE',
    'removeHost: the release is confirmed',
  ),
];

type HostRow = Readonly<Record<HostAction, Cell<HostState>>>;

const accepted: Cell<never> = { enters: null };
const ILL: Cell<never> = { refused: 'ILLEGAL_TRANSITION' };
const ALR: Cell<never> = { refused: 'ALREADY_IN_STATE' };
const REM: Cell<never> = { refused: 'REMOVE_REQUIRED' };
const BUSY: Cell<never> = { refused: 'OPERATION_IN_PROGRESS' };

const busyRow: HostRow = {
  DEPLOY: BUSY,
  RESTART: BUSY,
  RESTART_CONTAINER: BUSY,
  REMOVE: BUSY,
  FORCE_REMOVE: accepted,
  DELETE: ILL,
};

/**
 * Every command in every state. A removal enters no state when it is accepted: it shows as the
 * active operation and `removing`, and the host is OFFLINE once the release is confirmed.
 */
export const hostCommands: Readonly<Record<HostState, HostRow>> = {
  OFFLINE: {
    DEPLOY: { enters: 'DEPLOYING' },
    RESTART: ILL,
    RESTART_CONTAINER: ILL,
    REMOVE: ILL,
    FORCE_REMOVE: ILL,
    DELETE: accepted,
  },
  DEPLOYING: busyRow,
  CONFIGURING_DNS: busyRow,
  DEPLOYING_CONTAINER: busyRow,
  STARTING_CONTAINER: busyRow,
  RUNNING: {
    DEPLOY: ALR,
    RESTART: { enters: 'RESTARTING_HOST' },
    RESTART_CONTAINER: { enters: 'RESTARTING_CONTAINER' },
    REMOVE: accepted,
    FORCE_REMOVE: accepted,
    DELETE: ILL,
  },
  RESTARTING_HOST: busyRow,
  RESTARTING_CONTAINER: busyRow,
  FAILED_DEPLOYMENT: {
    DEPLOY: REM,
    RESTART: REM,
    RESTART_CONTAINER: REM,
    REMOVE: accepted,
    FORCE_REMOVE: accepted,
    DELETE: ILL,
  },
  FAILED_HEALTH_CHECK: {
    DEPLOY: ILL,
    RESTART: { enters: 'RESTARTING_HOST' },
    RESTART_CONTAINER: ILL,
    REMOVE: accepted,
    FORCE_REMOVE: accepted,
    DELETE: ILL,
  },
};

/** A removal may take this long; then its operation is TIMED_OUT and may be tried again. */
export const removalDeadlineSeconds = 300;

/** Only OFFLINE instances may be on a host in one of these states; Postgres refuses others. */
export const downHostStates: readonly HostState[] = ['OFFLINE', 'FAILED_DEPLOYMENT'];

/** The states in which the host is checked every minute. */
export const checkedHostStates: readonly HostState[] = [
  'RUNNING',
  'RESTARTING_CONTAINER',
  'FAILED_HEALTH_CHECK',
];
