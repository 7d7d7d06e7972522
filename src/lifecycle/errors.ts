/**
 * Why a command is refused. A refusal writes nothing at all; its message says what to do next.
 * The rules: docs/lifecycle.md, "Commands".
 */
export const refusalCodes = [
  'ILLEGAL_TRANSITION',
  'ALREADY_IN_STATE',
  'OPERATION_IN_PROGRESS',
  'RESTART_REQUIRED',
  'REMOVE_REQUIRED',
  'HOST_NOT_READY',
  'HOST_HAS_LIVE_INSTANCES',
  'NOT_CANCELLABLE',
  'STALE_REPORT',
] as const;
export type RefusalCode = (typeof refusalCodes)[number];

export interface Refusal {
  readonly refused: RefusalCode;
  /** The problem, its cause, and what to do next. */
  readonly message: string;
  /** Whether the same command may succeed later without anything else being done. */
  readonly retryable: boolean;
  readonly retryAfterSeconds: number | null;
  /** The resource in the way. */
  readonly blockedBy: { readonly kind: 'INSTANCE' | 'HOST'; readonly id: string } | null;
  /** The operation in the way. */
  readonly operationId: string | null;
}

/** A refusal with what most of them share: not retryable, nothing in the way. */
export function refuse(
  code: RefusalCode,
  message: string,
  rest: Partial<Omit<Refusal, 'refused' | 'message'>> = {},
): Refusal {
  return {
    refused: code,
    message,
    retryable: false,
    retryAfterSeconds: null,
    blockedBy: null,
    operationId: null,
    ...rest,
  };
}

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
