/** The comparison of keys. */
import { createHash, timingSafeEqual } from 'node:crypto';
import type { Guard } from './solution.ts';

/** Whether this key admits; the time that it takes says nothing about the key. */
export function admits({ key }: Guard, given: string | undefined): boolean {
  if (key === null) return true;
  return given !== undefined && key !== '' && timingSafeEqual(digest(given), digest(key));
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
