/** Waits for what something else brings about; how long it takes is the machine's business. */
import { setTimeout as delay } from 'node:timers/promises';

/** Long, for a machine may be busy: only a test that fails waits for so long. */
const patienceSeconds = 30;
/** Each attempt takes processor time from the processes under test, so the interval grows. */
const intervalMs = { first: 10, growth: 1.3, max: 150 };

/**
 * Calls `attempt` until it does not throw. @returns what it answers then
 * @throws the last error, when that takes too long
 */
export async function eventually<Value>(
  attempt: () => Value | Promise<Value>,
  seconds = patienceSeconds,
): Promise<Value> {
  const end = performance.now() + seconds * 1000;
  for (let interval = intervalMs.first; ; interval *= intervalMs.growth) {
    try {
      return await attempt();
    } catch (error) {
      if (performance.now() >= end) throw error;
    }
    await delay(Math.min(interval, intervalMs.max));
  }
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
