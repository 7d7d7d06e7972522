/**
 * The advisory lock that a worker holds beside its lease. PostgreSQL frees it when the connection
 * that took it ends, so peers notice a dead process at once. A living worker that loses the lock
 * records that, and takes it again. If it was declared dead meanwhile, its tokens are refused and
 * it stops. Where sessions are not kept (PGlite, a pooler in between) the heartbeat alone decides.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { Store } from '../store/commit/store.ts';
import type { Session } from '../store/database/database.ts';
import { withDatabaseTimeout } from '../store/database/time-limit.ts';
import { disclaimLock, type Peer, takeLock, unlockedPeers } from '../store/work/workers.ts';
import { backOff } from '../timing/back-off.ts';

export interface WorkerLockOptions {
  readonly workerId: number;
  /** Age of a session before it judges peers: when it was opened, all may have lost their locks. */
  readonly minSessionAgeMs: number;
  /**
   * A peer whose row says that it holds its lock does not hold it, and its heartbeat has not changed
   * since that was first seen.
   */
  onGone(peer: Peer): Promise<void>;
  /** Peers declared this worker dead. */
  onRevoked(): void;
  readonly log: { warn(details: object, message: string): void };
}

export interface WorkerLock {
  /** Are peers judged by their locks at present? */
  readonly isWatching: boolean;
  close(): Promise<void>;
}

const peerPollMs = 250;
/**
 * Looks in a row that must find the lock of a peer free and its beat unchanged, and the pause between them:
 * time for a living peer that has lost its lock to notice and to record that. On a busy machine a backend
 * frees its locks some 100 ms before its client sees the connection end.
 */
const looks = 4;
const suspectPollMs = 100;
const retryBackOffMs = { first: 50, max: 2_000 };
/** A connection that was cut silently never answers, so queries are limited in time. */
const answerSeconds = 2;

const pause = (ms: number): Promise<void> => delay(ms, undefined, { ref: false });

/** Takes the lock of a worker, holds it, and watches the locks of its peers, until it is closed. */
export function holdLock(store: Store, options: WorkerLockOptions): WorkerLock {
  const { openSession } = store.database;
  if (!openSession) return { isWatching: false, close: async () => undefined };
  const { workerId, log } = options;
  let session: Session | null = null;
  let closed = false;
  let isWatching = false;
  let close = (): void => undefined;
  const closing = new Promise<void>((resolve) => {
    close = resolve;
  });

  /**
   * Watches until the session ends. False: statements reach changing backends, so there is no
   * session.
   */
  const watch = async (own: Session, backend: number): Promise<boolean> => {
    const begun = performance.now();
    let suspects = new Map<number, { beat: number; seen: number }>();
    while (!closed) {
      const seen = await withDatabaseTimeout(answerSeconds, unlockedPeers(own, workerId));
      if (seen.backend !== backend) return false;
      isWatching = performance.now() - begun >= options.minSessionAgeMs;
      const peers = isWatching ? seen.peers : [];
      suspects = new Map(
        peers.map(({ id, beat }) => {
          const before = suspects.get(id);
          return [id, { beat, seen: before?.beat === beat ? before.seen + 1 : 1 }];
        }),
      );
      for (const peer of peers) {
        if ((suspects.get(peer.id)?.seen ?? 0) >= looks) await options.onGone(peer);
      }
      await Promise.race([pause(suspects.size > 0 ? suspectPollMs : peerPollMs), own.ended]);
    }
    return true;
  };

  const hold = async (): Promise<void> => {
    let isKept = true;
    for (let failures = 0; isKept && !closed; failures += 1) {
      session = openSession();
      try {
        const backend = await withDatabaseTimeout(answerSeconds, takeLock(session, workerId));
        if (backend !== null) {
          failures = 0;
          isKept = await watch(session, backend);
        }
      } catch {
        // The session ended or does not answer; open another one.
      }
      isWatching = false;
      session.close();
      if (closed) return;
      const disclaimed = withDatabaseTimeout(answerSeconds, disclaimLock(store, workerId));
      if (!(await disclaimed.catch(() => true))) return options.onRevoked();
      if (failures > 0) await Promise.race([pause(backOff(retryBackOffMs, failures)), closing]);
    }
    if (!isKept)
      log.warn(
        { worker: workerId },
        'the database connection keeps no session (a pooler?); peers detect a dead worker by heartbeat alone',
      );
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
