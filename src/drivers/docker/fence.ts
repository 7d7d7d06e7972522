/**
 * Fencing on an engine. Labels of containers cannot be changed, so the greatest token of each subject
 * is kept where all servers of the installation see it.
 *
 * A verb that makes something is admitted before, and once more after it has made it and before it
 * starts it; a verb that ends something is admitted first and looks then. So either the earlier verb
 * sees the later token, or the later verb sees what the earlier one has made.
 */
import type { Call } from '../driver.ts';
import { fenced } from '../refusals.ts';

export interface Fences {
  /** Keeps the token if it is the greatest of the subject so far; resolves with the greatest. */
  raise(subject: string, token: bigint): Promise<bigint>;
}

/**
 * Refuses a call if a later one was seen.
 * @throws DriverError FENCED
 */
export async function admit(
  fences: Fences,
  subject: string,
  { fencingToken }: Call,
): Promise<void> {
  const seen = await fences.raise(subject, fencingToken);
  if (seen > fencingToken) throw fenced(subject, fencingToken, seen);
}
