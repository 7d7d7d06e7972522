/**
 * The life of a worker: it registers, sends heartbeats, watches the heartbeats of its peers by its
 * own monotonic clock and their locks (worker-lock.ts), takes over the items of a dead one, and
 * stops its side effects when its own last acknowledged heartbeat is too old. The rules:
 * docs/feed.md, "Leases and fencing".
 */
import { setMaxListeners } from 'node:events';
import { scheduleSweeps } from '../store/command/provider-check.ts';
import type { Store } from '../store/commit/store.ts';
import { withDatabaseTimeout } from '../store/database/time-limit.ts';
import { scheduleChecks } from '../store/work/checks.ts';
import {
  beat,
  type Peer,
  peers,
  registerWorker,
  requeueUnowned,
  revokeLease,
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
const heartbeatMs = 400;
/** A peer whose heartbeat has not changed for this long is dead. */
const leaseMs = 3_000;
/** Side effects of this worker stop when its last acknowledged heartbeat is this old. */
const abortMs = 2_000;
/** After such a gap between two heartbeats the process is taken to have been suspended. */
const suspendedMs = 5_000;
/** A connection that was cut silently never answers, so queries are limited in time. */
const answerSeconds = 2;

export interface Worker {
  /** The id to claim with, or null while this worker may not act. */
  readonly id: number | null;
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
  const worker = new RunningWorker(store, options);
  await worker.start();
  return worker;
}

class RunningWorker implements Worker {
  readonly #store: Store;
  readonly #options: WorkerOptions;
  #id: number | null = null;
  #lock: WorkerLock | null = null;
  #abort = leaseController();
  /** Monotonic times of the last acknowledged heartbeat and of the last attempt. */
  #acknowledgedAt = performance.now();
  #roundAt = performance.now();
  #steadySince = performance.now();
  /** The last heartbeat of each peer, and when it was first seen. */
  #seen = new Map<number, { beat: number; since: number }>();
  /** Checks of hosts and runtimes must be scheduled; repeated with each heartbeat until it succeeds. */
  #mustScheduleChecks = false;
  #isStopped = false;
  #heartbeats: NodeJS.Timeout | undefined;
  #round: Promise<void> | null = null;

  constructor(store: Store, options: WorkerOptions) {
    this.#store = store;
    this.#options = options;
  }

  get id(): number | null {
    return this.#id;
  }

  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  get steadySince(): number {
    return this.#steadySince;
  }

  get watchesLocks(): boolean {
    return this.#lock?.isWatching ?? false;
  }

  async start(): Promise<void> {
    const store = this.#store;
    const first = await registerWorker(store, this.#options.name);
    this.#begin(first);
    if (store.database.kind === 'PGLITE') {
      // One process owns the embedded store, so every other worker belongs to a process that is gone.
      for (const peer of await peers(store, first)) await revokeLease(store, peer);
    }
    await scheduleChecks(store);
    await scheduleSweeps(store);
    this.#heartbeats = setInterval(() => this.#onHeartbeatDue(), heartbeatMs);
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    clearInterval(this.#heartbeats);
    await this.#round;
    const held = this.#id;
    this.#abort.abort(new Error('The worker stops.'));
    this.#id = null;
    if (held !== null) {
      const released = withDatabaseTimeout(answerSeconds, revokeLease(this.#store, { id: held }));
      await released.catch((error: unknown) =>
        this.#warn({ err: error }, 'its items could not be released; its lease will expire'),
      );
    }
    await this.#lock?.close();
  }

  #begin(id: number): void {
    this.#abort = leaseController();
    this.#steadySince = performance.now();
    this.#seen = new Map();
    this.#acknowledgedAt = performance.now();
    this.#id = id;
    this.#lock = holdLock(this.#store, {
      workerId: id,
      minSessionAgeMs: leaseMs,
      onGone: (peer) => this.#takeOver(peer).catch((error: unknown) => this.#failed(error)),
      onRevoked: () => {
        if (this.#id === id) this.#loseLease();
      },
      log: this.#options.log,
    });
  }

  #onHeartbeatDue(): void {
    if (this.#isOutdated() && this.#round) this.#loseLeaseAfterOutage();
    if (this.#round || this.#isStopped) return;
    this.#round = this.#beat()
      .catch((error: unknown) => {
        this.#seen = new Map();
        if (this.#isOutdated()) this.#loseLeaseAfterOutage();
        this.#failed(error);
      })
      .finally(() => {
        this.#round = null;
      });
  }

  /** The last acknowledged heartbeat is too old for side effects. */
  #isOutdated(): boolean {
    return performance.now() - this.#acknowledgedAt > abortMs;
  }

  async #beat(): Promise<void> {
    const now = performance.now();
    if (now - this.#roundAt > suspendedMs) {
      // The process was suspended: observe before judging.
      this.#steadySince = now;
      this.#seen = new Map();
    }
    this.#roundAt = now;
    const own = this.#id;
    if (own === null) {
      this.#begin(
        await withDatabaseTimeout(answerSeconds, registerWorker(this.#store, this.#options.name)),
      );
      return await this.#scheduleChecks();
    }
    const isAlive = await withDatabaseTimeout(answerSeconds, beat(this.#store, own));
    if (this.#id !== own) return;
    if (!isAlive) return this.#loseLease();
    this.#acknowledgedAt = performance.now();
    await withDatabaseTimeout(answerSeconds, requeueUnowned(this.#store));
    await this.#watchPeers(own);
    if (!this.#mustScheduleChecks) return;
    await this.#scheduleChecks();
    this.#store.committed({ revision: null, work: true });
  }

  /** Takes over the items of each peer whose heartbeat has not changed for the time of a lease. */
  async #watchPeers(own: number): Promise<void> {
    for (const peer of await withDatabaseTimeout(answerSeconds, peers(this.#store, own))) {
      const known = this.#seen.get(peer.id);
      if (known?.beat !== peer.beat) {
        this.#seen.set(peer.id, { beat: peer.beat, since: performance.now() });
      } else if (performance.now() - known.since > leaseMs) {
        await this.#takeOver(peer);
      }
    }
  }

  async #takeOver(peer: Peer): Promise<void> {
    const items = await withDatabaseTimeout(answerSeconds, revokeLease(this.#store, peer));
    this.#seen.delete(peer.id);
    if (items === null) return; // It is alive, or another peer was first.
    this.#warn({ worker: peer.id, items }, 'took over the work of a dead worker');
    this.#store.committed({ revision: null, work: true });
    await this.#scheduleChecks();
    this.#store.committed({ revision: null, work: true });
  }

  async #scheduleChecks(): Promise<void> {
    this.#mustScheduleChecks = true;
    await withDatabaseTimeout(answerSeconds, scheduleChecks(this.#store));
    this.#mustScheduleChecks = false;
  }

  #loseLease(): void {
    this.#warn({ worker: this.#id }, 'declared dead by a peer, or cut off; registering again');
    this.#abort.abort(new Error('The worker lost its lease.'));
    this.#id = null;
    void this.#lock?.close();
  }

  #loseLeaseAfterOutage(): void {
    const lost = this.#id;
    if (lost === null) return;
    this.#loseLease();
    this.#seen = new Map();
    // Its items are requeued as soon as the database answers; peers may do that earlier.
    void revokeLease(this.#store, { id: lost }).catch(() => undefined);
  }

  #failed(error: unknown): void {
    this.#warn({ err: error }, 'heartbeat failed');
  }

  #warn(details: object, message: string): void {
    this.#options.log.warn(details, message);
  }
}

/** Every running call listens to the signal of the lease, so there may be many listeners. */
function leaseController(): AbortController {
  const controller = new AbortController();
  setMaxListeners(0, controller.signal);
  return controller;
}
