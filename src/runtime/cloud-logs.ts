/**
 * Sends the log to the API. A batch is repeated unchanged until it is settled: the API stores each
 * number once, so a lost answer does no harm. A line that the API refuses is replaced by a line
 * that says so.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { backOff } from '../timing/back-off.ts';
import type { Api } from './api.ts';
import { createDelivery, jsonBytes } from './delivery.ts';
import type { LogStorage } from './log.ts';
import type { LogLine } from './log-line.ts';
import { createWaitingLines } from './waiting-lines.ts';

const caughtUpBackOffMs = { first: 200, max: 3_000, jitter: 0.5 };

/** Stores lines through the API. If there is no room, the oldest are dropped. */
export function createCloudLogs(api: Pick<Api, 'reportLogs' | 'limits'>): LogStorage {
  const waiting = createWaitingLines();
  /** Lines that may have been sent: they are never dropped, and keep their order. */
  let batch: LogLine[] = [];
  /** The line of this number is the replacement of one that was refused. */
  let replaced: number | undefined;
  const delivery = createDelivery<LogLine>({
    queue: {
      get isEmpty() {
        return batch.length === 0 && waiting.isEmpty;
      },
      head(most) {
        if (batch.length === 0) batch = waiting.take(most);
        return batch.slice(0, fitting(batch, most));
      },
      delivered(lines) {
        batch.splice(0, lines.length);
      },
      setAside(line, reason) {
        if (line.number === replaced) batch.shift();
        else {
          const text = `The API refused the line that was here: ${reason.slice(0, 500)}`;
          batch[0] = { ...line, level: 'WARN', text: text.toWellFormed() };
          replaced = line.number;
        }
      },
    },
    limits: () => {
      const told = api.limits();
      return told && { items: told.logLinesPerReport, bytes: told.reportBytes };
    },
    send: (lines) => {
      const most = api.limits()?.textCharacters;
      return api.reportLogs(
        lines.map((line) => ({ ...line, text: line.text.slice(0, most).toWellFormed() })),
      );
    },
  });

  return {
    append(line) {
      waiting.append(line);
      delivery.wake();
    },
    flushed: () => delivery.flushed(),
    close() {
      delivery.close();
      const rest = batch.splice(0);
      const all = { items: Number.POSITIVE_INFINITY, bytes: Number.POSITIVE_INFINITY };
      while (!waiting.isEmpty) rest.push(...waiting.take(all));
      return rest;
    },
  };
}

/**
 * Sends a copy of a log that is kept here, as long as somebody reads it: these lines, then each one that
 * is appended.
 */
export function createLogCopy(
  api: Pick<Api, 'reportLogs' | 'limits'>,
  watch: string,
  newest: readonly LogLine[],
): LogStorage {
  const sent = createCloudLogs({
    limits: api.limits,
    reportLogs: (lines) => api.reportLogs(lines, { watch }),
  });
  const closing = new AbortController();
  for (const line of newest) sent.append(line);
  async function reportCaughtUp(): Promise<void> {
    await sent.flushed();
    for (let attempt = 0; !closing.signal.aborted; attempt += 1) {
      try {
        await api.reportLogs([], { watch, isCaughtUp: true });
        return;
      } catch {
        const wait = backOff(caughtUpBackOffMs, attempt);
        await delay(wait, undefined, { signal: closing.signal, ref: false }).catch(() => {});
      }
    }
  }
  void reportCaughtUp();
  return {
    append: (line) => sent.append(line),
    flushed: () => sent.flushed(),
    close() {
      closing.abort();
      return sent.close();
    },
  };
}

/** The number of leading lines that fit; at least one. The limits may have become smaller. */
function fitting(lines: readonly LogLine[], most: { items: number; bytes: number }): number {
  let bytes = 0;
  const over = lines.findIndex((line) => {
    bytes += jsonBytes(line);
    return bytes > most.bytes;
  });
  return Math.max(1, Math.min(most.items, over === -1 ? lines.length : over));
}
