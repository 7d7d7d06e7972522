/**
 * Sends the log to the API. A batch is sent again, the same lines, until it is settled: the API keeps a
 * number once, so an answer that was lost costs nothing. A line that the API refuses is replaced by
 * one that says so, and holds up none behind it.
 */
import type { Answer, Api } from './api.ts';
import type { LogStorage } from './log.ts';
import type { LogLine } from './log-line.ts';
import { createWaitingLines } from './waiting-lines.ts';

/** The API takes 500 lines in a report, and messages of 1 MiB. */
const batchMost = { lines: 500, bytes: 256 * 1024 };
const lingerMilliseconds = 200;
const longestRetryMilliseconds = 3_000;
/** An error that comes back so often belongs to the lines, not to the moment. */
const triesOfError = 3;
/** Codes of errors that are about the moment. */
const passing: readonly unknown[] = ['UNAVAILABLE', 'RATE_LIMITED', 'UNAUTHENTICATED', 'FORBIDDEN'];

/** Keeps lines through the API; of more than there is room for the oldest are dropped. */
export function createCloudLogs(api: Pick<Api, 'reportLogs'>): LogStorage {
  const waiting = createWaitingLines();
  /** Lines that may have been sent: they are never dropped, and keep their order. */
  let batch: LogLine[] = [];
  /** Lines of the batch to send at once; fewer while a refused one is looked for. */
  let partLines = batchMost.lines;
  /** The line of this number is the replacement of one that was refused. */
  let replaced: number | undefined;
  let failures = 0;
  let errors = 0;
  let isSending = false;
  let isClosed = false;
  let timer: NodeJS.Timeout | undefined;
  const idle: (() => void)[] = [];

  const isEmpty = () => batch.length === 0 && waiting.isEmpty;

  function schedule(isUrgent = idle.length > 0 && failures === 0): void {
    if (isSending || isClosed || isEmpty()) return;
    if (timer !== undefined && !isUrgent) return;
    clearTimeout(timer);
    const wait = Math.min(lingerMilliseconds * 2 ** failures, longestRetryMilliseconds);
    timer = setTimeout(() => void sendPart(), isUrgent ? 0 : wait).unref();
  }

  async function sendPart(): Promise<void> {
    timer = undefined;
    if (batch.length === 0) batch = waiting.take(batchMost);
    const part = batch.slice(0, partLines);
    isSending = true;
    try {
      settle(part, await api.reportLogs(part));
      failures = 0;
      errors = 0;
    } catch (error) {
      failures = Math.min(failures + 1, 10);
      const message = lastingError(error);
      errors = message === null ? 0 : errors + 1;
      if (message !== null && errors >= triesOfError) refuse(part, message);
    }
    isSending = false;
    if (isEmpty()) for (const resolve of idle.splice(0)) resolve();
    schedule();
  }

  function settle(part: readonly LogLine[], { code, message, ...answer }: Answer): void {
    if (answer.__typename === 'RuntimeReportAccepted') {
      batch.splice(0, part.length);
      partLines = Math.min(partLines * 2, batchMost.lines);
    } else refuse(part, `${code ?? answer.__typename}: ${message ?? ''}`);
  }

  /** Looks for the line that is meant in ever smaller parts, and replaces it. */
  function refuse(part: readonly LogLine[], why: string): void {
    const [line] = part;
    if (part.length > 1) partLines = Math.ceil(part.length / 2);
    else if (line === undefined || line.number === replaced) batch.shift();
    else {
      const text = `The API refused the line that was here: ${why.slice(0, 500)}`;
      batch[0] = { ...line, level: 'WARN', text };
      replaced = line.number;
    }
  }

  return {
    append(line) {
      waiting.append(line);
      schedule();
    },
    async flushed() {
      if (isEmpty()) return;
      await new Promise<void>((resolve) => {
        idle.push(resolve);
        schedule(true);
      });
    },
    close() {
      isClosed = true;
      clearTimeout(timer);
      const rest = batch.splice(0);
      while (!waiting.isEmpty) rest.push(...waiting.take(batchMost));
      return rest;
    },
  };
}

/** What an error of GraphQL says that will come again; null for any other, a lost connection above all. */
function lastingError(error: unknown): string | null {
  const cause = error instanceof Error ? error.cause : undefined;
  const first: unknown = Array.isArray(cause) ? cause[0] : cause;
  if (typeof first !== 'object' || first === null || !('message' in first)) return null;
  const code =
    'extensions' in first && typeof first.extensions === 'object' && first.extensions !== null
      ? (first.extensions as { code?: unknown }).code
      : undefined;
  const isOfGraphQL = code !== undefined || 'locations' in first || 'path' in first;
  return isOfGraphQL && !passing.includes(code) ? `${code ?? ''} ${first.message}` : null;
}
