/** What a runtime and the API send each other, and the errors of a request without an answer. */
import type { FieldValue } from './fields.ts';

/** A command to this run. */
export interface RuntimeCommand {
  readonly id: string;
  readonly kind: 'LOAD_SOLUTION' | 'START_LISTENING' | 'PAUSE' | 'RESUME' | 'STOP';
  readonly run: string;
  readonly payload: unknown;
}

/** An address where the runtime listens. */
export interface Endpoint {
  readonly kind: 'MESSAGES' | 'INPUT_COMMANDS';
  readonly name: string;
  readonly protocol: 'http' | 'mqtt';
  readonly address: string;
  readonly port: number;
  readonly path: string;
}

/** The result of a command. */
export interface CommandResult {
  readonly outcome: 'DONE' | 'FAILED';
  readonly message?: string;
  readonly endpoints?: readonly Endpoint[];
}

/** Counted since the run began. */
export interface Counters {
  messagesAccepted: number;
  messagesRejected: number;
  inputCommands: number;
  /** Values of devices that the API refused after their messages had been accepted. */
  valuesRefused: number;
}

/** The limits of the API, from its answer to ONLINE. */
export interface RuntimeLimits {
  /** All values or lines of one report, as JSON. */
  readonly reportBytes: number;
  readonly valuesPerReport: number;
  /** One value, as JSON. */
  readonly valueBytes: number;
  readonly logLinesPerReport: number;
  /** One line of a log, or a message. */
  readonly textCharacters: number;
}

/** The last value of one field of one device. */
export interface DeviceValue {
  readonly device: string;
  readonly field: string;
  readonly value: FieldValue;
  readonly at: string;
  /** Its place in the order in which the run accepted values. */
  readonly number: number;
}

/** A value as the API returns it. */
export type LearnedValue = Pick<DeviceValue, 'field' | 'value' | 'at'>;

/** The answer of the API: a success, or a refusal with its code. */
export interface Answer {
  readonly __typename: string;
  readonly code?: string;
  readonly message?: string;
  readonly retryable?: boolean;
  readonly limits?: RuntimeLimits;
}

/** Subscription to this run's commands. */
export const commandsDocument =
  'subscription RuntimeCommands { runtimeCommands { id kind run payload } }';

/** Subscription to the watch of this instance's log. */
export const logWatchDocument = 'subscription RuntimeLogWatch { runtimeLogWatch { id } }';

/** Codes of errors that do not concern the content of the request. */
const retryableCodes: readonly string[] = [
  'UNAVAILABLE',
  'RATE_LIMITED',
  'UNAUTHENTICATED',
  'FORBIDDEN',
];
/** There is no connection now; a retry may succeed. */
export class Disconnected extends Error {
  override readonly name = 'Disconnected';
}

/** The API answered with an error instead of a result; the connection stays open. */
export class RequestRejected extends Error {
  override readonly name = 'RequestRejected';
  readonly code: string;
  /** May a retry succeed? Then the error is not about the content of the request. */
  readonly retryable: boolean;

  constructor(code: string, message: string) {
    super(`${code}: ${message}`);
    this.code = code;
    this.retryable = retryableCodes.includes(code);
  }
}

/** The run is over for the API: the runtime exits. */
export class RunEnded extends Error {
  override readonly name = 'RunEnded';
}
