/**
 * What a decision reads (`Snapshot`) and what it writes (`Change`). A change is committed whole or
 * not at all: the store does it in one statement, guarded by what was read.
 */
import type { HostDriver } from './compute.ts';
import type { Failure } from './failure.ts';
import { type HostState, hostStateFacts, removalDeadlineSeconds } from './host.ts';
import { type DesiredInstanceState, type InstanceState, instanceStateFacts } from './instance.ts';
import type {
  ActiveOperation,
  ImageChoice,
  OperationKind,
  OperationStatus,
  RuntimeUpdate,
} from './operation.ts';

export type ResourceKind = 'INSTANCE' | 'HOST';
export type Reachability = 'OK' | 'UNKNOWN';
export type UnreachableBecause = 'HOST' | 'RUNTIME';

export interface InstanceSnapshot {
  readonly id: string;
  readonly key: string;
  readonly hostId: string | null;
  readonly state: InstanceState;
  readonly sequence: number;
  /** Grows with every commit on the resource; a change is refused where it has grown since the read. */
  readonly guard: number;
  readonly desired: DesiredInstanceState;
  readonly reachability: Reachability;
  readonly unreachableBecause: UnreachableBecause | null;
  /** The present or last run; null before the first. */
  readonly runId: string | null;
  /** The driver confirmed that the runtime of that run is gone (or there was none). */
  readonly runtimeGone: boolean;
  /** What its last run was started with, or its next one will be; null: its edition has no image. */
  readonly image: ImageChoice | null;
  readonly operation: ActiveOperation | null;
}

export interface HostSnapshot {
  readonly id: string;
  readonly key: string;
  readonly driver: HostDriver;
  readonly state: HostState;
  readonly sequence: number;
  readonly guard: number;
  readonly operation: ActiveOperation | null;
}

/** For a decision on an instance: that instance and its host. On a host: all instances on it. */
export interface Snapshot {
  readonly host: HostSnapshot | null;
  readonly instances: readonly InstanceSnapshot[];
}

/** Is the host being removed? Then its deadlines and health transitions are suspended. */
export const isRemoving = (host: HostSnapshot): boolean => host.operation?.kind === 'REMOVE_HOST';

export interface Actor {
  /** Who did it: a person or program, a runtime, a driver, a health check, or a deadline. */
  readonly kind: 'USER' | 'RUNTIME' | 'DRIVER' | 'HEALTH_CHECK' | 'DEADLINE' | 'SYSTEM';
  readonly name: string;
}

/** Inputs of a decision besides the snapshot. A decision is pure: clock and ids come from here. */
export interface DecisionContext {
  readonly newId: () => string;
  readonly deadlines: Deadlines;
  readonly actor: Actor;
  readonly reason: string | null;
}

/** Deadline of each transient state, in seconds. */
export interface Deadlines {
  readonly instance: Readonly<Partial<Record<InstanceState, number>>>;
  readonly host: Readonly<Partial<Record<HostState, number>>>;
  readonly removal: number;
  /** Not a deadline: the time between two health checks of a host. */
  readonly healthCheck: number;
}

/** The deadlines that the facts of the states give. */
export const deadlinesOfFacts = (): Deadlines => ({
  instance: secondsOf(instanceStateFacts),
  host: secondsOf(hostStateFacts),
  removal: removalDeadlineSeconds,
  healthCheck: 60,
});

/** The default deadlines: docs/lifecycle.md, "Deadlines". */
export const defaultDeadlines = deadlinesOfFacts();

function secondsOf<State extends string>(
  facts: Readonly<Record<State, { readonly deadline: { readonly seconds: number } | null }>>,
): Partial<Record<State, number>> {
  const seconds: Partial<Record<State, number>> = {};
  for (const state of Object.keys(facts) as State[]) {
    const deadline = facts[state].deadline;
    if (deadline) seconds[state] = deadline.seconds;
  }
  return seconds;
}

/** Work for the executor. A resource has at most one item of a kind; a new one replaces it. */
export const workKinds = [
  'ALLOCATE_HOST',
  'CONFIGURE_DNS',
  'DEPLOY_CONTAINER',
  'CONFIRM_HOST',
  'RESTART_HOST',
  'RESTART_CONTAINER',
  'RELEASE_HOST',
  'CHECK_HOST',
  'HOST_DEADLINE',
  'REMOVAL_DEADLINE',
  'START_RUNTIME',
  'STOP_RUNTIME',
  'KILL_RUNTIME',
  'WATCH_RUNTIME',
  'CONTINUE_RESTART',
  'PULL_IMAGE',
  'PULL_DEADLINE',
  'INSTANCE_DEADLINE',
  'SYNC_CONTAINER_TAGS',
] as const;
export type WorkKind = (typeof workKinds)[number];

export const runtimeCommandKinds = [
  'LOAD_SOLUTION',
  'START_LISTENING',
  'PAUSE',
  'RESUME',
  'STOP',
] as const;
export type RuntimeCommandKind = (typeof runtimeCommandKinds)[number];

/** The cause of an effect: a host's operation and, where there is one, its transition. */
export interface Cause {
  readonly operationId: string | null;
  readonly transition: { readonly resourceId: string; readonly sequence: number } | null;
}

export interface InstanceUpdate {
  readonly kind: 'INSTANCE';
  readonly id: string;
  readonly guard: number;
  /** Null: no transition, only the other fields. */
  to: InstanceState | null;
  readonly from: InstanceState;
  readonly sequence: number;
  operationId: string | null;
  causedBy: Cause | null;
  details: Record<string, unknown>;
  desired?: DesiredInstanceState;
  reachability?: { readonly value: Reachability; readonly because: UnreachableBecause | null };
  failure?: Failure | null;
  /** A new run begins: its id. The present one's end is implied. */
  beginRun?: string;
  /** The image of the run that begins or, where none does, of the next start. */
  image?: ImageChoice;
  /** The driver confirmed that the runtime is gone. */
  runtimeGone?: true;
  /** The endpoints that the runtime reported; null: it does not listen. */
  endpoints?: readonly unknown[] | null;
  archive?: true;
}

export interface HostUpdate {
  readonly kind: 'HOST';
  readonly id: string;
  readonly guard: number;
  to: HostState | null;
  readonly from: HostState;
  readonly sequence: number;
  operationId: string | null;
  causedBy: Cause | null;
  details: Record<string, unknown>;
  failure?: Failure | null;
  failedStage?: HostState | null;
  removing?: boolean;
  handle?: unknown;
  address?: string | null;
  imageDigest?: string;
  archive?: true;
}

export interface NewOperation {
  readonly id: string;
  readonly kind: OperationKind;
  readonly resource: ResourceKind;
  readonly resourceId: string;
  /** SUCCEEDED: no work was needed; the command still returns an operation. */
  readonly status: 'QUEUED' | 'RUNNING' | 'SUCCEEDED';
  readonly phase: string | null;
  readonly parentId: string | null;
  readonly update: RuntimeUpdate | null;
}

export interface OperationUpdate {
  readonly id: string;
  readonly resource: ResourceKind;
  readonly resourceId: string;
  status: OperationStatus;
  phase?: string | null;
  failure?: Failure | null;
  update?: RuntimeUpdate;
}

export interface NewWork {
  readonly kind: WorkKind;
  readonly resource: ResourceKind;
  readonly resourceId: string;
  readonly operationId: string | null;
  readonly runId: string | null;
  /** The sequence at which it was created; a deadline of another sequence is void. */
  readonly sequence: number;
  /** The driver of its host; null: it has no host. */
  readonly driver: HostDriver | null;
  readonly dueInSeconds: number;
}

export interface NewRuntimeCommand {
  readonly id: string;
  readonly kind: RuntimeCommandKind;
  readonly instanceId: string;
  readonly runId: string;
  readonly payload: Record<string, unknown>;
}

export interface Change {
  readonly actor: Actor;
  readonly reason: string | null;
  /** Guard of the host, where it was read and is not updated. */
  readonly hostGuard: { readonly id: string; readonly guard: number } | null;
  /** Guards of instances that were read and are not updated. */
  readonly guards: readonly { readonly id: string; readonly guard: number }[];
  readonly updates: readonly (InstanceUpdate | HostUpdate)[];
  readonly begins: readonly NewOperation[];
  readonly operations: readonly OperationUpdate[];
  readonly work: readonly NewWork[];
  readonly dropped: readonly { readonly resourceId: string; readonly kinds: readonly WorkKind[] }[];
  readonly commands: readonly NewRuntimeCommand[];
  /** The operation that the mutation returns, where a command was accepted. */
  readonly operationId: string | null;
}
