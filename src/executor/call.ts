/** One call of a driver: fenced, aborted with the lease, limited in time. */
import { type Call, DriverError } from '../drivers/driver.ts';
import type { WorkKind } from '../lifecycle/change.ts';
import type { StoredFailure } from '../store/table/schema.ts';
import type { WorkItem } from '../store/work/work.ts';
import { type BackOff, backOff } from '../timing/back-off.ts';
import { runWithin } from '../timing/time-limit.ts';

const retryBackOff: BackOff = { first: 0.2, max: 30, jitter: 0.5 };

interface CallOptions {
  readonly signal: AbortSignal;
  readonly seconds: number;
  readonly name: string;
}

/** Calls a driver for an item and waits at most `seconds`, even if the driver ignores the signal. */
export function callDriver<T>(
  item: WorkItem,
  options: CallOptions,
  run: (call: Call) => Promise<T>,
): Promise<T> {
  return callWithin({ ...options, fencingToken: BigInt(item.token) }, run);
}

/** The same with any fencing token. */
export async function callWithin<T>(
  options: CallOptions & Pick<Call, 'fencingToken'>,
  run: (call: Call) => Promise<T>,
): Promise<T> {
  options.signal.throwIfAborted();
  return await runWithin(options.seconds * 1000, options.signal, async (signal) => {
    const over = new Promise<never>((_, reject) => {
      const giveUp = () =>
        reject(
          new DriverError(
            'DRIVER_SILENT',
            `The driver did not answer ${options.name} within ${options.seconds} s.`,
            { retryable: true },
          ),
        );
      signal.addEventListener('abort', giveUp, { once: true });
    });
    return await Promise.race([run({ fencingToken: options.fencingToken, signal }), over]);
  });
}

const stages: Partial<Record<WorkKind, string>> = {
  ALLOCATE_HOST: 'DEPLOYING',
  CONFIGURE_DNS: 'CONFIGURING_DNS',
  DEPLOY_CONTAINER: 'DEPLOYING_CONTAINER',
  CONFIRM_HOST: 'STARTING_CONTAINER',
  RESTART_HOST: 'RESTARTING_HOST',
  RESTART_CONTAINER: 'RESTARTING_CONTAINER',
  START_RUNTIME: 'STARTING_RUNTIME',
  STOP_RUNTIME: 'STOPPING',
  PULL_IMAGE: 'PULLING',
};

/** The state or phase in which this work is done, for people; empty: in none. */
export const stageOf = (kind: WorkKind): string => stages[kind] ?? '';

/**
 * The failure as it is stored: the message of the driver, or that something unexpected happened.
 */
export function failureOf(error: unknown, stage: string): StoredFailure {
  if (error instanceof DriverError) {
    return {
      code: error.code,
      message: error.message,
      stage,
      exitCode: null,
      retryable: error.retryable,
      logTail: error.logTail,
    };
  }
  return {
    code: 'UNEXPECTED',
    message: error instanceof Error ? error.message.slice(0, 500) : 'An unknown error.',
    stage,
    exitCode: null,
    retryable: true,
    logTail: null,
  };
}

/**
 * The driver has seen a later token. If that belongs to another item of the same resource (a stop
 * beside the kill of its deadline), this item gets the latest token when it is claimed anew. If it
 * belongs to another worker, this worker has lost the item.
 */
export const isFenced = (error: unknown): boolean =>
  error instanceof DriverError && error.code === 'FENCED';

/** Is every later attempt bound to fail? */
export const isFinal = (error: unknown): boolean =>
  error instanceof DriverError && !error.retryable && !isFenced(error);

/** Wait in seconds after an attempt, the first being 1, has failed. */
export const retrySeconds = (attempt: number): number => backOff(retryBackOff, attempt - 1);
