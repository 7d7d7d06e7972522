/** A bounded queue of things to report, sent in batches, in order, again until it worked. */

export interface Outbox<T> {
  /**
   * Queues an item; one that waits under the same key is replaced. False: it is full and keeps
   * what it has.
   */
  put(key: string, item: T): boolean;
  /** Takes the oldest item out, to make room. */
  dropOldest(): void;
  /** Whether something waits under the key. */
  has(key: string): boolean;
  /** How many more different keys it takes. */
  room(): number;
  /** Resolves when nothing waits any more. */
  flushed(): Promise<void>;
  /** Sends no more; what waits is lost. */
  close(): void;
}

export interface OutboxOptions<T> {
  readonly capacity: number;
  /** How many items a batch holds at most. */
  readonly batchItems: number;
  /** Sends one batch; a rejection means that it is tried again later. */
  readonly send: (items: T[]) => Promise<unknown>;
}

const lingerMilliseconds = 200;
const longestRetryMilliseconds = 3_000;

/** An empty outbox. */
export function createOutbox<T>({ capacity, batchItems, send }: OutboxOptions<T>): Outbox<T> {
  const waiting = new Map<string, T>();
  let timer: NodeJS.Timeout | undefined;
  let sending = false;
  let closed = false;
  let failures = 0;
  let idle: (() => void)[] = [];

  function schedule(): void {
    if (sending || closed || timer !== undefined || waiting.size === 0) return;
    const retry = Math.min(lingerMilliseconds * 2 ** failures, longestRetryMilliseconds);
    timer = setTimeout(
      () => {
        timer = undefined;
        void sendBatch();
      },
      idle.length > 0 && failures === 0 ? 0 : retry,
    );
    timer.unref();
  }

  async function sendBatch(): Promise<void> {
    const batch = [...waiting].slice(0, batchItems);
    sending = true;
    try {
      await send(batch.map(([, item]) => item));
      failures = 0;
      // What was replaced meanwhile still has to go out.
      for (const [key, item] of batch) if (waiting.get(key) === item) waiting.delete(key);
    } catch {
      failures = Math.min(failures + 1, 10);
    }
    sending = false;
    if (waiting.size === 0) {
      for (const resolve of idle) resolve();
      idle = [];
    }
    schedule();
  }

  return {
    put(key, item) {
      if (!waiting.has(key) && waiting.size >= capacity) return false;
      waiting.delete(key);
      waiting.set(key, item);
      schedule();
      return true;
    },
    dropOldest() {
      for (const key of waiting.keys()) {
        waiting.delete(key);
        return;
      }
    },
    has: (key) => waiting.has(key),
    room: () => capacity - waiting.size,
    async flushed() {
      if (waiting.size === 0 && !sending) return;
      await new Promise<void>((resolve) => {
        idle.push(resolve);
        if (failures > 0) return;
        clearTimeout(timer);
        timer = undefined;
        schedule();
      });
    },
    close() {
      closed = true;
      clearTimeout(timer);
    },
  };
}
