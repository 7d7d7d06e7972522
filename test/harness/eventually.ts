/** Waits for what something else brings about; how long it takes is the machine's business. */
import { vi } from 'vitest';

/** Long, for a machine may be busy: only a test that fails waits for so long. */
const patienceSeconds = 30;

/** Calls `attempt` until it does not throw. @returns what it answers then */
export function eventually<Value>(
  attempt: () => Value | Promise<Value>,
  seconds = patienceSeconds,
): Promise<Value> {
  return vi.waitFor(attempt, { timeout: seconds * 1000, interval: 20 });
}

/** Waits until `isSo`; throws with `what` when that takes too long. */
export function until(
  what: string,
  isSo: () => boolean | Promise<boolean>,
  seconds = patienceSeconds,
): Promise<void> {
  return eventually(async () => {
    if (!(await isSo())) throw new Error(`${what}: not within ${seconds} s`);
  }, seconds);
}
