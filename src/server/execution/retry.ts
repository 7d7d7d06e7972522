/** Results of what reads the database, asked for again while the database does not answer. */
import { setTimeout as pause } from 'node:timers/promises';
import { type ExecutionResult, GraphQLError } from 'graphql';
import { isConnectionError } from '../../store/database/sql-error.ts';
import { within } from '../../store/database/time-limit.ts';

/** So often, for about ten minutes in all. */
const retries = 600;
/** A connection that was cut without a word answers never: the next attempt has another. */
const readSeconds = { first: 10, most: 60 };

/** Who asks; a signal of a socket is made when it is looked at first. */
interface Asking {
  readonly signal: AbortSignal;
}

/** The result, asked for again while the database is away, until the signal is aborted. */
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
 * The same for what may be run twice at once: an attempt is given up after 10 s, each later one after
 * twice the time, up to a minute, for it may be slow and not lost.
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
