/**
 * The outside world behind one interface: a dozen verbs, a capabilities value and opaque, stored
 * handles. A driver reports coarse observations (answers, running, exited, unknown); no lifecycle
 * word enters it. Every verb can be repeated: starting the started and stopping the stopped
 * succeed, and recovering from a stored handle is ordinary start-up.
 */

/** Where a host can live. One member per driver; the GraphQL enum is derived from it. */
export const driverKinds = ['PROCESS'] as const;
export type DriverKind = (typeof driverKinds)[number];

/** How large a host is; a driver maps it to its own units. */
export const hostSizes = ['EXTRA_SMALL', 'SMALL', 'MEDIUM', 'LARGE', 'EXTRA_LARGE'] as const;
export type HostSize = (typeof hostSizes)[number];

/** Opaque to everyone but the driver that made it; stored as JSON beside the resource. */
export type Handle = { readonly [name: string]: unknown };

/** What travels with every call: who may still act, and when to give up. */
export interface Call {
  /** Fencing token of the work item. Whoever has seen a greater one for the same subject refuses it. */
  readonly fence: bigint;
  /** Aborted when the worker loses its lease, stops, or the call's time is over. */
  readonly signal: AbortSignal;
}

export interface HostRequest {
  readonly hostId: string;
  readonly hostKey: string;
  readonly size: HostSize;
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
  /** Key of the container repository, for people; `image` is what the driver resolves. */
  readonly repository: string;
  readonly image: string;
  readonly tag: string;
}

export interface RuntimeRequest {
  readonly instanceId: string;
  readonly instanceKey: string;
  readonly runId: string;
  /** The run's own key, in clear; reaches the runtime by stdin alone and is never stored. */
  readonly runKey: string;
  /** Where the runtime finds the API (`ws://…/graphql`). A driver hands later changes on. */
  readonly endpoint: string;
  /**
   * PEM of authorities that the runtime trusts beside the public ones; null: none. A driver makes a
   * file of it where the runtime runs, and names that in the runtime's NODE_EXTRA_CA_CERTS.
   */
  readonly authorities: string | null;
  readonly heartbeatSeconds: number;
  readonly image: ContainerImage;
}

export interface RuntimeRef {
  readonly instanceId: string;
  readonly runId: string;
}

export type RuntimeObservation =
  | {
      readonly state: 'running';
      /** As below; absent where the driver cannot tell. */
      readonly logTail?: string;
    }
  | {
      readonly state: 'exited';
      readonly exitCode: number | null;
      readonly signal: string | null;
      /** The last lines of its output, 4 KiB at most, control characters escaped. */
      readonly logTail: string;
    }
  /** The host cannot be asked, so nothing is known. */
  | { readonly state: 'unknown'; readonly reason: string };

export interface Driver {
  readonly kind: DriverKind;
  readonly capabilities: {
    /** May several instances share one host of this driver? */
    readonly sharedHosts: boolean;
  };

  /** Allocates the compute and resolves when it is online. A repeat finds the first one's host. */
  allocateHost(host: HostRequest, call: Call): Promise<AllocatedHost>;

  /** Asks the host whether it is there. Hands it the API's current endpoint on the way. */
  checkHost(handle: Handle, endpoint: string, call: Call): Promise<HostObservation>;

  /**
   * Restarts the compute. Resolves when every runtime that was on it is gone for certain and the
   * restart is under way; `checkHost` then tells when it answers again. The address stays.
   */
  restartHost(host: HostRequest, handle: Handle, call: Call): Promise<AllocatedHost>;

  /**
   * Releases everything ever allocated for this host, what an interrupted `allocateHost` left
   * behind included (`handle` is null then). Resolves only when all of it is confirmed gone.
   */
  releaseHost(hostId: string, handle: Handle | null, call: Call): Promise<void>;

  /** Puts the image in place on the host. A repeat is cheap. */
  deployContainer(
    handle: Handle,
    image: ContainerImage,
    call: Call,
  ): Promise<{ readonly imageDigest: string }>;

  /**
   * Starts the runtime of one run, once: it first proves that no earlier run of the instance is
   * alive (ends it where one is). A repeat for the same run finds what the first one started;
   * where that has exited, it starts no second one and resolves all the same.
   */
  startRuntime(
    handle: Handle,
    runtime: RuntimeRequest,
    call: Call,
  ): Promise<{ imageDigest: string }>;

  /** Asks the runtime to end (SIGTERM or its like). Does not wait. */
  stopRuntime(handle: Handle, runtime: RuntimeRef, call: Call): Promise<void>;

  /** Ends the runtime by force. Resolves only when it is confirmed gone, else rejects. */
  killRuntime(handle: Handle, runtime: RuntimeRef, call: Call): Promise<void>;

  /** What the runtime is doing now. Never rejects for a host that is silent: that is `unknown`. */
  inspectRuntime(handle: Handle, runtime: RuntimeRef, call: Call): Promise<RuntimeObservation>;

  /** Lets go of connections and timers of this process. Hosts and runtimes live on. */
  close(): Promise<void>;
}

/** A verb that did not succeed, for a reason that the operator can read. */
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
