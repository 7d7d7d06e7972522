/** One call of a driver: fenced, aborted with the lease, and over when its time is. */
import { type Call, DriverError } from '../drivers/driver.ts';
import type { StoredFailure } from '../store/table/schema.ts';
import type { WorkItem } from '../store/work/work.ts';

/**
 * Calls a driver and waits for `seconds` at most, whatever the driver does with the signal: a
 * black hole holds nobody up.
 */
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

/** What went wrong, as it is stored: a driver's own words, or that something unexpected happened. */
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
 * The driver has seen a later token. Of another item for the same resource (a stop beside the kill of
 * its deadline): claimed anew, this one has the latest. Of another worker: this one is its no more.
 */
export const isFenced = (error: unknown): boolean =>
  error instanceof DriverError && error.code === 'FENCED';

/** Can no later attempt succeed? */
export const isFinal = (error: unknown): boolean =>
  error instanceof DriverError && !error.retryable && !isFenced(error);

/** Jittered exponential back-off in seconds: about 0.2, 0.4, 0.8 … 30. */
export function backOffSeconds(attempt: number): number {
  const ceiling = Math.min(30, 0.2 * 2 ** Math.max(0, attempt - 1));
  return ceiling / 2 + (Math.random() * ceiling) / 2;
}
