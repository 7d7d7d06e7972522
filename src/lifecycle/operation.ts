/**
 * An operation is what a command started: the user-visible item of work, with a status, a phase
 * and an end. At most one is active on a resource (a partial unique index holds that).
 */
export const operationStatuses = [
  'QUEUED',
  'RUNNING',
  'SUCCEEDED',
  'FAILED',
  'TIMED_OUT',
  'CANCELLED',
  'SUPERSEDED',
] as const;
export type OperationStatus = (typeof operationStatuses)[number];

export const activeStatuses = ['QUEUED', 'RUNNING'] as const satisfies OperationStatus[];

/** An operation that has not ended. */
export const isActive = (status: OperationStatus): boolean =>
  activeStatuses.some((active) => active === status);

export const operationKinds = [
  'DEPLOY_INSTANCE',
  'START_INSTANCE',
  'PAUSE_INSTANCE',
  'RESUME_INSTANCE',
  'STOP_INSTANCE',
  'RESTART_INSTANCE',
  'UPDATE_RUNTIME',
  'DETACH_INSTANCE',
  'DEPLOY_HOST',
  'RESTART_HOST',
  'RESTART_CONTAINER',
  'REMOVE_HOST',
  'SYNC_CONTAINER_TAGS',
] as const;
export type OperationKind = (typeof operationKinds)[number];

/** The phase of an instance's operation that waits until its host is ready. */
export const waitingForHost = 'WAITING_FOR_HOST';

/** The phases of an update of a live instance. The last one follows a start that failed. */
export const updatePhases = {
  pulling: 'PULLING',
  restarting: 'RESTARTING',
  rollingBack: 'ROLLING_BACK',
} as const;

/** What of a container repository is run. */
export interface ImageChoice {
  /** Null: the default tag of the repository. */
  readonly tag: string | null;
  /** What the tag meant when the image was put in place; null: the tag is asked. */
  readonly digest: string | null;
}

/** What an update of a live instance replaces, and by what. The new digest is null until it is pulled. */
export interface RuntimeUpdate {
  readonly from: ImageChoice;
  readonly to: ImageChoice;
}

export interface ActiveOperation {
  readonly id: string;
  readonly kind: OperationKind;
  readonly status: 'QUEUED' | 'RUNNING';
  readonly phase: string | null;
  /** The operation that asked for this one: the host's for an effect, the instance's for a deployment. */
  readonly parentId: string | null;
  /** Of UPDATE_RUNTIME on a live instance. */
  readonly update?: RuntimeUpdate | null;
}

/** Only an operation that has not begun can be cancelled. */
export function isCancellable(operation: ActiveOperation): boolean {
  return operation.status === 'QUEUED';
}
