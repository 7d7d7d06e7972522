/** The health checks of compute providers: one server asks each once a minute. */
import {
  type DueCheck,
  recordProviderCheck,
  repeatSweep,
  takeDueChecks,
} from '../store/command/provider-check.ts';
import type { Store } from '../store/commit/store.ts';
import { withDatabaseTimeout } from '../store/database/time-limit.ts';
import { callWithin, failureOf } from './call.ts';
import { sweepOrphans } from './orphan-sweep.ts';
import type { ProviderDrivers } from './provider-drivers.ts';
import { ProviderWatches } from './provider-watch.ts';

/** A connection that was cut silently never answers, so queries are limited in time. */
const answerSeconds = 5;
/** A provider that has not answered for this long does not answer. */
const inspectSeconds = 10;

export class ProviderChecks {
  readonly #store: Store;
  readonly #drivers: ProviderDrivers;
  readonly #log: { warn(details: object, message: string): void };
  readonly #running = new Map<string, Promise<void>>();
  readonly #watches: ProviderWatches;
  readonly #stopping = new AbortController();

  constructor(
    store: Store,
    drivers: ProviderDrivers,
    log: { warn(details: object, message: string): void },
  ) {
    this.#store = store;
    this.#drivers = drivers;
    this.#log = log;
    this.#watches = new ProviderWatches(store, log);
  }

  /** Begins the checks that are due. One that hangs delays no other. */
  async begin(): Promise<void> {
    if (this.#stopping.signal.aborted) return;
    const taken = takeDueChecks(this.#store, this.#drivers.kinds);
    for (const due of await withDatabaseTimeout(answerSeconds, taken)) {
      const check = this.#check(due)
        .catch((error: unknown) =>
          this.#log.warn({ err: error, provider: due.id }, 'a check could not be recorded'),
        )
        .finally(() => this.#running.delete(due.id));
      this.#running.set(due.id, check);
    }
  }

  /** Ends the running checks; what they found is not recorded. */
  async stop(): Promise<void> {
    this.#stopping.abort(new Error('The server stops.'));
    await Promise.allSettled(this.#running.values());
    await this.#watches.stop();
  }

  /** Of drivers that are shared each server has its own machine, and these sweep it themselves. */
  async #sweep({ id: providerId, kind, version }: DueCheck): Promise<void> {
    const { signal } = this.#stopping;
    try {
      const driver = await this.#drivers.driverOf({ kind, providerId, version });
      const removed = await sweepOrphans(this.#store, driver, signal);
      if (removed.length === 0) return;
      this.#log.warn(
        { provider: providerId, count: removed.length, removed },
        'the provider held what the store does not know, or knows to be over; it was removed',
      );
    } catch (error) {
      if (signal.aborted) return;
      this.#log.warn({ err: error, provider: providerId }, 'a provider could not be swept');
      await withDatabaseTimeout(answerSeconds, repeatSweep(this.#store, providerId));
    }
  }

  async #check(due: DueCheck): Promise<void> {
    const { signal } = this.#stopping;
    const { id: providerId, kind, version } = due;
    const call = { signal, seconds: inspectSeconds, name: 'inspectEngine', fencingToken: 0n };
    const result = await callWithin(call, (each) =>
      this.#drivers.inspect({ kind, providerId, version }, each),
    ).then(
      (engine) => ({ reachable: true as const, ...engine }),
      (error: unknown) => ({
        reachable: false as const,
        failure: { ...failureOf(error, ''), at: due.at },
      }),
    );
    if (signal.aborted) return;
    await withDatabaseTimeout(answerSeconds, recordProviderCheck(this.#store, due, result));
    if (this.#drivers.isShared(kind)) return;
    if (result.reachable) {
      const driver = await this.#drivers.driverOf({ kind, providerId, version });
      this.#watches.begin({ id: providerId, driver });
    }
    if (due.sweeps) await this.#sweep(due);
  }
}
