/** The cause of an error state or of a failed operation, as it is stored. */

/** The first real cause of an error state or of an operation that failed. */
export interface Failure {
  /** Upper snake case, stable: `RUNTIME_EXITED`, `DEADLINE_EXCEEDED`, … */
  readonly code: string;
  readonly message: string;
  /** The state or stage in which it happened. */
  readonly stage: string;
  readonly exitCode: number | null;
  readonly retryable: boolean;
  /** The last lines of the runtime's output, 4 KiB at most. */
  readonly logTail: string | null;
}

/** A failure that another attempt may get past, without an exit code or output. */
export const failureAt = (stage: string, code: string, message: string): Failure => ({
  ...{ code, message, stage },
  ...{ exitCode: null, retryable: true, logTail: null },
});
