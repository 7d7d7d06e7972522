/** What the API takes of a runtime. It is told with each report, and checked in `input.ts`. */
import type { ServerLimits } from '../base/limits.ts';

export interface RuntimeLimits {
  /** Of all values or lines of one report, as JSON: far below a message, which has more in it. */
  readonly reportBytes: number;
  readonly valuesPerReport: number;
  /** Of one value, as JSON: the body of a device's message, which is the most that a runtime takes. */
  readonly valueBytes: number;
  readonly logLinesPerReport: number;
  /** Of one line of a log, and of a message. */
  readonly textCharacters: number;
}

/** The limits of a server. */
export const runtimeLimits = ({
  payloadBytes,
}: Pick<ServerLimits, 'payloadBytes'>): RuntimeLimits => ({
  reportBytes: Math.floor(payloadBytes / 4),
  valuesPerReport: 500,
  valueBytes: Math.min(65_536, Math.floor(payloadBytes / 4)),
  logLinesPerReport: 500,
  textCharacters: 4_000,
});
