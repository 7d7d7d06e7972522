/**
 * The state machine of a host, as data. What commands and observations do is in
 * `host-table.ts`.
 *
 *   OFFLINE ─► DEPLOYING ─► CONFIGURING_DNS ─► DEPLOYING_CONTAINER ─► STARTING_CONTAINER ─► RUNNING
 *      ▲           └──────────────┴────────────────────┤                   ▲                 │ ▲
 *      │                                               ▼                   │                 ▼ │
 *      │                                       FAILED_DEPLOYMENT    RESTARTING_HOST   RESTARTING_CONTAINER,
 *      └── removeHost, from every state                                    └───── FAILED_HEALTH_CHECK
 */
import { type Deadline, type Edge, edges, type StateClass } from './table-types.ts';

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
  readonly deadline: HostDeadline | null;
  /** Is its compute billed? */
  readonly billed: boolean;
  /** Is it checked every minute? */
  readonly checked: boolean;
  /** May an instance on it be anything but OFFLINE? Postgres refuses others. */
  readonly carriesInstances: boolean;
}

export interface HostDeadline extends Deadline<HostState> {
  /** Entered instead of `onExpiry` where the host answers a last check. */
  readonly ifItAnswers: HostState | null;
}

const at = (
  stateClass: StateClass,
  description: string,
  rest: Partial<Omit<HostStateFacts, 'class' | 'description'>> = {},
): HostStateFacts => ({
  class: stateClass,
  description,
  deadline: null,
  billed: true,
  checked: false,
  carriesInstances: true,
  ...rest,
});

const after = (
  seconds: number,
  onExpiry: HostState,
  ifItAnswers: HostState | null = null,
): HostDeadline => ({ seconds, onExpiry, ifItAnswers });

/** What is true of a host in each state. Shown in docs/host-states.md, "States". */
export const hostStateFacts: Readonly<Record<HostState, HostStateFacts>> = {
  OFFLINE: at('AT_REST', 'The host is not allocated and nothing is billed.', {
    billed: false,
    carriesInstances: false,
  }),
  DEPLOYING: at('TRANSIENT', 'Compute is being allocated; billing begins once it is online.', {
    deadline: after(600, 'FAILED_DEPLOYMENT'),
    billed: false,
  }),
  CONFIGURING_DNS: at('TRANSIENT', 'The A record of the address is being created.', {
    deadline: after(120, 'FAILED_DEPLOYMENT'),
  }),
  DEPLOYING_CONTAINER: at('TRANSIENT', 'The containers are being downloaded and installed.', {
    deadline: after(900, 'FAILED_DEPLOYMENT'),
  }),
  STARTING_CONTAINER: at(
    'TRANSIENT',
    'The host is configured and its containers are being started.',
    { deadline: after(120, 'FAILED_HEALTH_CHECK', 'RUNNING') },
  ),
  RUNNING: at('LIVE', 'The host is up; each instance on it tells its own state.', {
    checked: true,
  }),
  RESTARTING_HOST: at('TRANSIENT', 'The compute and its operating system are being restarted.', {
    deadline: after(300, 'FAILED_HEALTH_CHECK'),
  }),
  RESTARTING_CONTAINER: at(
    'TRANSIENT',
    'The containers of the instances are being stopped and started.',
    { deadline: after(120, 'FAILED_HEALTH_CHECK', 'RUNNING'), checked: true },
  ),
  FAILED_DEPLOYMENT: at('ERROR', 'The compute was not created properly; nothing is billed.', {
    billed: false,
    carriesInstances: false,
  }),
  FAILED_HEALTH_CHECK: at('ERROR', 'The host did not answer its last check.', { checked: true }),
};

const statesWhere = (is: (facts: HostStateFacts) => boolean): readonly HostState[] =>
  hostStates.filter((state) => is(hostStateFacts[state]));

/** Only OFFLINE instances may be on a host in one of these states. */
export const downHostStates = statesWhere(({ carriesInstances }) => !carriesInstances);

const edge = edges<HostState>;

/** Every legal edge; nothing else is ever written. Shown in docs/host-states.md, "Edges". */
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

/** A removal may take this long; then its operation is TIMED_OUT and may be tried again. */
export const removalDeadlineSeconds = 300;
