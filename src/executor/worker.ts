/**
 * A worker's life: it registers, beats each second, watches the beats of its peers by its own
 * monotonic clock, takes over what a dead one held, and stops its side effects when its own last
 * acknowledged heartbeat is too old. Source: feed.md, "Leases and fencing".
 */
import { setMaxListeners } from 'node:events';
import { within } from '../store/notifier.ts';
import type { Store } from '../store/store.ts';
import {
  adopt,
  beat,
  bury,
  handBack,
  peers,
  registerWorker,
  requeueUnowned,
} from '../store/work.ts';

export interface WorkerOptions {
  readonly name: string;
  readonly log: { warn(details: object, message: string): void };
}

const BEAT_MS = 1_000;
/** A peer whose beat has not changed for so long is dead. */
const LEASE_MS = 3_000;
/** Own side effects stop when the last acknowledged beat is so old. */
const ABORT_MS = 2_000;
/** A connection that was cut without a word answers never; it is not waited for. */
const ANSWER_SECONDS = 2;

export interface Worker {
  /** The epoch to claim with, or null while this worker may not act. */
  readonly epoch: number | null;
  /** Aborted when this worker may no longer act; a new one is made when it may again. */
  readonly signal: AbortSignal;
  /** Monotonic time, in ms, since which the worker has been without interruption. */
  readonly steadySince: number;
  stop(): Promise<void>;
}

/** Registers a worker and keeps it alive until `stop`, which hands back what it holds. */
export async function startWorker(store: Store, options: WorkerOptions): Promise<Worker> {
  let epoch: number | null = await registerWorker(store, options.name);
  let abort = leaseController();
  let lastAck = performance.now();
  let lastTick = performance.now();
  let steadySince = performance.now();
  let seen = new Map<number, { beat: number; since: number }>();
  let stopped = false;
  let ticking: Promise<void> = Promise.resolve();

  if (store.database.kind === 'PGLITE') {
    // One process owns the embedded store: every other epoch is of a process that is gone.
    for (const peer of await peers(store, epoch)) await bury(store, peer.epoch);
  }
  await adopt(store);

  const loseLease = (): void => {
    abort.abort(new Error('The worker lost its lease.'));
    epoch = null;
  };

  const tick = async (): Promise<void> => {
    const now = performance.now();
    if (now - lastTick > 5_000) {
      // The process slept: observe before anything is judged.
      steadySince = now;
      seen = new Map();
    }
    lastTick = now;
    if (epoch === null) {
      epoch = await registerWorker(store, options.name);
      abort = leaseController();
      steadySince = performance.now();
      seen = new Map();
      lastAck = performance.now();
      await adopt(store);
      return;
    }
    if (!(await within(ANSWER_SECONDS, beat(store, epoch)))) {
      options.log.warn({ epoch }, 'taken for dead by a peer; registering again');
      loseLease();
      return;
    }
    lastAck = performance.now();
    await within(ANSWER_SECONDS, requeueUnowned(store));
    for (const peer of await within(ANSWER_SECONDS, peers(store, epoch))) {
      const known = seen.get(peer.epoch);
      if (known?.beat !== peer.beat) {
        seen.set(peer.epoch, { beat: peer.beat, since: performance.now() });
      } else if (performance.now() - known.since > LEASE_MS) {
        const items = await bury(store, peer.epoch);
        seen.delete(peer.epoch);
        options.log.warn({ worker: peer.epoch, items }, 'took over the work of a dead worker');
        await adopt(store);
        store.committed({ revision: null, work: true });
      }
    }
  };

  let busy = false;
  const beating = setInterval(() => {
    if (performance.now() - lastAck > ABORT_MS && epoch !== null && busy) loseLeaseAfterOutage();
    if (busy || stopped) return;
    busy = true;
    ticking = tick()
      .catch((error: unknown) => {
        seen = new Map();
        if (performance.now() - lastAck > ABORT_MS) loseLeaseAfterOutage();
        options.log.warn({ err: error }, 'heartbeat failed');
      })
      .finally(() => {
        busy = false;
      });
  }, BEAT_MS / 2);

  const loseLeaseAfterOutage = (): void => {
    if (epoch === null) return;
    const lost = epoch;
    loseLease();
    seen = new Map();
    // What it held is requeued as soon as the database answers; peers may do it before.
    void bury(store, lost).catch(() => undefined);
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
    async stop() {
      stopped = true;
      clearInterval(beating);
      await ticking;
      const held = epoch;
      loseLease();
      if (held !== null) await handBack(store, held);
    },
  };
}

/** Every call under way listens to the lease's signal: there may be many. */
function leaseController(): AbortController {
  const controller = new AbortController();
  setMaxListeners(0, controller.signal);
  return controller;
}
