/** How often something may be done: at once now and then, at a steady rate under load. */

export interface Pace {
  /** Counts it as done now; milliseconds until it should be done again, 0 for at once. */
  take(): number;
}

/** So many at once, and on average so many a second. */
export function createPace({ perSecond, atOnce }: { perSecond: number; atOnce: number }): Pace {
  let left = atOnce;
  let since = performance.now();
  return {
    take() {
      const now = performance.now();
      left = Math.min(atOnce, left + ((now - since) * perSecond) / 1000) - 1;
      since = now;
      return left >= 0 ? 0 : (-left * 1000) / perSecond;
    },
  };
}
