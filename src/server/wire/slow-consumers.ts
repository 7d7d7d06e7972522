/**
 * The slow consumers of a node, sockets and event streams alike. Each has a time limit, and the
 * bytes buffered for all of them together are bounded.
 *
 * The rules: docs/feed.md, "Slow consumers".
 */
import type { StreamLimits } from './stream-limits.ts';

export interface SlowConsumer {
  /** Since when its client has not drained, in ms of the monotonic clock; null: it has drained. */
  readonly laggingSince: number | null;
  readonly waitingBytes: number;
  /** Closes it; its client reconnects and resumes. */
  giveUp(): void;
}

export interface SlowConsumers {
  add(slowConsumer: SlowConsumer): void;
  delete(slowConsumer: SlowConsumer): void;
  stop(): void;
}

const tickMs = 1000;

/** Checks the slow consumers once a second. */
export function watchSlowConsumers(
  limits: Pick<StreamLimits, 'laggingSeconds' | 'totalBufferBytes'>,
): SlowConsumers {
  /** In the order in which they began to lag. */
  const slowConsumers = new Set<SlowConsumer>();
  const timer = setInterval(() => look(performance.now()), tickMs).unref();

  function look(now: number): void {
    let total = 0;
    for (const slowConsumer of slowConsumers) {
      if ((now - (slowConsumer.laggingSince ?? now)) / 1000 > limits.laggingSeconds)
        giveUp(slowConsumer);
      else total += slowConsumer.waitingBytes;
    }
    // The one that has lagged longest is closed first.
    for (const slowConsumer of slowConsumers) {
      if (total <= limits.totalBufferBytes) break;
      total -= slowConsumer.waitingBytes;
      giveUp(slowConsumer);
    }
  }

  function giveUp(slowConsumer: SlowConsumer): void {
    slowConsumers.delete(slowConsumer);
    slowConsumer.giveUp();
  }

  return {
    add: (slowConsumer) => void slowConsumers.add(slowConsumer),
    delete: (slowConsumer) => void slowConsumers.delete(slowConsumer),
    stop: () => clearInterval(timer),
  };
}
