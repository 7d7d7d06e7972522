/**
 * Claims work, calls drivers and reports their observations through the store. It holds no state
 * that a crash could lose: work, leases and deadlines are rows.
 */

import { setTimeout as delay } from 'node:timers/promises';
import DataLoader from 'dataloader';
import type { DnsProvider } from '../drivers/dns/provider.ts';
import { type Driver, DriverError } from '../drivers/driver.ts';
import type { HostDriver } from '../lifecycle/compute.ts';
import { recordInstanceObservation } from '../store/command/observations.ts';
import type { Store } from '../store/commit/store.ts';
import { within } from '../store/database/time-limit.ts';
import { instanceTargets } from '../store/read/targets.ts';
import {
  type Claimable,
  claim,
  finish,
  postpone,
  purge,
  requeueUnknown,
  silentRuntimes,
  type WorkItem,
  watchRuntime,
} from '../store/work/work.ts';
import { waitAtMost } from '../timing/time-limit.ts';
import { failureOf, isFenced, retrySeconds } from './call.ts';
import { hostWork } from './host-work.ts';
import { runtimeWork } from './runtime-work.ts';
import type { Executing } from './work-handler.ts';
import { startWorker, type Worker } from './worker.ts';

export interface ExecutorOptions {
  readonly drivers: readonly Driver[];
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

/** Deadlines expire whatever the drivers do, also those of a driver that no server has. */
const deadlines: Claimable = {
  kinds: ['HOST_DEADLINE', 'REMOVAL_DEADLINE', 'INSTANCE_DEADLINE'],
  driver: null,
  limit: 32,
};

/**
 * Each group of a driver has a budget of its own, so that a driver that hangs in one kind of work
 * delays neither other kinds nor other drivers.
 */
const groupsOf = (driver: HostDriver): Claimable[] => [
  { kinds: ['CHECK_HOST', 'CONFIRM_HOST'], driver, limit: 32 },
  {
    kinds: ['START_RUNTIME', 'STOP_RUNTIME', 'KILL_RUNTIME', 'WATCH_RUNTIME', 'CONTINUE_RESTART'],
    driver,
    limit: 64,
  },
  {
    kinds: [
      'ALLOCATE_HOST',
      'CONFIGURE_DNS',
      'DEPLOY_CONTAINER',
      'RESTART_HOST',
      'RESTART_CONTAINER',
      'RELEASE_HOST',
    ],
    driver,
    limit: 32,
  },
];
const POLL_MS = 250;
/** Least time between two claims; work that arrives in between is claimed together. */
const COALESCE_MS = 5;
/** A connection that was cut silently never answers, so queries are limited in time. */
const ANSWER_SECONDS = 5;
/** Delay until an item that a driver refused for its token is claimed anew, with a later token. */
const FENCED_SECONDS = 0.05;
const STOP_MS = 2_000;
const ABORTED_MS = 1_000;

const handlers = { ...hostWork, ...runtimeWork };

/** One statement for all that is asked for in one tick. */
const createBatches = <Key, Value>(loadMany: (keys: readonly Key[]) => Promise<Value[]>) =>
  new DataLoader(loadMany, { cache: false, batchScheduleFn: setImmediate });

/** Starts the executor of this process. */
export async function startExecutor(store: Store, options: ExecutorOptions): Promise<Executor> {
  const { log } = options;
  const worker: Worker = await startWorker(store, { name: options.name, log });
  const drivers = new Map<HostDriver, Driver>(
    options.drivers.map((driver) => [driver.kind, driver]),
  );
  const running = new Map<WorkItem, Promise<void>>();
  let stopping = false;
  let wakeUp: () => void = () => undefined;
  let woken = false;

  const wake = (): void => {
    woken = true;
    wakeUp();
  };
  const untilWoken = (): Promise<void> =>
    new Promise((resolve) => {
      const timer = setTimeout(resolve, POLL_MS);
      wakeUp = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  const stopListening = store.onCommit((commit) => {
    if (commit.work) wake();
  });

  const driverOf = (kind: HostDriver): Driver => {
    const driver = drivers.get(kind);
    if (driver) return driver;
    throw new DriverError(
      'NO_DRIVER',
      `This server has no driver ${kind}; it has ${[...drivers.keys()].join(', ')}.`,
      { retryable: false },
    );
  };

  const targets = createBatches(async (ids: readonly string[]) => {
    const found = await instanceTargets(store, ids);
    return ids.map((id) => found.get(id) ?? null);
  });
  const finished = createBatches(async (items: readonly WorkItem[]) => {
    await finish(store, items);
    return items.map(() => null);
  });

  const perform = async (item: WorkItem, signal: AbortSignal): Promise<void> => {
    const executing: Executing = {
      store,
      dns: options.dns,
      signal,
      heartbeatSeconds: options.heartbeatSeconds,
      authorities: options.authorities ?? null,
      endpoint: options.endpoint,
      driverOf,
      instanceTarget: (id) => targets.load(id),
      wake,
    };
    try {
      const outcome = await handlers[item.kind](executing, item);
      if (outcome === 'OVER') await finished.load(item);
      else {
        const { againInSeconds: seconds, cause, fresh } = outcome;
        await postpone(store, item, { seconds, cause: cause ?? null, fresh: fresh ?? false });
      }
    } catch (error) {
      if (isFenced(error)) return await postpone(store, item, { seconds: FENCED_SECONDS });
      if (!(error instanceof DriverError)) {
        log.error({ err: error, kind: item.kind, resource: item.resourceId }, 'work failed');
      }
      const seconds = retrySeconds(item.attempt);
      await postpone(store, item, { seconds, cause: failureOf(error, item.kind) });
    }
  };

  const settled = (): boolean =>
    performance.now() - worker.steadySince > options.settleSeconds * 1000;

  const kinds = [...drivers.keys()];
  const groups = [deadlines, ...kinds.flatMap(groupsOf)];
  const itemsOf = (group: Claimable, items: Iterable<WorkItem>): number =>
    [...items].filter(
      ({ kind, driver }) =>
        group.kinds.includes(kind) && (group.driver === null || group.driver === driver),
    ).length;
  /** The free slots of each group. */
  const room = (): Claimable[] =>
    groups
      .filter((group) => settled() || group !== deadlines)
      .map((group) => ({ ...group, limit: group.limit - itemsOf(group, running.keys()) }));
  /** Did the last claim fill a group? Then the end of an item frees a slot for waiting work. */
  let isFull = false;

  let claimFailed = false;
  const loop = async (): Promise<void> => {
    while (!stopping) {
      woken = false;
      const begun = performance.now();
      let claimed: WorkItem[] = [];
      const { epoch, signal } = worker;
      if (epoch !== null) {
        try {
          if (claimFailed) {
            const known = [...running.keys()];
            await within(ANSWER_SECONDS, requeueUnknown(store, epoch, known));
            claimFailed = false;
          }
          const free = room();
          const asked = claim(store, epoch, { groups: free, drivers: kinds });
          claimed = await within(ANSWER_SECONDS, asked);
          isFull = free.some((group) => itemsOf(group, claimed) === group.limit);
        } catch (error) {
          claimFailed = true;
          log.warn({ err: error }, 'work could not be claimed');
        }
      }
      for (const item of claimed) {
        const task = perform(item, signal)
          .catch((error: unknown) => {
            log.warn({ err: error, kind: item.kind }, 'work item left to its lease');
            if (worker.epoch === epoch) orphans.push(item);
          })
          .finally(() => {
            running.delete(item);
            if (isFull) wake();
          });
        running.set(item, task);
      }
      if (!woken) await untilWoken();
      const early = begun + COALESCE_MS - performance.now();
      if (early > 0 && !stopping) await delay(early);
    }
  };

  /** Items that could not be released (the database was unreachable); retried each second. */
  const orphans: WorkItem[] = [];
  const maintain = async (): Promise<void> => {
    const answered = <T>(asked: Promise<T>) => within(ANSWER_SECONDS, asked);
    for (const item of orphans.splice(0)) {
      await answered(postpone(store, item, { seconds: 0.1 })).catch(() => orphans.push(item));
    }
    if (!settled() || worker.epoch === null) return;
    const silent = await answered(silentRuntimes(store, options.heartbeatSeconds * 3));
    for (const { id, runId } of silent) {
      await answered(
        recordInstanceObservation(
          store,
          id,
          { kind: 'RUNTIME_SILENT', runId },
          { actor: { kind: 'SYSTEM', name: 'heartbeats' } },
        ),
      );
      await answered(watchRuntime(store, id, 0));
    }
  };
  let maintaining: Promise<void> | null = null;
  const maintenance = setInterval(() => {
    maintaining ??= maintain()
      .catch((error: unknown) => log.warn({ err: error }, 'maintenance failed'))
      .finally(() => {
        maintaining = null;
      });
  }, 1_000);
  const purging = setInterval(() => {
    purge(store).catch((error: unknown) => log.warn({ err: error }, 'purge failed'));
  }, 3_600_000);

  const looping = loop();
  return {
    wake,
    async stop() {
      stopping = true;
      stopListening();
      clearInterval(maintenance);
      clearInterval(purging);
      wake();
      const atWork = () => Promise.all([maintaining, ...running.values()]);
      await waitAtMost(STOP_MS, looping.then(atWork));
      await worker.stop();
      // The calls of running items are aborted by now.
      await waitAtMost(ABORTED_MS, atWork());
    },
  };
}
