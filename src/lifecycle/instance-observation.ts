/** What is observed of an instance, and the failure that an observation reports. */
import type { InstanceSnapshot, RuntimeCommandKind } from './change.ts';
import { type Failure, failureAt } from './failure.ts';
import type { InstanceState } from './instance.ts';
import { updatePhases } from './operation.ts';

interface OfRun {
  /** The run observed. An observation of another run is stale and ignored. */
  readonly runId: string;
}

interface OfUpdate {
  /** The operation observed. An observation of another one is stale and ignored. */
  readonly operationId: string;
}

/** What ended a runtime, as an engine says it. */
export type ExitCause = 'OUT_OF_MEMORY' | 'REMOVED';

export type InstanceObservation =
  | (OfRun & { readonly kind: 'RUNTIME_ONLINE' })
  /** A heartbeat while reachability was UNKNOWN. */
  | (OfRun & { readonly kind: 'RUNTIME_SEEN' })
  /** Three heartbeats were missed. */
  | (OfRun & { readonly kind: 'RUNTIME_SILENT' })
  | (OfRun & {
      readonly kind: 'COMMAND_COMPLETED';
      readonly command: RuntimeCommandKind;
      readonly done: boolean;
      readonly message: string | null;
      readonly endpoints: readonly unknown[] | null;
    })
  | (OfRun & { readonly kind: 'RUNTIME_FAULT'; readonly message: string })
  /** The driver confirmed that the runtime is gone. */
  | (OfRun & {
      readonly kind: 'RUNTIME_GONE';
      readonly exitCode: number | null;
      readonly signal: string | null;
      readonly logTail: string | null;
      /** What the engine says beyond that. */
      readonly exitCause?: ExitCause | undefined;
    })
  | (OfRun & { readonly kind: 'START_FAILED'; readonly failure: Failure })
  | (OfRun & { readonly kind: 'KILL_UNCONFIRMED'; readonly message: string })
  /** The second half of a restart or of an update, from STOPPED; from an error where an update goes back. */
  | { readonly kind: 'RESTART_CONTINUES' }
  | (OfUpdate & { readonly kind: 'IMAGE_PULLED'; readonly digest: string })
  | (OfUpdate & { readonly kind: 'PULL_FAILED'; readonly failure: Failure })
  | (OfUpdate & { readonly kind: 'PULL_DEADLINE'; readonly cause: Failure | null })
  | {
      readonly kind: 'INSTANCE_DEADLINE';
      readonly sequence: number;
      readonly cause: Failure | null;
      /** Where the deadline kills first: whether the runtime is confirmed to be gone. */
      readonly kill?: { readonly confirmed: boolean; readonly message: string };
    };

/** The failure that an observation reports. */
export function failureFrom(instance: InstanceSnapshot, observation: InstanceObservation): Failure {
  const { state } = instance;
  switch (observation.kind) {
    case 'COMMAND_COMPLETED': {
      const { command, message } = observation;
      const text = message ?? `The runtime could not complete ${command}.`;
      return failureAt(instance.state, `${command}_FAILED`, text);
    }
    case 'RUNTIME_FAULT':
    case 'KILL_UNCONFIRMED':
      return failureAt(instance.state, observation.kind, observation.message);
    case 'START_FAILED':
    case 'PULL_FAILED':
      return observation.failure;
    case 'PULL_DEADLINE': {
      const { cause } = observation;
      const first = cause ? ` First cause: ${cause.message}` : '';
      const message = `The image was not pulled in time; what ran goes on.${first}`;
      return failureAt(updatePhases.pulling, 'DEADLINE_EXCEEDED', message);
    }
    case 'RUNTIME_GONE': {
      const { exitCode, logTail } = observation;
      const [code, message] = exitFailure(state, observation);
      return { ...failureAt(state, code, message), exitCode, logTail };
    }
    case 'INSTANCE_DEADLINE': {
      const { cause, kill } = observation;
      if (kill) return failureAt(instance.state, 'KILL_UNCONFIRMED', kill.message);
      const first = cause ? ` First cause: ${cause.message}` : '';
      const message = `The instance was ${state} for too long.${first}`;
      return {
        ...failureAt(instance.state, 'DEADLINE_EXCEEDED', message),
        logTail: cause?.logTail ?? null,
      };
    }
    default:
      return failureAt(instance.state, observation.kind, `${observation.kind} while ${state}.`);
  }
}

/** The code and the message of a runtime that ended. */
function exitFailure(
  state: InstanceState,
  { exitCode, signal, exitCause }: Extract<InstanceObservation, { kind: 'RUNTIME_GONE' }>,
): [code: string, message: string] {
  switch (exitCause) {
    case 'OUT_OF_MEMORY': {
      const remedy = 'Choose a larger image size, or mend what uses the memory.';
      return [exitCause, `The runtime reached the limit of its memory while ${state}. ${remedy}`];
    }
    case 'REMOVED': {
      const remedy = 'Someone removed it on the engine; restart the instance.';
      return ['RUNTIME_EXITED', `The runtime is no longer there while ${state}. ${remedy}`];
    }
    case undefined: {
      const how = signal ? `by signal ${signal}` : `with exit code ${exitCode ?? 'unknown'}`;
      return ['RUNTIME_EXITED', `The runtime ended ${how} while ${state}.`];
    }
    default:
      return exitCause satisfies never;
  }
}
