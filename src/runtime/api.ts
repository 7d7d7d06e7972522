/** The part of the API that a runtime uses, typed: one function per mutation. */
import type { Connection } from './connection.ts';
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
}

/** The last value of one field of one device. */
export interface DeviceValue {
  readonly device: string;
  readonly field: string;
  readonly value: string | number | boolean;
  readonly at: string;
}

/** What the API answered: a success, or a refusal with its code. */
export interface Answer {
  readonly __typename: string;
  readonly code?: string;
  readonly message?: string;
  readonly retryable?: boolean;
}

/** Subscription to this run's commands. */
export const commandsDocument =
  'subscription RuntimeCommands { runtimeCommands { id kind run payload } }';

/** The mutations of one run. Each rejects while there is no connection. */
export interface Api {
  complete(command: string, result: CommandResult): Promise<Answer>;
  reportOnline(): Promise<Answer>;
  reportHeartbeat(counters: Counters): Promise<Answer>;
  reportFault(message: string): Promise<Answer>;
  reportDeviceValues(values: readonly DeviceValue[]): Promise<Answer>;
  reportLogs(lines: readonly LogLine[]): Promise<Answer>;
}

const mutation = (name: string, input: string) =>
  `mutation ($input: ${input}!) { result: ${name}(input: $input) { __typename ` +
  '... on UserError { code message } ... on RuntimeReportRefused { retryable } } }';
const completeDocument = mutation('completeRuntimeCommand', 'CompleteRuntimeCommandInput');
const reportDocument = mutation('reportRuntime', 'ReportRuntimeInput');
const valuesDocument = mutation('reportDeviceValues', 'ReportDeviceValuesInput');
const logsDocument = mutation('reportLogs', 'ReportLogsInput');
const greatestInt = 2 ** 31 - 1;

/** The API of `run` over a connection. */
export function createApi(run: string, connection: Pick<Connection, 'request'>): Api {
  const report = (input: object) => connection.request(reportDocument, { run, ...input });
  return {
    complete: (command, result) =>
      connection.request(completeDocument, { command, run, ...result }),
    reportOnline: () => report({ report: 'ONLINE' }),
    reportHeartbeat: (counters) =>
      report({
        report: 'HEARTBEAT',
        counters: {
          messagesAccepted: Math.min(counters.messagesAccepted, greatestInt),
          messagesRejected: Math.min(counters.messagesRejected, greatestInt),
          inputCommands: Math.min(counters.inputCommands, greatestInt),
          memoryBytes: process.memoryUsage.rss(),
        },
      }),
    reportFault: (message) => report({ report: 'FAULT', message }),
    reportDeviceValues: async (values) =>
      settled(await connection.request(valuesDocument, { run, values })),
    reportLogs: async (lines) => settled(await connection.request(logsDocument, { run, lines })),
  };
}

/** A refusal that may pass later counts as not sent; any other is final. */
function settled(answer: Answer): Answer {
  if (answer.retryable === true) throw new Error(answer.message ?? 'refused for now');
  return answer;
}
