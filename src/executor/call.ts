/** One call of a driver: fenced, aborted with the lease, limited in time. */
import { type Call, DriverError } from '../drivers/driver.ts';
import type { StoredFailure } from '../store/table/schema.ts';
import type { WorkItem } from '../store/work/work.ts';

/** Calls a driver and waits at most `seconds`, even if the driver ignores the signal. */
export async function callDriver<T>(
  item: WorkItem,
  options: { signal: AbortSignal; seconds: number; verb: string },
  verb: (call: Call) => Promise<T>,
): Promise<T> {
  options.signal.throwIfAborted();
  const timeout = new AbortController();
  const signal = AbortSignal.any([options.signal, timeout.signal]);
  let timer: NodeJS.Timeout | undefined;
  let giveUp = (): void => undefined;
  const over = new Promise<never>((_, reject) => {
    giveUp = () =>
      reject(
        new DriverError(
          'DRIVER_SILENT',
          `The driver did not answer ${options.verb} within ${options.seconds} s.`,
          { retryable: true },
        ),
      );
    timer = setTimeout(() => {
      giveUp();
      timeout.abort(new Error(`${options.verb} took longer than ${options.seconds} s`));
    }, options.seconds * 1000);
    options.signal.addEventListener('abort', giveUp, { once: true });
  });
  const call = verb({ fence: BigInt(item.token), signal });
  call.catch(() => undefined);
  try {
    return await Promise.race([call, over]);
  } finally {
    clearTimeout(timer);
    options.signal.removeEventListener('abort', giveUp);
  }
}

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

/** Jittered exponential back-off in seconds: about 0.2, 0.4, 0.8 … 30. */
export function backOffSeconds(attempt: number): number {
  const ceiling = Math.min(30, 0.2 * 2 ** Math.max(0, attempt - 1));
  return ceiling / 2 + (Math.random() * ceiling) / 2;
}
