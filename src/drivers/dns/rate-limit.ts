import { isIPv6 } from 'node:net';

export interface RateLimit {
  /** Takes one token of this source; false when it has none left. */
  take(source: string): boolean;
  /** How many sources are remembered now. */
  readonly size: number;
}

export interface RateLimitOptions {
  /** Tokens that a source gains each second. */
  readonly perSecond: number;
  /** Tokens that a source has at first, and at most. */
  readonly burst: number;
  /** Bound of the table. Beyond it the source that asked longest ago is forgotten. */
  readonly maxSources: number;
  /** A monotonic clock, in milliseconds. */
  readonly now?: () => number;
}

/** One token bucket per source, in a table of bounded size. Holds no timer: nothing to close. */
export function createRateLimit(options: RateLimitOptions): RateLimit {
  const now = options.now ?? (() => performance.now());
  // A Map keeps insertion order: re-inserted on each use, its first key is the least recent one.
  const buckets = new Map<string, { tokens: number; at: number }>();

  return {
    take(source) {
      const at = now();
      const known = buckets.get(source);
      if (known) buckets.delete(source);
      else if (buckets.size >= options.maxSources) forgetOldest(buckets);
      const gained = known ? ((at - known.at) / 1000) * options.perSecond : 0;
      const tokens = Math.min(options.burst, (known?.tokens ?? options.burst) + gained);
      const allowed = tokens >= 1;
      buckets.set(source, { tokens: allowed ? tokens - 1 : tokens, at });
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
 * What counts as one source: an IPv4 address, or the /64 of an IPv6 one, for a single subscriber
 * holds a whole /64. An IPv4 address in IPv6 clothes (`::ffff:192.0.2.1`) is the IPv4 one.
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
