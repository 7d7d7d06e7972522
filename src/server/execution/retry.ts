/** Repeats reads of the database while it does not answer. */
import { setTimeout as pause } from 'node:timers/promises';
import { type ExecutionResult, GraphQLError } from 'graphql';
import { isConnectionError } from '../../store/database/sql-error.ts';
import { within } from '../../store/database/time-limit.ts';

/** About ten minutes in total. */
const retries = 600;
/** A connection that was cut silently never answers; the next attempt uses another one. */
const readSeconds = { first: 10, most: 60 };

/** The caller. The signal of a socket is created on first use. */
interface Asking {
  readonly signal: AbortSignal;
}

/** The result, repeated while the database is unreachable, until the signal is aborted. */
export async function answered<Result extends Pick<ExecutionResult, 'errors'> | null>(
  first: Result | Promise<Result>,
  again: () => Result | Promise<Result>,
  asking: Asking,
): Promise<Result> {
  let result = await first;
  for (let attempt = 0; attempt < retries; attempt += 1) {
    if (!result?.errors?.some(({ originalError }) => isConnectionError(originalError))) break;
    if (asking.signal.aborted) break;
    await pause(Math.min(1_000, 20 * 2 ** attempt));
    result = await again();
  }
  return result;
}

/**
 * The same for what may run twice concurrently: an attempt is given up after 10 s, each later one
 * after twice the time, up to a minute, because it may be slow rather than lost.
 */
export function answeredInTime(
  first: ExecutionResult | Promise<ExecutionResult>,
  again: () => ExecutionResult | Promise<ExecutionResult>,
  asking: Asking,
): Promise<ExecutionResult> {
  let seconds = readSeconds.first;
  const next = () => {
    seconds = Math.min(readSeconds.most, 2 * seconds);
    return inTime(seconds, again());
  };
  return answered(inTime(seconds, first), next, asking);
}

function inTime(
  seconds: number,
  result: ExecutionResult | Promise<ExecutionResult>,
): Promise<ExecutionResult> {
  return within(seconds, Promise.resolve(result)).catch((error: Error) => ({
    errors: [new GraphQLError(error.message, { originalError: error })],
  }));
}
