/** Fencing: a command with a lower fencing token than one seen is refused. */
import { readFileSync } from 'node:fs';
import { DriverError } from '../driver.ts';
import { writeWhole } from './files.ts';

/**
 * Refuses a token smaller than one seen before, and stores a greater one on disk.
 * @throws DriverError FENCED
 */
export function raiseFence(path: string, fence: bigint, subject: string): void {
  const seen = readFence(path);
  if (fence < seen) throw fenced(subject, fence, seen);
  if (fence > seen) writeWhole(path, `${fence}\n`);
}

/** The error for a token that is too small. */
export function fenced(subject: string, fence: bigint, seen: bigint): DriverError {
  return new DriverError(
    'FENCED',
    `The ${subject} has accepted a command with fencing token ${seen}, so this one with ${fence} ` +
      'comes from a worker that was replaced. Leave it to the newer one.',
    { retryable: false },
  );
}

/** The greatest token seen; -1 if none. */
export function readFence(path: string): bigint {
  try {
    return BigInt(readFileSync(path, 'utf8').trim());
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return -1n;
    throw error;
  }
}
