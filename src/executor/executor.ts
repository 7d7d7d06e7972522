/**
 * Claims work, calls drivers and reports their observations through the store. It holds no state
 * that a crash could lose: work, leases and deadlines are rows.
 */
import { setTimeout as delay } from 'node:timers/promises';
import DataLoader from 'dataloader';
import type { DnsProvider } from '../drivers/dns/provider.ts';
import { type Driver, DriverError } from '../drivers/driver.ts';
import type { Store } from '../store/commit/store.ts';
import { withDatabaseTimeout } from '../store/database/time-limit.ts';
import { type InstanceTarget, instanceTargets } from '../store/read/targets.ts';
import { tellRetry } from '../store/resource/operation-progress.ts';
import {
  type Claimable,
  claim,
  finish,
  postpone,
  requeueUnknown,
  type WorkItem,
} from '../store/work/work.ts';
import { waitAtMost } from '../timing/time-limit.ts';
import { failureOf, isFenced, retrySeconds, stageOf } from './call.ts';
import { deadlines, groupsOf, registries } from './groups.ts';
import { hostWork } from './host-work.ts';
import { type Maintenance, startMaintenance } from './maintenance.ts';
import { ProviderChecks } from './provider-checks.ts';
import { type DriverOpener, ProviderDrivers } from './provider-drivers.ts';
import { runtimeWork } from './runtime-work.ts';
import { tagWork } from './tag-work.ts';
import { updateWork } from './update-work.ts';
import type { WorkContext } from './work-handler.ts';
import { startWorker, type Worker } from './worker.ts';

export interface ExecutorOptions {
  /** Each serves all providers of its kind. They stay open when the executor stops. */
  readonly drivers: readonly Driver[];
  /** Opens a driver for each provider of other kinds. */
  readonly opener?: DriverOpener | null;
  readonly dns: DnsProvider;
  /** The address of the API for runtimes: `ws://…/graphql`. */
  readonly endpoint: () => string;
  /** PEM of authorities that runtimes trust beside the public ones. */
  readonly authorities?: string | null;
  readonly name: string;
  readonly heartbeatSeconds: number;
  /** After a start, a suspension of the machine or an outage no deadline expires for this long. */
  readonly settleSeconds: number;
  readonly log: {
    warn(details: object, message: string): void;
    error(details: object, message: string): void;
  };
}

export interface Executor {
  /** Another node may have created work that is due. */
  wake(): void;
  /** Stops claiming, waits a few seconds for running items, and releases the rest. */
  stop(): Promise<void>;
}

const pollMs = 250;
/** Least time between two claims; work that arrives in between is claimed together. */
const coalesceMs = 5;
/** A connection that was cut silently never answers, so queries are limited in time. */
const answerSeconds = 5;
/** Delay until an item that a driver refused for its token is claimed anew, with a later token. */
const fencedRetrySeconds = 0.05;
/** At a stop, how long running items may take, and how long their aborted calls may. */
const stopMs = 2_000;
const abortedMs = 1_000;

const handlers = { ...hostWork, ...runtimeWork, ...updateWork, ...tagWork };

/** One statement for all keys that are requested in one tick. */
const createBatches = <Key, Value>(loadMany: (keys: readonly Key[]) => Promise<Value[]>) =>
  new DataLoader(loadMany, { cache: false, batchScheduleFn: setImmediate });

/** Starts the executor of this process. */
export async function startExecutor(store: Store, options: ExecutorOptions): Promise<Executor> {
  const worker = await startWorker(store, { name: options.name, log: options.log });
  return new RunningExecutor(store, worker, options);
}

class RunningExecutor implements Executor {
  readonly #store: Store;
  readonly #worker: Worker;
  readonly #options: ExecutorOptions;
  readonly #drivers: ProviderDrivers;
  readonly #providerChecks: ProviderChecks;
  readonly #groups: readonly Claimable[];
  readonly #running = new Map<WorkItem, Promise<void>>();
  readonly #targets: DataLoader<string, InstanceTarget | null>;
  readonly #finished: DataLoader<WorkItem, null>;
  readonly #maintenance: Maintenance;
  readonly #stopListening: () => void;
  readonly #claiming: Promise<void>;
  #isStopping = false;
  #isWoken = false;
  #endPause: () => void = () => undefined;
  /** The last claim filled a group, so the end of an item frees a slot for waiting work. */
  #isFull = false;
  /** The last claim failed: it may have claimed items that this process does not know. */
  #hasClaimFailed = false;

  constructor(store: Store, worker: Worker, options: ExecutorOptions) {
    this.#store = store;
    this.#worker = worker;
    this.#options = options;
    this.#drivers = new ProviderDrivers(store, {
      shared: options.drivers,
      opener: options.opener ?? null,
      onError: (error) => options.log.warn({ err: error }, 'a driver did not end well'),
    });
    this.#providerChecks = new ProviderChecks(store, this.#drivers, options.log);
    this.#groups = [deadlines, registries, ...this.#drivers.kinds.flatMap(groupsOf)];
    this.#targets = createBatches(async (ids: readonly string[]) => {
      const found = await instanceTargets(store, ids);
      return ids.map((id) => found.get(id) ?? null);
    });
    this.#finished = createBatches(async (items: readonly WorkItem[]) => {
      await finish(store, items);
      return items.map(() => null);
    });
    this.#maintenance = startMaintenance(store, {
      silentSeconds: options.heartbeatSeconds * 3,
      mayJudge: () => this.#isSettled() && worker.id !== null,
      checkProviders: async () => {
        if (worker.id !== null) await this.#providerChecks.begin();
        this.#drivers.closeIdle();
      },
      log: options.log,
    });
    this.#stopListening = store.onCommit((commit) => {
      if (commit.work) this.wake();
    });
    this.#claiming = this.#claimUntilStopped();
  }

  wake(): void {
    this.#isWoken = true;
    this.#endPause();
  }

  async stop(): Promise<void> {
    this.#isStopping = true;
    this.#stopListening();
    this.#maintenance.stop();
    this.wake();
    const ended = () =>
      Promise.all([
        this.#maintenance.idle(),
        this.#providerChecks.stop(),
        ...this.#running.values(),
      ]);
    await waitAtMost(stopMs, this.#claiming.then(ended));
    await this.#worker.stop();
    // The calls of running items are aborted by now.
    await waitAtMost(abortedMs, ended());
    await waitAtMost(abortedMs, this.#drivers.close());
  }

  async #claimUntilStopped(): Promise<void> {
    while (!this.#isStopping) {
      this.#isWoken = false;
      const begunAt = performance.now();
      const { id, signal } = this.#worker;
      const claimed = id === null ? [] : await this.#claim(id);
      for (const item of claimed) this.#run(item, id, signal);
      if (!this.#isWoken) await this.#untilWoken();
      const earlyMs = begunAt + coalesceMs - performance.now();
      if (earlyMs > 0 && !this.#isStopping) await delay(earlyMs);
    }
  }

  #untilWoken(): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, pollMs);
      this.#endPause = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  async #claim(workerId: number): Promise<WorkItem[]> {
    try {
      if (this.#hasClaimFailed) {
        const known = [...this.#running.keys()];
        await withDatabaseTimeout(answerSeconds, requeueUnknown(this.#store, workerId, known));
        this.#hasClaimFailed = false;
      }
      const free = this.#freeSlots();
      const drivers = this.#drivers.kinds;
      const asked = claim(this.#store, workerId, { groups: free, drivers });
      const claimed = await withDatabaseTimeout(answerSeconds, asked);
      this.#isFull = free.some((group) => countIn(group, claimed) === group.limit);
      return claimed;
    } catch (error) {
      this.#hasClaimFailed = true;
      this.#options.log.warn({ err: error }, 'work could not be claimed');
      return [];
    }
  }

  /** The free slots of each group. */
  #freeSlots(): Claimable[] {
    const running = [...this.#running.keys()];
    return this.#groups
      .filter((group) => this.#isSettled() || group !== deadlines)
      .map((group) => this.#freeSlotsOf(group, running));
  }

  #freeSlotsOf(group: Claimable, running: readonly WorkItem[]): Claimable {
    if (group.driver === null || this.#drivers.isShared(group.driver)) {
      return { ...group, limit: group.limit - countIn(group, running) };
    }
    const counts = new Map<string | null, number>();
    for (const item of running) {
      if (countIn(group, [item]) === 0) continue;
      counts.set(item.providerId, (counts.get(item.providerId) ?? 0) + 1);
    }
    const busy = [...counts].flatMap(([id, count]) => (id && count >= group.limit ? [id] : []));
    return { ...group, busy };
  }

  #isSettled(): boolean {
    return performance.now() - this.#worker.steadySince > this.#options.settleSeconds * 1000;
  }

  #run(item: WorkItem, workerId: number | null, signal: AbortSignal): void {
    const task = this.#perform(item, signal)
      .catch((error: unknown) => {
        this.#options.log.warn(
          { err: error, kind: item.kind },
          'the outcome of a work item could not be recorded; it will be released',
        );
        if (this.#worker.id === workerId) this.#maintenance.release(item);
      })
      .finally(() => {
        this.#running.delete(item);
        if (this.#isFull) this.wake();
      });
    this.#running.set(item, task);
  }

  /** Performs an item and records its outcome. Rejects if the outcome could not be recorded. */
  async #perform(item: WorkItem, signal: AbortSignal): Promise<void> {
    try {
      const outcome = await handlers[item.kind](this.#contextOf(signal), item);
      if (outcome === 'DONE') await this.#finished.load(item);
      else {
        const { againInSeconds: seconds, cause, resetAttempts } = outcome;
        await this.#postpone(item, {
          seconds,
          cause: cause ?? null,
          resetAttempts: resetAttempts ?? false,
        });
      }
    } catch (error) {
      if (isFenced(error)) return await this.#postpone(item, { seconds: fencedRetrySeconds });
      if (!(error instanceof DriverError)) {
        const details = { err: error, kind: item.kind, resource: item.resourceId };
        this.#options.log.error(details, 'work failed');
      }
      const seconds = retrySeconds(item.attempt);
      await this.#postpone(item, { seconds, cause: failureOf(error, stageOf(item.kind)) });
    }
  }

  /** Has an item claimed again later. That it failed is told once. */
  async #postpone(item: WorkItem, options: Parameters<typeof postpone>[2]): Promise<void> {
    await postpone(this.#store, item, options);
    if (!options.cause || item.firstCause) return;
    await tellRetry(this.#store, item).catch((error: unknown) =>
      this.#options.log.warn({ err: error }, 'it could not be told that an operation is retried'),
    );
  }

  #contextOf(signal: AbortSignal): WorkContext {
    const { dns, heartbeatSeconds, authorities, endpoint } = this.#options;
    return {
      ...{ store: this.#store, dns, signal, heartbeatSeconds, endpoint },
      authorities: authorities ?? null,
      driverOf: (provider) => this.#drivers.driverOf(provider),
      instanceTarget: (id) => this.#targets.load(id),
      wake: () => this.wake(),
    };
  }
}

/** The number of these items that belong to a group. */
function countIn(group: Claimable, items: readonly WorkItem[]): number {
  return items.filter(
    ({ kind, driver }) =>
      group.kinds.includes(kind) && (group.driver === null || group.driver === driver),
  ).length;
}
