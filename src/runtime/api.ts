/** The part of the API that a runtime uses, typed: one function per mutation. */
import type { Connection } from './connection.ts';
import type { FieldValue } from './fields.ts';
import type { LogLine } from './log-line.ts';

/** One command to this run. */
export interface RuntimeCommand {
  readonly id: string;
  readonly kind: 'LOAD_SOLUTION' | 'START_LISTENING' | 'PAUSE' | 'RESUME' | 'STOP';
  readonly run: string;
  readonly payload: unknown;
}

/** Where the runtime listens. */
export interface Endpoint {
  readonly kind: 'MESSAGES' | 'INPUT_COMMANDS';
  readonly name: string;
  readonly protocol: 'http';
  readonly address: string;
  readonly port: number;
  readonly path: string;
}

/** How a command ended. */
export interface CommandResult {
  readonly outcome: 'DONE' | 'FAILED';
  readonly message?: string;
  readonly endpoints?: readonly Endpoint[];
}

/** What was counted since the run began. */
export interface Counters {
  messagesAccepted: number;
  messagesRejected: number;
  inputCommands: number;
  /** Values of devices that the API refused, after their messages were accepted. */
  valuesRefused: number;
}

/** What the API takes, as it says in its answer to ONLINE. */
export interface RuntimeLimits {
  /** Of all values or lines of one report, as JSON. */
  readonly reportBytes: number;
  readonly valuesPerReport: number;
  /** Of one value, as JSON. */
  readonly valueBytes: number;
  readonly logLinesPerReport: number;
  /** Of one line of a log, and of a message. */
  readonly textCharacters: number;
}

/** The last value of one field of one device. */
export interface DeviceValue {
  readonly device: string;
  readonly field: string;
  readonly value: FieldValue;
  readonly at: string;
  /** Its place in the order in which the values of the run were taken. */
  readonly number: number;
}

/** What the API answered: a success, or a refusal with its code. */
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

/** The API as one run sees it. Each request rejects while there is no connection. */
export interface Api {
  /** What the API takes; undefined until it has said so. */
  limits(): RuntimeLimits | undefined;
  complete(command: string, result: CommandResult): Promise<Answer>;
  reportOnline(): Promise<Answer>;
  reportHeartbeat(counters: Counters): Promise<Answer>;
  reportFault(message: string): Promise<Answer>;
  /** Values that were taken in that run of the instance. */
  reportDeviceValues(values: readonly DeviceValue[], takenIn: string): Promise<Answer>;
  /** What the API has of a device. */
  lastValues(device: string): Promise<readonly Pick<DeviceValue, 'field' | 'value' | 'at'>[]>;
  reportLogs(lines: readonly LogLine[]): Promise<Answer>;
}

const mutation = (name: string, input: string, more = '') =>
  `mutation ($input: ${input}!) { result: ${name}(input: $input) { __typename ${more} ` +
  '... on UserError { code message } ... on RuntimeReportRefused { retryable } } }';
const completeDocument = mutation('completeRuntimeCommand', 'CompleteRuntimeCommandInput');
const reportDocument = mutation('reportRuntime', 'ReportRuntimeInput');
const onlineDocument = mutation(
  'reportRuntime',
  'ReportRuntimeInput',
  '... on RuntimeReportAccepted { limits { reportBytes valuesPerReport valueBytes logLinesPerReport ' +
    'textCharacters } }',
);
const valuesDocument = mutation('reportDeviceValues', 'ReportDeviceValuesInput');
const lastValuesDocument =
  'query ($device: String!) { result: runtimeDeviceValues(device: $device) { field value at } }';
const logsDocument = mutation('reportLogs', 'ReportLogsInput');
const greatestInt = 2 ** 31 - 1;

/** The API of `run` over a connection. */
export function createApi(run: string, connection: Pick<Connection, 'request' | 'query'>): Api {
  const report = (input: object) => connection.request(reportDocument, { run, ...input });
  let limits: RuntimeLimits | undefined;
  const messageOf = (text: string) => text.slice(0, limits?.textCharacters).toWellFormed();
  return {
    limits: () => limits,
    complete: (command, { message, ...result }) =>
      connection.request(completeDocument, {
        ...{ command, run, ...result },
        ...(message === undefined ? {} : { message: messageOf(message) }),
      }),
    async reportOnline() {
      const answer = await connection.request(onlineDocument, { run, report: 'ONLINE' });
      limits = answer.limits ?? limits;
      return answer;
    },
    reportHeartbeat: (counters) =>
      report({
        report: 'HEARTBEAT',
        counters: {
          messagesAccepted: Math.min(counters.messagesAccepted, greatestInt),
          messagesRejected: Math.min(counters.messagesRejected, greatestInt),
          inputCommands: Math.min(counters.inputCommands, greatestInt),
          valuesRefused: Math.min(counters.valuesRefused, greatestInt),
          memoryBytes: process.memoryUsage.rss(),
        },
      }),
    reportFault: (message) => report({ report: 'FAULT', message: messageOf(message) }),
    reportDeviceValues: async (values, takenIn) =>
      settled(await connection.request(valuesDocument, { run, takenIn, values })),
    lastValues: (device) => connection.query(lastValuesDocument, { device }),
    reportLogs: async (lines) => settled(await connection.request(logsDocument, { run, lines })),
  };
}

/** A refusal that may pass later counts as not sent; any other is final. */
function settled(answer: Answer): Answer {
  if (answer.retryable === true) throw new Error(answer.message ?? 'refused for now');
  return answer;
}
