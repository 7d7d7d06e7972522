/** A token bucket: a burst passes without delay, a sustained load at a steady rate. */

export interface TokenBucket {
  /** Takes a token; returns how many milliseconds to wait before the action, 0 for none. */
  take(): number;
}

/** Creates a full bucket of `burst` tokens, refilled at `perSecond`. */
export function createTokenBucket({
  perSecond,
  burst,
}: {
  perSecond: number;
  burst: number;
}): TokenBucket {
  let left = burst;
  let since = performance.now();
  return {
    take() {
      const now = performance.now();
      left = Math.min(burst, left + ((now - since) * perSecond) / 1000) - 1;
      since = now;
      return left >= 0 ? 0 : (-left * 1000) / perSecond;
    },
  };
}
