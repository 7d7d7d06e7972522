/**
 * Whether commits publish their rows in their own NOTIFY. That has the lowest latency, but holds a global
 * lock until the commit is flushed, so it is allowed only while few commits run concurrently, and while
 * this node receives what it publishes.
 */

export interface Publishing {
  /** A commit begins; whether it may publish. Followed by `commitEnded`. */
  commitBegun(): boolean;
  commitEnded(): void;
  /** One of its own notifications was received. */
  received(): void;
  /**
   * A published row did not arrive, or this node has just begun to listen: no commit publishes until a
   * notification of its own is received.
   */
  missed(): void;
  /** PostgreSQL refused the NOTIFY of a commit: no commit publishes for some time. */
  refused(): void;
}

/** With this many concurrent commits on average, a commit does not publish its rows. */
const maxConcurrency = 8;
/** Number of commits over which the concurrency is averaged. */
const averagedCommits = 32;
const refusedMs = 60_000;

/** Nothing is published until the first own notification is received. */
export function createPublishing(now = () => performance.now()): Publishing {
  let receivesOwn = false;
  let openCommits = 0;
  /** Moving average of `openCommits` as commits begin; 0 again when one begins alone. */
  let concurrency = 0;
  let refusedUntil = Number.NEGATIVE_INFINITY;
  return {
    commitBegun() {
      concurrency =
        openCommits === 0 ? 0 : concurrency + (openCommits - concurrency) / averagedCommits;
      openCommits += 1;
      return receivesOwn && concurrency < maxConcurrency && now() >= refusedUntil;
    },
    commitEnded() {
      openCommits -= 1;
    },
    received() {
      receivesOwn = true;
    },
    missed() {
      receivesOwn = false;
    },
    refused() {
      refusedUntil = now() + refusedMs;
    },
  };
}
