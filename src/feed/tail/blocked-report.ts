/** Reports the transactions that hold up the feed: one that stays open after its INSERT delays every later row. */

export interface BlockedReport {
  /**
   * Called after each read with the position of the tail.
   *
   * @param waits whether the tail cannot advance because of writers
   * @param writers virtual transactions that hold the log's lock, as `pg_locks` names them
   */
  observe(position: number, waits: boolean, writers: readonly string[]): void;
}

/** Time at one position until the first report, and between two reports. */
const reportMs = { first: 10_000, repeat: 60_000 };

/** Calls `report` with an error that names the transactions. */
export function createBlockedReport(report: (error: Error) => void): BlockedReport {
  let at: number | null = null;
  let reportAt = 0;
  return {
    observe(position, waits, writers) {
      const now = performance.now();
      if (!waits || position !== at) {
        at = position;
        reportAt = now + reportMs.first;
      }
      if (!waits || writers.length === 0 || now < reportAt) return;
      reportAt = now + reportMs.repeat;
      const named = writers.map((writer) => `'${writer}'`).join(', ');
      report(
        new Error(
          `The feed waits for transactions that have written to the log, or may. Commit or end them: select pid from pg_locks where virtualtransaction in (${named}).`,
        ),
      );
    },
  };
}
