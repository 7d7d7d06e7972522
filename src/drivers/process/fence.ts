/** Fencing: a command with a lower fencing token than one seen is refused. */
import { readFileSync } from 'node:fs';
import { fenced } from '../refusals.ts';
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

/** The greatest token seen; -1 if none. */
export function readFence(path: string): bigint {
  try {
    return BigInt(readFileSync(path, 'utf8').trim());
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return -1n;
    throw error;
  }
}
