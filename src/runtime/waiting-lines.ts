/** Log lines that wait for a destination, bounded. One line stands for those that were dropped. */
import { type BatchLimits, jsonBytes } from './delivery.ts';
import type { LogLine } from './log-line.ts';

export interface WaitingLines {
  readonly isEmpty: boolean;
  append(line: LogLine): void;
  /** Takes out the oldest lines within these limits, but at least one. */
  take(most: BatchLimits): LogLine[];
}

const capacityLines = 5_000;
const capacityBytes = 4 * 1024 * 1024;

/** Creates an empty buffer. If there is no room for another line, the oldest is dropped. */
export function createWaitingLines(): WaitingLines {
  const waiting: { readonly line: LogLine; readonly bytes: number }[] = [];
  let waitingBytes = 0;
  let dropped = 0;
  let lastDropped: LogLine | undefined;

  function shift(): LogLine | undefined {
    const oldest = waiting.shift();
    waitingBytes -= oldest?.bytes ?? 0;
    return oldest?.line;
  }

  /** It has the number of the last line that it stands for, which keeps the order. */
  function takeDropped(): LogLine[] {
    if (lastDropped === undefined) return [];
    const { number, at } = lastDropped;
    const text = `${dropped} lines were dropped here: no room was left while they could not be sent.`;
    dropped = 0;
    lastDropped = undefined;
    return [{ number, at, level: 'WARN', text }];
  }

  return {
    get isEmpty() {
      return waiting.length === 0;
    },
    append(line) {
      const bytes = jsonBytes(line);
      waiting.push({ line, bytes });
      waitingBytes += bytes;
      while (waiting.length > capacityLines || waitingBytes > capacityBytes) {
        lastDropped = shift();
        dropped += 1;
      }
    },
    take(most) {
      const taken = takeDropped();
      let bytes = taken.reduce((sum, line) => sum + jsonBytes(line), 0);
      for (let next = waiting[0]; next !== undefined; next = waiting[0]) {
        bytes += next.bytes;
        if (taken.length > 0 && (taken.length >= most.items || bytes > most.bytes)) break;
        taken.push(next.line);
        shift();
      }
      return taken;
    },
  };
}
