/**
 * Those of a node who do not read what they are sent, sockets and event streams alike: each has its
 * time, and what waits for all of them together is bounded.
 *
 * Source: feed.md, "Slow consumers".
 */
import type { StreamLimits } from './socket.ts';

export interface Laggard {
  /** Since when somebody waits until it has read, in ms of the monotonic clock; null: nobody does. */
  readonly laggingSince: number | null;
  readonly waitingBytes: number;
  /** Ends it because it does not read; its client comes back. */
  giveUp(): void;
}

export interface Laggards {
  add(laggard: Laggard): void;
  delete(laggard: Laggard): void;
  stop(): void;
}

const tickMs = 1000;

/** Looks at them once a second. */
export function watchLaggards(
  limits: Pick<StreamLimits, 'laggingSeconds' | 'totalBufferBytes'>,
): Laggards {
  /** In the order in which they began to lag. */
  const laggards = new Set<Laggard>();
  const timer = setInterval(() => look(performance.now()), tickMs).unref();

  function look(now: number): void {
    let total = 0;
    for (const laggard of laggards) {
      if ((now - (laggard.laggingSince ?? now)) / 1000 > limits.laggingSeconds) giveUp(laggard);
      else total += laggard.waitingBytes;
    }
    // The furthest behind goes first.
    for (const laggard of laggards) {
      if (total <= limits.totalBufferBytes) break;
      total -= laggard.waitingBytes;
      giveUp(laggard);
    }
  }

  function giveUp(laggard: Laggard): void {
    laggards.delete(laggard);
    laggard.giveUp();
  }

  return {
    add: (laggard) => void laggards.add(laggard),
    delete: (laggard) => void laggards.delete(laggard),
    stop: () => clearInterval(timer),
  };
}
