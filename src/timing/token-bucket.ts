/** A token bucket: a burst passes at once, a sustained load at a steady rate. It holds no timer. */

export interface TokenRate {
  /** Tokens gained each second. */
  readonly perSecond: number;
  /** Tokens of a full bucket. */
  readonly burst: number;
}

/** What a bucket held at a time of a monotonic clock; negative: tokens taken in advance. */
export interface TokenLevel {
  readonly tokens: number;
  readonly atMs: number;
}

/** The tokens of a bucket at a later time. */
export function tokensAt(
  { perSecond, burst }: TokenRate,
  level: TokenLevel,
  nowMs: number,
): number {
  return Math.min(burst, level.tokens + ((nowMs - level.atMs) / 1000) * perSecond);
}

export interface TokenBucket {
  /** Takes a token; returns how many milliseconds to wait before the action, 0 for none. */
  take(): number;
}

/**
 * Creates a full bucket for actions that wait for their token.
 *
 * @param now a monotonic clock in milliseconds
 */
export function createTokenBucket(rate: TokenRate, now = () => performance.now()): TokenBucket {
  let level: TokenLevel = { tokens: rate.burst, atMs: now() };
  return {
    take() {
      const atMs = now();
      const tokens = tokensAt(rate, level, atMs) - 1;
      level = { tokens, atMs };
      return tokens >= 0 ? 0 : (-tokens * 1000) / rate.perSecond;
    },
  };
}
