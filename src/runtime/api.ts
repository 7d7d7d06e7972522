/** The part of the API that a runtime uses, typed: one function per request. */
import type { Connection } from './connection.ts';
import type { LogLine } from './log-line.ts';
import type {
  Answer,
  CommandResult,
  Counters,
  DeviceValue,
  LearnedValue,
  RuntimeLimits,
} from './protocol.ts';

export interface LogCopy {
  readonly watch: string;
  /** The newest lines have been sent, and each new one follows. */
  readonly isCaughtUp?: boolean;
}

/** The API as one run uses it. Each request rejects while there is no connection. */
export interface Api {
  /** The limits of the API; undefined until it has sent them. */
  limits(): RuntimeLimits | undefined;
  complete(command: string, result: CommandResult): Promise<Answer>;
  reportOnline(): Promise<Answer>;
  reportHeartbeat(counters: Counters): Promise<Answer>;
  reportFault(message: string): Promise<Answer>;
  /** Values that were accepted in that run of the instance. */
  reportDeviceValues(values: readonly DeviceValue[], takenIn: string): Promise<Answer>;
  /** All values of a device that the API has. */
  lastValues(device: string): Promise<readonly LearnedValue[]>;
  /** Lines to be kept by the API; with `copy`, to be shown to those who read. */
  reportLogs(lines: readonly LogLine[], copy?: LogCopy): Promise<Answer>;
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
  'query ($device: String!, $after: String) { ' +
  'result: runtimeDeviceValues(device: $device, after: $after) { field value at } }';
const logsDocument = mutation('reportLogs', 'ReportLogsInput');
const maxInt = 2 ** 31 - 1;
/** Of a message, as long as the API has not sent its limits. */
const charactersUntilTold = 500;

/** The API of `run` over a connection. */
export function createApi(run: string, connection: Pick<Connection, 'request' | 'query'>): Api {
  const report = (input: object) => connection.request(reportDocument, { run, ...input });
  let limits: RuntimeLimits | undefined;
  const messageOf = (text: string) =>
    text.slice(0, limits?.textCharacters ?? charactersUntilTold).toWellFormed();
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
          messagesAccepted: Math.min(counters.messagesAccepted, maxInt),
          messagesRejected: Math.min(counters.messagesRejected, maxInt),
          inputCommands: Math.min(counters.inputCommands, maxInt),
          valuesRefused: Math.min(counters.valuesRefused, maxInt),
          memoryBytes: process.memoryUsage.rss(),
        },
      }),
    reportFault: (message) => report({ report: 'FAULT', message: messageOf(message) }),
    reportDeviceValues: async (values, takenIn) =>
      settled(await connection.request(valuesDocument, { run, takenIn, values })),
    async lastValues(device) {
      const values: LearnedValue[] = [];
      for (let isLast = false; !isLast; ) {
        const after = values.at(-1)?.field ?? null;
        const page = await connection.query<LearnedValue[]>(lastValuesDocument, { device, after });
        values.push(...page);
        isLast = page.length === 0;
      }
      return values;
    },
    reportLogs: async (lines, copy) =>
      settled(await connection.request(logsDocument, { run, lines, ...copy })),
  };
}

/** A refusal that may pass counts as not sent; any other is final. */
function settled(answer: Answer): Answer {
  if (answer.retryable === true) throw new Error(answer.message ?? 'refused for now');
  return answer;
}
