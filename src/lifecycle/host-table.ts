/**
 * Commands and observations of a host by state. Decisions enter the state that these tables name.
 * Shown in docs/host-states.md.
 */
import { type HostAction, type HostState, hostStates } from './host.ts';
import {
  accepted,
  alreadyInState,
  type Cell,
  enters,
  illegal,
  inProgress,
  inStates,
  type ObservationRow,
  removeRequired,
} from './table-types.ts';

/** A deletion enters no state. */
type HostRow = Readonly<
  Record<Exclude<HostAction, 'DELETE'>, Cell<HostState>> & { DELETE: Cell<never> }
>;

const inProgressRow = (): HostRow => ({
  DEPLOY: inProgress,
  RESTART: inProgress,
  RESTART_CONTAINER: inProgress,
  REMOVE: inProgress,
  FORCE_REMOVE: accepted,
  DELETE: illegal,
});

/**
 * Every command in every state. A removal enters no state when it is accepted: the host
 * is `removing`, and enters OFFLINE once the release is confirmed.
 */
export const hostCommands: Readonly<Record<HostState, HostRow>> = {
  OFFLINE: {
    DEPLOY: enters('DEPLOYING'),
    RESTART: illegal,
    RESTART_CONTAINER: illegal,
    REMOVE: illegal,
    FORCE_REMOVE: illegal,
    DELETE: accepted,
  },
  DEPLOYING: inProgressRow(),
  CONFIGURING_DNS: inProgressRow(),
  DEPLOYING_CONTAINER: inProgressRow(),
  STARTING_CONTAINER: inProgressRow(),
  RUNNING: {
    DEPLOY: alreadyInState,
    RESTART: enters('RESTARTING_HOST'),
    RESTART_CONTAINER: enters('RESTARTING_CONTAINER'),
    REMOVE: accepted,
    FORCE_REMOVE: accepted,
    DELETE: illegal,
  },
  RESTARTING_HOST: inProgressRow(),
  RESTARTING_CONTAINER: inProgressRow(),
  FAILED_DEPLOYMENT: {
    DEPLOY: removeRequired,
    RESTART: removeRequired,
    RESTART_CONTAINER: removeRequired,
    REMOVE: accepted,
    FORCE_REMOVE: accepted,
    DELETE: illegal,
  },
  FAILED_HEALTH_CHECK: {
    DEPLOY: illegal,
    RESTART: enters('RESTARTING_HOST'),
    RESTART_CONTAINER: illegal,
    REMOVE: accepted,
    FORCE_REMOVE: accepted,
    DELETE: illegal,
  },
};

/** An effect of an observation other than entering a fixed state. */
export type HostEffectName =
  /** Enters `onExpiry` of the present state's deadline, or `ifItAnswers`. */
  | 'EXPIRE'
  /** The compute restarts: its instances enter OFFLINE, and the host is checked. */
  | 'LOSE_RUNTIMES'
  /** The compute of a failed deployment is released: its handle is cleared. */
  | 'FORGET_COMPUTE';

export type HostObservationName =
  | 'HOST_ONLINE'
  | 'DNS_ANSWERS'
  | 'CONTAINER_CREATED'
  | 'STAGE_FAILED'
  | 'HOST_ANSWERS'
  | 'RUNTIMES_GONE'
  | 'CONTAINER_UP'
  | 'RUNTIME_ONLINE'
  | 'CHECK_ANSWERED'
  | 'CHECK_MISSED'
  | 'HOST_DEADLINE'
  | 'COMPUTE_RELEASED'
  | 'HOST_REMOVED';

const EXPIRE = { effect: 'EXPIRE' } as const;

/** Every observation in every state. All but HOST_REMOVED are suspended during a removal. */
export const hostObservations: Readonly<
  Record<HostObservationName, ObservationRow<HostState, HostEffectName>>
> = {
  HOST_ONLINE: { DEPLOYING: enters('CONFIGURING_DNS') },
  DNS_ANSWERS: { CONFIGURING_DNS: enters('DEPLOYING_CONTAINER') },
  CONTAINER_CREATED: { DEPLOYING_CONTAINER: enters('STARTING_CONTAINER') },
  STAGE_FAILED: inStates(
    ['DEPLOYING', 'CONFIGURING_DNS', 'DEPLOYING_CONTAINER'],
    enters('FAILED_DEPLOYMENT'),
  ),
  HOST_ANSWERS: {
    STARTING_CONTAINER: enters('RUNNING'),
    RESTARTING_HOST: enters('STARTING_CONTAINER'),
  },
  RUNTIMES_GONE: { RESTARTING_HOST: { effect: 'LOSE_RUNTIMES' } },
  CONTAINER_UP: { RESTARTING_CONTAINER: enters('RUNNING') },
  RUNTIME_ONLINE: { STARTING_CONTAINER: enters('RUNNING') },
  CHECK_ANSWERED: { FAILED_HEALTH_CHECK: enters('RUNNING') },
  CHECK_MISSED: inStates(['RUNNING', 'RESTARTING_CONTAINER'], enters('FAILED_HEALTH_CHECK')),
  HOST_DEADLINE: {
    DEPLOYING: EXPIRE,
    CONFIGURING_DNS: EXPIRE,
    DEPLOYING_CONTAINER: EXPIRE,
    STARTING_CONTAINER: EXPIRE,
    RESTARTING_HOST: EXPIRE,
    RESTARTING_CONTAINER: EXPIRE,
  },
  COMPUTE_RELEASED: { FAILED_DEPLOYMENT: { effect: 'FORGET_COMPUTE' } },
  HOST_REMOVED: inStates(
    hostStates.filter((state) => state !== 'OFFLINE'),
    enters('OFFLINE'),
  ),
};
