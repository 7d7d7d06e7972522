/**
 * The lock that a worker holds beside its lease. PostgreSQL frees it when the connection ends that took
 * it, so that peers see at once that a process is gone. A worker that lives and loses it says so, and
 * takes it again; were it taken for dead meanwhile, tokens refuse what it still does, and it stops.
 * Where no session is kept (PGlite, a pooler in between) the lease alone decides.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { Store } from '../store/commit/store.ts';
import type { Session } from '../store/database/database.ts';
import { within } from '../store/database/time-limit.ts';
import { disclaimLock, type Peer, takeLock, unlockedPeers } from '../store/work/workers.ts';

export interface WorkerLockOptions {
  readonly epoch: number;
  /** Nobody is judged before a session is so old: when it was made, all may have lost theirs. */
  readonly settleMs: number;
  /** A peer that said that it holds its lock does not, nor has it beaten since that was seen first. */
  onGone(peer: Peer): Promise<void>;
  /** Peers took this worker for dead. */
  onBuried(): void;
  readonly log: { warn(details: object, message: string): void };
}

export interface WorkerLock {
  /** Are peers judged by their locks now? */
  readonly isWatching: boolean;
  close(): Promise<void>;
}

const LOOK_MS = 250;
/** A peer that has lost its lock and lives says so before this is over. */
const CONFIRM_MS = 100;
const RETRY_MS = 50;
const MAX_RETRY_MS = 2_000;
/** A connection that was cut without a word answers never; it is not waited for. */
const ANSWER_SECONDS = 2;

const pause = (ms: number): Promise<void> => delay(ms, undefined, { ref: false });

/** Takes the lock of a worker, holds it, and watches those of its peers, until it is closed. */
export function holdLock(store: Store, options: WorkerLockOptions): WorkerLock {
  const { openSession } = store.database;
  if (!openSession) return { isWatching: false, close: async () => undefined };
  const { epoch, log } = options;
  let session: Session | null = null;
  let closed = false;
  let isWatching = false;
  let close = (): void => undefined;
  const closing = new Promise<void>((resolve) => {
    close = resolve;
  });

  /** Looks until the session ends. False: statements go to changing backends, so it is none. */
  const watch = async (own: Session, backend: number): Promise<boolean> => {
    const begun = performance.now();
    let suspects = new Map<number, number>();
    while (!closed) {
      const seen = await within(ANSWER_SECONDS, unlockedPeers(own, epoch));
      if (seen.backend !== backend) return false;
      isWatching = performance.now() - begun >= options.settleMs;
      const peers = isWatching ? seen.peers : [];
      for (const peer of peers) {
        if (suspects.get(peer.epoch) === peer.beat) await options.onGone(peer);
      }
      suspects = new Map(peers.map((peer) => [peer.epoch, peer.beat]));
      await Promise.race([pause(suspects.size > 0 ? CONFIRM_MS : LOOK_MS), own.ended]);
    }
    return true;
  };

  const hold = async (): Promise<void> => {
    let isKept = true;
    for (let failures = 0; isKept && !closed; failures += 1) {
      session = openSession();
      try {
        const backend = await within(ANSWER_SECONDS, takeLock(session, epoch));
        if (backend !== null) {
          failures = 0;
          isKept = await watch(session, backend);
        }
      } catch {
        // It ended, or does not answer: another one.
      }
      isWatching = false;
      session.close();
      if (closed) return;
      const disclaimed = within(ANSWER_SECONDS, disclaimLock(store, epoch));
      if (!(await disclaimed.catch(() => true))) return options.onBuried();
      const wait = Math.min(MAX_RETRY_MS, RETRY_MS * 2 ** failures);
      if (failures > 0) await Promise.race([pause(wait), closing]);
    }
    if (!isKept) log.warn({ worker: epoch }, 'no session is kept; peers go by the lease alone');
  };
  const holding = hold();

  return {
    get isWatching() {
      return isWatching;
    },
    async close() {
      closed = true;
      close();
      session?.close();
      await holding;
    },
  };
}
