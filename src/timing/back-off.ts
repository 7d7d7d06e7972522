/** Exponential back-off: the wait before an attempt is repeated. Pure, and free of Node. */

/** Both waits are in one unit, which is that of the result. */
export interface BackOff {
  /** Longest wait after the first failure; it doubles with each further one. */
  readonly first: number;
  readonly max: number;
  /**
   * The random share of a wait, from 0 (none, the default) to 1. Many that failed together should not
   * repeat together.
   */
  readonly jitter?: number;
}

/**
 * The wait after a failure.
 *
 * @param failures how many failures in a row preceded it: 0 after the first
 * @param random a number from 0 to 1, for tests
 */
export function backOff(
  { first, max, jitter = 0 }: BackOff,
  failures: number,
  random: () => number = Math.random,
): number {
  return Math.min(max, first * 2 ** Math.max(0, failures)) * (1 - jitter * random());
}
