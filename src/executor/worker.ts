/**
 * The life of a worker: it registers, sends heartbeats, watches the heartbeats of its peers by its
 * own monotonic clock and their locks (worker-lock.ts), takes over the items of a dead one, and
 * stops its side effects when its own last acknowledged heartbeat is too old. The rules:
 * docs/feed.md, "Leases and fencing".
 */
import { setMaxListeners } from 'node:events';
import type { Store } from '../store/commit/store.ts';
import { within } from '../store/database/time-limit.ts';
import { adopt } from '../store/work/work.ts';
import {
  beat,
  bury,
  type Peer,
  peers,
  registerWorker,
  requeueUnowned,
} from '../store/work/workers.ts';
import { holdLock, type WorkerLock } from './worker-lock.ts';

export interface WorkerOptions {
  readonly name: string;
  readonly log: { warn(details: object, message: string): void };
}

/**
 * Sending and observing add one interval each, so a lease ends at most 4 s after the last
 * heartbeat.
 */
const BEAT_MS = 400;
/** A peer whose heartbeat has not changed for this long is dead. */
const LEASE_MS = 3_000;
/** Side effects of this worker stop when its last acknowledged heartbeat is this old. */
const ABORT_MS = 2_000;
/** A connection that was cut silently never answers, so queries are limited in time. */
const ANSWER_SECONDS = 2;

export interface Worker {
  /** The epoch to claim with, or null while this worker may not act. */
  readonly epoch: number | null;
  /** Aborted when this worker may no longer act; replaced when it may again. */
  readonly signal: AbortSignal;
  /** Monotonic time, in ms, since which the worker has run without interruption. */
  readonly steadySince: number;
  /** Are peers judged by their locks, in addition to their heartbeats? */
  readonly watchesLocks: boolean;
  /** Releases its items if the database answers within seconds; otherwise its lease expires. */
  stop(): Promise<void>;
}

/** Registers a worker and keeps it alive until `stop`, which releases its items. */
export async function startWorker(store: Store, options: WorkerOptions): Promise<Worker> {
  const { log } = options;
  let epoch: number | null = null;
  let lock: WorkerLock | null = null;
  let abort = leaseController();
  let lastAck = performance.now();
  let lastTick = performance.now();
  let steadySince = performance.now();
  let seen = new Map<number, { beat: number; since: number }>();
  let adopts = false;
  let stopped = false;
  let ticking: Promise<void> = Promise.resolve();

  const register = (): Promise<number> => registerWorker(store, options.name);

  const begin = (own: number): void => {
    abort = leaseController();
    steadySince = performance.now();
    seen = new Map();
    lastAck = performance.now();
    epoch = own;
    lock = holdLock(store, {
      epoch: own,
      settleMs: LEASE_MS,
      onGone: (peer) => takeOver(peer).catch((error: unknown) => failed(error)),
      onBuried: () => {
        if (epoch === own) loseLease();
      },
      log,
    });
  };

  /** Retried with each heartbeat until it succeeds. */
  const adoptNow = async (): Promise<void> => {
    adopts = true;
    await within(ANSWER_SECONDS, adopt(store));
    adopts = false;
  };

  const failed = (error: unknown): void => log.warn({ err: error }, 'heartbeat failed');

  const loseLease = (): void => {
    log.warn({ worker: epoch }, 'taken for dead by a peer, or cut off; registering again');
    abort.abort(new Error('The worker lost its lease.'));
    epoch = null;
    void lock?.close();
  };

  const takeOver = async (peer: Peer): Promise<void> => {
    const items = await within(ANSWER_SECONDS, bury(store, peer));
    seen.delete(peer.epoch);
    if (items === null) return; // It is alive, or another peer was first.
    log.warn({ worker: peer.epoch, items }, 'took over the work of a dead worker');
    store.committed({ revision: null, work: true });
    await adoptNow();
    store.committed({ revision: null, work: true });
  };

  const tick = async (): Promise<void> => {
    const now = performance.now();
    if (now - lastTick > 5_000) {
      // The process was suspended: observe before judging.
      steadySince = now;
      seen = new Map();
    }
    lastTick = now;
    if (epoch === null) {
      begin(await within(ANSWER_SECONDS, register()));
      await adoptNow();
      return;
    }
    const own = epoch;
    const lives = await within(ANSWER_SECONDS, beat(store, own));
    if (epoch !== own) return;
    if (!lives) return loseLease();
    lastAck = performance.now();
    await within(ANSWER_SECONDS, requeueUnowned(store));
    for (const peer of await within(ANSWER_SECONDS, peers(store, own))) {
      const known = seen.get(peer.epoch);
      if (known?.beat !== peer.beat) {
        seen.set(peer.epoch, { beat: peer.beat, since: performance.now() });
      } else if (performance.now() - known.since > LEASE_MS) {
        await takeOver(peer);
      }
    }
    if (adopts) {
      await adoptNow();
      store.committed({ revision: null, work: true });
    }
  };

  const first = await register();
  begin(first);
  if (store.database.kind === 'PGLITE') {
    // One process owns the embedded store, so every other epoch belongs to a process that is gone.
    for (const peer of await peers(store, first)) await bury(store, peer);
  }
  await adopt(store);

  let busy = false;
  const beating = setInterval(() => {
    if (performance.now() - lastAck > ABORT_MS && epoch !== null && busy) loseLeaseAfterOutage();
    if (busy || stopped) return;
    busy = true;
    ticking = tick()
      .catch((error: unknown) => {
        seen = new Map();
        if (performance.now() - lastAck > ABORT_MS) loseLeaseAfterOutage();
        failed(error);
      })
      .finally(() => {
        busy = false;
      });
  }, BEAT_MS);

  const loseLeaseAfterOutage = (): void => {
    if (epoch === null) return;
    const lost = epoch;
    loseLease();
    seen = new Map();
    // Its items are requeued as soon as the database answers; peers may do that earlier.
    void bury(store, { epoch: lost }).catch(() => undefined);
  };

  return {
    get epoch() {
      return epoch;
    },
    get signal() {
      return abort.signal;
    },
    get steadySince() {
      return steadySince;
    },
    get watchesLocks() {
      return lock?.isWatching ?? false;
    },
    async stop() {
      stopped = true;
      clearInterval(beating);
      await ticking;
      const held = epoch;
      abort.abort(new Error('The worker stops.'));
      epoch = null;
      if (held !== null) {
        await within(ANSWER_SECONDS, bury(store, { epoch: held })).catch((error: unknown) =>
          log.warn({ err: error }, 'what it holds could not be handed back; its lease will end'),
        );
      }
      await lock?.close();
    },
  };
}

/** Every running call listens to the signal of the lease, so there may be many listeners. */
function leaseController(): AbortController {
  const controller = new AbortController();
  setMaxListeners(0, controller.signal);
  return controller;
}
