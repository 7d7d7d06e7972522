/** The rate limit of DNS queries: one token bucket per source address. */
import { isIPv6 } from 'node:net';
import { type TokenLevel, type TokenRate, tokensAt } from '../../timing/token-bucket.ts';

export interface RateLimit {
  /** Takes one token of this source; false if it has none left. */
  take(source: string): boolean;
  /** Number of sources remembered. */
  readonly size: number;
}

/** The rate is that of each source. */
export interface RateLimitOptions extends TokenRate {
  /** Size limit of the table. Above it the least recently active source is forgotten. */
  readonly maxSources: number;
  /** A monotonic clock, in milliseconds. */
  readonly now?: () => number;
}

/** One token bucket per source, in a table of bounded size. Holds no timer: nothing to close. */
export function createRateLimit(options: RateLimitOptions): RateLimit {
  const now = options.now ?? (() => performance.now());
  // A Map keeps insertion order and entries are re-inserted on use, so the first key is the oldest.
  const buckets = new Map<string, TokenLevel>();

  return {
    take(source) {
      const atMs = now();
      const known = buckets.get(source);
      if (known) buckets.delete(source);
      else if (buckets.size >= options.maxSources) forgetOldest(buckets);
      const tokens = known ? tokensAt(options, known, atMs) : options.burst;
      const allowed = tokens >= 1;
      buckets.set(source, { tokens: allowed ? tokens - 1 : tokens, atMs });
      return allowed;
    },
    get size() {
      return buckets.size;
    },
  };
}

function forgetOldest(buckets: Map<string, unknown>): void {
  const oldest = buckets.keys().next();
  if (!oldest.done) buckets.delete(oldest.value);
}

/**
 * The unit that is limited: an IPv4 address, or the /64 of an IPv6 address, because a single
 * subscriber holds a whole /64. An IPv4-mapped address (`::ffff:192.0.2.1`) counts as the IPv4 one.
 */
export function sourceOf(address: string): string {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1];
  if (mapped) return mapped;
  if (!isIPv6(address)) return address;
  const [head = '', tail] = address.replace(/%.*$/, '').split('::');
  const left = head.split(':').filter((group) => group !== '');
  const right = (tail ?? '').split(':').filter((group) => group !== '');
  const zeros = tail === undefined ? 0 : Math.max(0, 8 - left.length - right.length);
  return [...left, ...Array<string>(zeros).fill('0'), ...right].slice(0, 4).join(':');
}
