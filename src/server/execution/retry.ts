/** Repeats reads of the database while it does not answer. */
import { setTimeout as pause } from 'node:timers/promises';
import { type ExecutionResult, GraphQLError } from 'graphql';
import { isConnectionError } from '../../store/database/sql-error.ts';
import { withDatabaseTimeout } from '../../store/database/time-limit.ts';
import { backOff } from '../../timing/back-off.ts';

/** About ten minutes in total. */
const retries = 600;
const retryBackOffMs = { first: 20, max: 1_000 };
/** A connection that was cut silently never answers; the next attempt uses another one. */
const readSeconds = { first: 10, max: 60 };

/** A requester. The signal of a socket is created on first use. */
interface HasSignal {
  readonly signal: AbortSignal;
}

/** The result, repeated while the database is unreachable, until the signal is aborted. */
export async function repeated<Result extends Pick<ExecutionResult, 'errors'> | null>(
  first: Result | Promise<Result>,
  again: () => Result | Promise<Result>,
  requester: HasSignal,
): Promise<Result> {
  let result = await first;
  for (let attempt = 0; attempt < retries; attempt += 1) {
    if (!result?.errors?.some(({ originalError }) => isConnectionError(originalError))) break;
    if (requester.signal.aborted) break;
    await pause(backOff(retryBackOffMs, attempt));
    result = await again();
  }
  return result;
}

/**
 * The same for what may run twice concurrently: an attempt is given up after 10 s, each later one
 * after twice the time, up to a minute, because it may be slow rather than lost.
 */
export function repeatedInTime(
  first: ExecutionResult | Promise<ExecutionResult>,
  again: () => ExecutionResult | Promise<ExecutionResult>,
  requester: HasSignal,
): Promise<ExecutionResult> {
  let failures = 0;
  const next = () => {
    failures += 1;
    return inTime(backOff(readSeconds, failures), again());
  };
  return repeated(inTime(readSeconds.first, first), next, requester);
}

function inTime(
  seconds: number,
  result: ExecutionResult | Promise<ExecutionResult>,
): Promise<ExecutionResult> {
  return withDatabaseTimeout(seconds, Promise.resolve(result)).catch((error: Error) => ({
    errors: [new GraphQLError(error.message, { originalError: error })],
  }));
}
