/** What the executor does from time to time: it checks silent runtimes, releases items, and purges. */
import { endLapsedLogWatches } from '../store/command/log-watches.ts';
import { recordInstanceObservation } from '../store/command/observations.ts';
import type { Store } from '../store/commit/store.ts';
import { withDatabaseTimeout } from '../store/database/time-limit.ts';
import { silentRuntimes, watchRuntime } from '../store/work/checks.ts';
import { postpone, purge, type WorkItem } from '../store/work/work.ts';

export interface MaintenanceOptions {
  /** A runtime without a heartbeat for this long is silent. */
  readonly silentSeconds: number;
  /** Whether this worker may declare runtimes silent at present. */
  readonly mayJudge: () => boolean;
  /** Begins the checks of compute providers that are due. */
  readonly checkProviders: () => Promise<void>;
  readonly log: { warn(details: object, message: string): void };
}

export interface Maintenance {
  /** Releases an item whose outcome could not be recorded, as soon as the database answers. */
  release(item: WorkItem): void;
  /** Resolves when the present round has ended. */
  idle(): Promise<void>;
  stop(): void;
}

const roundMs = 1_000;
const purgeMs = 3_600_000;
/** Delay until a released item may be claimed. */
const releaseSeconds = 0.1;
/** A connection that was cut silently never answers, so queries are limited in time. */
const answerSeconds = 5;

/** Starts the rounds. */
export function startMaintenance(store: Store, options: MaintenanceOptions): Maintenance {
  const { log } = options;
  const orphans: WorkItem[] = [];
  let round: Promise<void> | null = null;

  async function maintain(): Promise<void> {
    for (const item of orphans.splice(0)) {
      const released = withDatabaseTimeout(
        answerSeconds,
        postpone(store, item, { seconds: releaseSeconds }),
      );
      await released.catch(() => orphans.push(item));
    }
    await options.checkProviders();
    if (options.mayJudge()) await checkSilentRuntimes(store, options.silentSeconds);
  }

  const rounds = setInterval(() => {
    round ??= maintain()
      .catch((error: unknown) => log.warn({ err: error }, 'maintenance failed'))
      .finally(() => {
        round = null;
      });
  }, roundMs);
  const purges = setInterval(() => {
    Promise.all([purge(store), endLapsedLogWatches(store)]).catch((error: unknown) =>
      log.warn({ err: error }, 'purge failed'),
    );
  }, purgeMs);

  return {
    release: (item) => void orphans.push(item),
    async idle() {
      await round;
    },
    stop() {
      clearInterval(rounds);
      clearInterval(purges);
    },
  };
}

/** Records that runtimes are silent, and schedules the check whether they still run. */
async function checkSilentRuntimes(store: Store, silentSeconds: number): Promise<void> {
  for (const { id, runId } of await withDatabaseTimeout(
    answerSeconds,
    silentRuntimes(store, silentSeconds),
  )) {
    const silent = { kind: 'RUNTIME_SILENT', runId } as const;
    const actor = { kind: 'SYSTEM', name: 'heartbeats' } as const;
    await withDatabaseTimeout(
      answerSeconds,
      recordInstanceObservation(store, id, silent, { actor }),
    );
    await withDatabaseTimeout(answerSeconds, watchRuntime(store, id, 0));
  }
}
