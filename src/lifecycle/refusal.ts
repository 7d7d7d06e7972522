/**
 * The codes and the form of a refusal. A refused command writes nothing. The messages are made by
 * `instance-commands.ts` and `host-commands.ts`. The rules: docs/lifecycle.md, "Commands".
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
