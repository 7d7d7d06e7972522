/** What a test may ask of the scripted driver, and what it observes of the machine. */
import type {
  Driver,
  DriverError,
  RuntimeObservation,
  RuntimeRequest,
  Verb,
} from '../../src/drivers/driver.ts';

export interface ScriptedRuntime {
  readonly request: RuntimeRequest;
  readonly hostId: string;
  observation: RuntimeObservation;
  /** How often it was asked to end. */
  stopRequests: number;
}

export interface ScriptedHost {
  readonly hostId: string;
  readonly address: string;
  answers: boolean;
  endpoint: string | null;
  imageDigest: string | null;
}

export interface DriverCall {
  readonly verb: Verb;
  /** The host's id, or the instance's for a runtime's verb. */
  readonly subject: string;
  readonly fence: bigint;
}

/** What a test may look at and decide. */
export interface Script {
  /** Every call so far, those that fail or hang included. */
  readonly calls: readonly DriverCall[];
  readonly hosts: ReadonlyMap<string, ScriptedHost>;
  /** The newest run of each instance. */
  readonly runtimes: ReadonlyMap<string, ScriptedRuntime>;
  /** Fails the verb, the given number of times (for ever unless told). */
  fail(verb: Verb, error?: DriverError, times?: number): void;
  /** Makes the verb a black hole: it settles only when its call is over. */
  hang(verb: Verb): void;
  /** Lets the verb work again; those that hang already stay so. */
  heal(verb?: Verb): void;
  /** Whether a stop is obeyed at once (so it is at first) or ignored. */
  obeyStops(obeys: boolean): void;
  setHostAnswers(hostId: string, answers: boolean): void;
  /** Makes the runtime end, exit code 1 unless told. */
  exitRuntime(
    instanceId: string,
    exit?: Partial<Extract<RuntimeObservation, { state: 'exited' }>>,
  ): void;
  /** Marks the runtime as running again, or as anything else. */
  setRuntime(instanceId: string, observation: RuntimeObservation): void;
  /** How many calls watch this engine. */
  watched(): number;
  /** Ends every watch, as an engine that restarts. */
  endWatches(): void;
  /** Called after each start of a runtime, so that a test can play its part. */
  onStarted(listener: (runtime: ScriptedRuntime) => void): void;
  /** A second driver over the same machine and script. */
  reopen(): ScriptedDriver;
}

export interface ScriptedDriver extends Driver {
  readonly script: Script;
}
