/**
 * The interface of a driver: a dozen verbs and opaque, stored handles. A
 * driver reports coarse observations (answers, running, exited, unknown) and does not use states of
 * the lifecycle. Every verb can be repeated: starting what runs and stopping what has stopped
 * succeed, and recovering from a stored handle is ordinary start-up.
 */

import type { Resources } from '../lifecycle/capacity.ts';
import type { HostDriver, HostSize } from '../lifecycle/compute.ts';
import type { ExitCause } from '../lifecycle/instance-observations.ts';

/** Opaque to everyone but the driver that created it; stored as JSON beside the resource. */
export type Handle = { readonly [name: string]: unknown };

/** Passed with every call: its fencing token, and when to give up. */
export interface Call {
  /**
   * Fencing token of the work item. A driver that has seen a greater one for the same subject
   * refuses it.
   */
  readonly fencingToken: bigint;
  /** Aborted when the worker loses its lease or stops, or the time of the call is over. */
  readonly signal: AbortSignal;
}

/** The call of a deployment, which may take long. */
export interface DeployCall extends Call {
  /**
   * Tells how much is done, from 0 to 1, and what is being done, for people. It may be called often,
   * and returns at once.
   */
  readonly onProgress?: (fraction: number, text: string) => void;
  /** The registry is asked what the tag means, though an image of that name is in place. */
  readonly anew?: boolean;
}

export interface HostRequest {
  readonly hostId: string;
  readonly hostKey: string;
  readonly size: HostSize;
  /** What a host of this size has. */
  readonly resources: Resources;
}

export interface AllocatedHost {
  readonly handle: Handle;
  /** The IP address that the A record will carry. */
  readonly address: string;
}

export type HostObservation =
  | { readonly answers: true }
  | { readonly answers: false; readonly reason: string };

export interface ContainerImage {
  /** Key of the container repository, for people; the driver resolves `image`. */
  readonly repository: string;
  readonly image: string;
  readonly tag: string;
  /** The digest that the tag meant before: this is put in place, whatever the tag means now. */
  readonly digest?: string;
  /** For a registry that asks for them. */
  readonly credentials?: { readonly username: string; readonly password: string };
}

/** A port on which the solution of a runtime listens. */
export interface ListenerPort {
  /** Its name in the solution, or `input-commands`. */
  readonly listener: string;
  /** 0: any free one. */
  readonly port: number;
}

/** Where a listener is reached from outside. */
export interface PublishedPort {
  readonly address: string;
  readonly port: number;
}

/** A runtime that was started. */
export interface StartedRuntime {
  readonly imageDigest: string;
  /** By the names of listeners. A listener that is not in it is reached where the runtime says. */
  readonly published: Readonly<Record<string, PublishedPort>>;
}

export interface RuntimeRequest {
  readonly instanceId: string;
  readonly instanceKey: string;
  readonly runId: string;
  /** The key of the run, in clear; passed to the runtime by stdin alone and never stored. */
  readonly runKey: string;
  /** Address of the API for the runtime (`ws://…/graphql`). A driver passes on later changes. */
  readonly endpoint: string;
  /**
   * PEM of authorities that the runtime trusts beside the public ones; null: none. A driver writes
   * it to a file where the runtime runs, and names that in the NODE_EXTRA_CA_CERTS of the runtime.
   */
  readonly authorities: string | null;
  readonly heartbeatSeconds: number;
  readonly image: ContainerImage;
  /** DNS names of the host, by which devices may call its listeners too. */
  readonly hostNames: readonly string[];
  /** The ports that the listeners of its solution name. */
  readonly ports: readonly ListenerPort[];
  /** The most that it may use; a driver that cannot enforce it says so in its documentation. */
  readonly resources: Resources;
}

export interface RuntimeRef {
  readonly instanceId: string;
  readonly runId: string;
}

export type RuntimeObservation =
  | {
      readonly state: 'running';
      /** As below; absent if the driver cannot tell. */
      readonly logTail?: string;
    }
  | {
      readonly state: 'exited';
      readonly exitCode: number | null;
      readonly signal: string | null;
      /** The last lines of its output, 4 KiB at most, control characters escaped. */
      readonly logTail: string;
      /** What the engine says beyond that. An exit code alone never tells it. */
      readonly cause?: ExitCause;
    }
  /** The host cannot be asked, so nothing is known. */
  | { readonly state: 'unknown'; readonly reason: string };

/** What an engine is, and has in total. */
export interface Engine {
  readonly version: string;
  /** `linux/amd64` */
  readonly platform: string;
  readonly capacity: Resources;
}

/** A host, or the runtime of one run on it, that a driver holds for this installation. */
export type Holding =
  | { readonly hostId: string; readonly runtime: null }
  | {
      readonly hostId: string;
      readonly runtime: RuntimeRef;
      /** It has exited, and something of it is left. */
      readonly hasExited: boolean;
    };

/** The call that watches an engine. */
export interface WatchCall extends Call {
  /** From now on every exit is told. */
  readonly onOpen: () => void;
  /** The runtime has exited or was removed; an inspection says how. Returns at once. */
  readonly onExit: (runtime: RuntimeRef) => void;
}

/** The verbs that are limited in time. */
export type Verb = Exclude<keyof Driver, 'kind' | 'limits' | 'watch' | 'close'>;

export interface Driver {
  readonly kind: HostDriver;

  /** Seconds after which a caller gives up a verb. */
  readonly limits: Readonly<Record<Verb, number>>;

  /** Asks the engine what it is. Rejects with the reason why it cannot be used. */
  inspectEngine(call: Call): Promise<Engine>;

  /**
   * Everything that this driver holds for this installation, also what the store has forgotten:
   * `releaseHost` and `removeRuntime` remove it.
   */
  listHoldings(call: Call): Promise<readonly Holding[]>;

  /**
   * Allocates the compute and resolves when it is online. A repeat finds the host of the first
   * call.
   */
  allocateHost(host: HostRequest, call: Call): Promise<AllocatedHost>;

  /** Checks whether the host answers, and passes it the current endpoint of the API. */
  checkHost(handle: Handle, endpoint: string, call: Call): Promise<HostObservation>;

  /**
   * Restarts the compute. Resolves when every runtime that was on it is confirmed gone and the
   * restart is under way; `checkHost` then reports when it answers again. The address stays.
   */
  restartHost(host: HostRequest, handle: Handle, call: Call): Promise<AllocatedHost>;

  /**
   * Releases everything ever allocated for this host, including what an interrupted `allocateHost`
   * left behind (then `handle` is null). Resolves only when all of it is confirmed gone.
   */
  releaseHost(hostId: string, handle: Handle | null, call: Call): Promise<void>;

  /** Puts the image in place on the host. A repeat is cheap. */
  deployContainer(
    handle: Handle,
    image: ContainerImage,
    call: DeployCall,
  ): Promise<{ readonly imageDigest: string }>;

  /**
   * Starts the runtime of one run, once. It first proves that no earlier run of the instance is
   * alive, and ends one that is. A repeat for the same run finds what the first call started; if
   * that has exited, no second one is started and the call resolves.
   */
  startRuntime(handle: Handle, runtime: RuntimeRequest, call: Call): Promise<StartedRuntime>;

  /**
   * Asks the runtime to end (SIGTERM or equivalent). Does not wait. A request that comes before the
   * program listens for it may be lost: the caller repeats it.
   */
  stopRuntime(handle: Handle, runtime: RuntimeRef, call: Call): Promise<void>;

  /** Kills the runtime. Resolves only when it is confirmed gone, otherwise rejects. */
  killRuntime(handle: Handle, runtime: RuntimeRef, call: Call): Promise<void>;

  /** Removes what is left of a run that is over for the store, killing it if it lives. */
  removeRuntime(handle: Handle, runtime: RuntimeRef, call: Call): Promise<void>;

  /** The state of the runtime now. Does not reject for a silent host: that is `unknown`. */
  inspectRuntime(handle: Handle, runtime: RuntimeRef, call: Call): Promise<RuntimeObservation>;

  /**
   * Tells of runtimes of this installation that exit, as the engine says. Resolves when the engine ends it;
   * rejects when the call is over or the engine cannot be asked. It may miss an exit, which
   * `listHoldings` then shows. Absent: the engine tells nothing.
   */
  watch?(call: WatchCall): Promise<void>;

  /** Closes connections and timers of this process. Hosts and runtimes keep running. */
  close(): Promise<void>;
}

/** A verb that failed, for a reason that the operator can read. */
export class DriverError extends Error {
  override readonly name = 'DriverError';
  readonly code: string;
  readonly retryable: boolean;
  readonly logTail: string | null;

  /**
   * @param code upper snake case, stable: `ADDRESS_TAKEN`, `FENCED`, `HOST_SILENT`, …
   * @param message the problem, its cause and the remedy
   */
  constructor(
    code: string,
    message: string,
    options: { retryable: boolean; logTail?: string | null; cause?: unknown },
  ) {
    super(message, { cause: options.cause });
    this.code = code;
    this.retryable = options.retryable;
    this.logTail = options.logTail ?? null;
  }
}
