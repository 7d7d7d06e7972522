/**
 * What providers say of runtimes that exit, between two of their checks. The connection of a runtime ends
 * with it, which is seen sooner; this finds those whose end was not seen.
 */
import { type Driver, DriverError, type RuntimeRef } from '../drivers/driver.ts';
import { checkSeconds, hastenCheck } from '../store/command/provider-check.ts';
import type { Store } from '../store/commit/store.ts';
import { watchAbsent, watchExited } from '../store/work/checks.ts';
import { callWithin } from './call.ts';

/** Exits that come together are looked at together. */
const togetherMs = 50;
/** A provider that ends a watch sooner than this is not asked at once: it may do so each time. */
const shortMs = 5_000;

interface Watched {
  readonly id: string;
  readonly driver: Driver;
}

/** The watches of this server. Each lasts until the next check of its provider, which begins the next one. */
export class ProviderWatches {
  readonly #store: Store;
  readonly #log: { warn(details: object, message: string): void };
  readonly #running = new Map<string, { over: AbortController; ended: Promise<void> }>();

  constructor(store: Store, log: { warn(details: object, message: string): void }) {
    this.#store = store;
    this.#log = log;
  }

  /** Begins the watch of a provider in place of the one before. */
  begin(watched: Watched): void {
    this.#running.get(watched.id)?.over.abort();
    const over = new AbortController();
    const ended = this.#watch(watched, over.signal).finally(() => {
      clearTimeout(nextCheck);
      if (this.#running.get(watched.id)?.over === over) this.#running.delete(watched.id);
    });
    const nextCheck = setTimeout(() => over.abort(), checkSeconds * 1000);
    this.#running.set(watched.id, { over, ended });
  }

  /** Ends all. */
  async stop(): Promise<void> {
    const running = [...this.#running.values()];
    for (const { over } of running) over.abort();
    await Promise.all(running.map(({ ended }) => ended));
  }

  async #watch(watched: Watched, signal: AbortSignal): Promise<void> {
    const begunAt = performance.now();
    try {
      if (!watched.driver.watch) return await this.#compare(watched, signal);
      await this.#follow(watched, signal);
    } catch (error) {
      if (signal.aborted || (error instanceof DriverError && error.code === 'ABORTED')) return;
      this.#log.warn({ err: error, provider: watched.id }, 'a provider could not be watched');
    }
    if (performance.now() - begunAt < shortMs) return;
    // It was restarted, or is gone: which one is to be known now.
    await hastenCheck(this.#store, watched.id).catch(() => undefined);
  }

  /** Compares once the watch is open, so that nothing falls between. */
  async #follow(watched: Watched, signal: AbortSignal): Promise<void> {
    let comparison = Promise.resolve();
    const exited = new Map<string, RuntimeRef>();
    const report = (): void => {
      const runs = [...exited.values()];
      exited.clear();
      // What could not be stored is found by the next comparison.
      watchExited(this.#store, runs).catch(() => undefined);
    };
    await watched.driver.watch?.({
      ...{ signal, fencingToken: 0n },
      onOpen: () => {
        comparison = this.#compare(watched, signal);
        comparison.catch(() => undefined);
      },
      onExit(runtime) {
        if (exited.size === 0) setTimeout(report, togetherMs);
        exited.set(runtime.runId, runtime);
      },
    });
    await comparison;
  }

  /** Has the runtimes checked that are to run and of which the provider does not say that they do. */
  async #compare({ id, driver }: Watched, signal: AbortSignal): Promise<void> {
    const options = { signal, seconds: driver.limits.listHoldings, name: 'listHoldings' };
    const held = await callWithin({ ...options, fencingToken: 0n }, (call) =>
      driver.listHoldings(call),
    );
    const present = held.flatMap((each) =>
      each.runtime && !each.hasExited ? [each.runtime.runId] : [],
    );
    await watchAbsent(this.#store, id, present);
  }
}
