/** Executes one operation or one event, with its errors maskErrors. */
import { type ExecutionResult, execute } from 'graphql';
import type { Logger } from 'pino';
import { maskError, type RequestLog, withCode } from '../wire/request-error.ts';
import type { PrepareOptions } from './prepare.ts';
import type { Prepared } from './request.ts';
import { repeatedInTime } from './retry.ts';

export const requestOf = ({ requester, operation }: Prepared, log: Logger): RequestLog => ({
  ...{ requestId: requester.requestId, operation: operation.operation, log },
});

export const maskErrors = (result: ExecutionResult, request: RequestLog): ExecutionResult =>
  result.errors
    ? { ...result, errors: result.errors.map((error) => maskError(error, request)) }
    : result;

/** The operation with a new context. */
export const withContext = (
  prepared: Prepared,
  { createContext }: Pick<PrepareOptions, 'createContext'>,
): Prepared => {
  const { requester } = prepared;
  return { ...prepared, contextValue: createContext(requester.viewer, requester) };
};

/** Executes an operation and masks its errors, or those of the given result. */
export async function executeOperation(
  prepared: Prepared,
  log: Logger,
  given?: ExecutionResult,
): Promise<ExecutionResult> {
  const request = requestOf(prepared, log);
  try {
    const result = maskErrors(given ?? (await execute(prepared)), request);
    // With invalid variables nothing was executed: then there is no data at all.
    return result.data === undefined && result.errors
      ? { errors: withCode(result.errors, 'BAD_USER_INPUT') }
      : result;
  } catch (error) {
    return { errors: [maskError(error, request)] };
  }
}

/**
 * Executes one event of a subscription; synchronously if nothing must be read. A read is repeated
 * if the database became unreachable: an event that is sent with an error in its place is lost to
 * its subscriber.
 */
export function executeEvent(
  prepared: Prepared,
  options: Pick<PrepareOptions, 'createContext' | 'log'>,
): ExecutionResult | Promise<ExecutionResult> {
  const { requester } = prepared;
  const result = execute(prepared);
  if (!isPromise(result) && !result.errors) return result;
  const again = () => execute(withContext(prepared, options));
  return repeatedInTime(result, again, requester).then((last) =>
    executeOperation(prepared, options.log, last),
  );
}

export const isPromise = <Value>(value: Value | Promise<Value>): value is Promise<Value> =>
  value instanceof Promise;
