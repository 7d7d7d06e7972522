/** A transaction that somebody has forgotten keeps the whole feed waiting, and nobody would know why. */

export interface Waiting {
  /**
   * After each read: where the tail stands, and whether it waits there for writers.
   *
   * @param writers virtual transactions that hold the log's lock, as `pg_locks` names them
   */
  look(position: number, waits: boolean, writers: readonly string[]): void;
}

/** Until it is said who keeps the feed waiting, and until it is said again. */
const SAYS_MS = { first: 10_000, again: 60_000 };

/** Says who keeps the feed waiting at one place for long. */
export function createWaiting(say: (error: Error) => void): Waiting {
  let at: number | null = null;
  let saysAt = 0;
  return {
    look(position, waits, writers) {
      const now = performance.now();
      if (!waits || position !== at) {
        at = position;
        saysAt = now + SAYS_MS.first;
      }
      if (!waits || writers.length === 0 || now < saysAt) return;
      saysAt = now + SAYS_MS.again;
      const named = writers.map((writer) => `'${writer}'`).join(', ');
      say(
        new Error(
          `The feed waits for transactions that have written to the log, or may. Commit or end them: select pid from pg_locks where virtualtransaction in (${named}).`,
        ),
      );
    },
  };
}
