/** The limits for runtimes. They are sent with each report, and checked in `input.ts`. */
import type { ServerLimits } from '../base/limits.ts';

export interface RuntimeLimits {
  /** All values or lines of one report, as JSON: far below a message, which contains more. */
  readonly reportBytes: number;
  readonly valuesPerReport: number;
  /** One value, as JSON: the body of a device message, which is the most that a runtime accepts. */
  readonly valueBytes: number;
  readonly logLinesPerReport: number;
  /** One line of a log, or a message. */
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
