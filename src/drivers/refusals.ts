/** Refusals that every driver has. */
import { DriverError } from './driver.ts';

/** The error for a token that is too small. */
export function fenced(subject: string, fence: bigint, seen: bigint): DriverError {
  return new DriverError(
    'FENCED',
    `The ${subject} has accepted a command with fencing token ${seen}, so this one with ${fence} ` +
      'comes from a worker that was replaced. Leave it to the newer one.',
    { retryable: false },
  );
}

/** The error for a call whose time is over. */
export function aborted(problem: string, cause?: unknown): DriverError {
  const message = `The call was ended before it was done. ${problem} Repeat it.`;
  return new DriverError('ABORTED', message, { retryable: true, cause });
}

/** The error for a stored handle of another driver. */
export function badHandle(driver: string): DriverError {
  return new DriverError(
    'BAD_HANDLE',
    `The stored handle was not made by the ${driver} driver. Remove the host and deploy it again.`,
    { retryable: false },
  );
}
