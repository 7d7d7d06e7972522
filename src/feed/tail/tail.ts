/**
 * The one reader of the log in a node: it decides when the log is read. It reads when woken, polls as a
 * safety net, takes pushed rows that follow its position without a gap, and resumes at its position after
 * an outage of the database. The rules: docs/feed.md, "Waking readers".
 */
import type { OwnConnection } from '../../store/database/own-connection.ts';
import type { PushedRevision } from '../../store/log/notification.ts';
import { backOff } from '../../timing/back-off.ts';
import { waitAtMost } from '../../timing/time-limit.ts';
import { createTokenBucket } from '../../timing/token-bucket.ts';
import { type BlockedReport, createBlockedReport } from './blocked-report.ts';
import { LogReader, type LogReaderHooks } from './log-reader.ts';
import { createPauses } from './pause.ts';
import { createPushedRows } from './pushed-rows.ts';

export interface TailHooks extends LogReaderHooks {
  /** A revision that was published did not arrive and had to be read. */
  onPushMissed(): void;
  onError(error: unknown): void;
}

export interface Tail {
  start(): void;
  stop(): Promise<void>;
  /** The log may have grown. */
  wake(): void;
  /** A published revision arrived. The log is read only if an earlier revision is missing. */
  push(pushed: PushedRevision): void;
  /** A revision was committed and published; it is read if it does not arrive. */
  expect(revision: number): void;
  /** Resolves when a read that began after the call has been processed; rejects when it fails. */
  readThrough(): Promise<void>;
}

/**
 * Time since the last read or the last pushed row that was delivered: a revision missed before it would
 * have shown as a gap. The store itself (its epoch) is checked by a read at least every `revalidateMs`.
 */
const safetyPollMs = 250;
const revalidateMs = 1000;
/** Under load one read covers 4 ms of commits; a single commit is read at once. */
const readRate = { perSecond: 250, burst: 10 };
/** Wait between reads while a gap is undecided: a rollback sends no notification. */
const gapBackOffMs = { first: 2, max: 50 };
const failureBackOffMs = { first: 50, max: 2000, jitter: 0.5 };
/** Delay of the read that checks the store after pushed rows that were not new. */
const revalidateSoonMs = 20;
/** How long a published revision is awaited before it is read. */
const pushTimeoutMs = 10;
/** A read that the database does not answer is abandoned this long after the stop. */
const maxStopMs = 2000;

/** Makes a tail; `start` begins to read. */
export function createTail(database: OwnConnection, hooks: TailHooks): Tail {
  return new LogTail(database, hooks);
}

interface PendingRead {
  resolve(): void;
  reject(error: unknown): void;
}

class LogTail implements Tail {
  readonly #database: OwnConnection;
  readonly #hooks: TailHooks;
  readonly #reader: LogReader;
  readonly #pauses = createPauses();
  readonly #bucket = createTokenBucket(readRate);
  readonly #pushedRows = createPushedRows({
    onDue: () => this.#takePushed(),
    onDropped: () => this.wake(),
  });
  readonly #blockedReport: BlockedReport;
  /** Resolvers of reads that must begin after the call of `readThrough`. */
  #pendingReads: PendingRead[] = [];
  #loop: Promise<void> | null = null;
  #isStopped = false;
  #isReading = false;
  #revalidation: NodeJS.Timeout | null = null;
  #pushedAt = 0;
  /** Consecutive reads that failed, and that ended at a gap. */
  #failures = 0;
  #gaps = 0;

  constructor(database: OwnConnection, hooks: TailHooks) {
    this.#database = database;
    this.#hooks = hooks;
    this.#reader = new LogReader(database, hooks);
    this.#blockedReport = createBlockedReport(hooks.onError);
  }

  start(): void {
    this.#loop ??= this.#run();
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    if (this.#revalidation) clearTimeout(this.#revalidation);
    this.#pauses.stop();
    await waitAtMost(maxStopMs, this.#loop);
  }

  wake(): void {
    this.#pauses.wake();
  }

  push(pushed: PushedRevision): void {
    this.#pushedRows.add(pushed);
  }

  expect(revision: number): void {
    this.#readUnlessReached(revision, pushTimeoutMs, this.#hooks.onPushMissed);
  }

  readThrough(): Promise<void> {
    if (this.#isStopped) return Promise.reject(new Error('The feed has stopped.'));
    return new Promise((resolve, reject) => {
      this.#pendingReads.push({ resolve, reject });
      this.wake();
    });
  }

  async #run(): Promise<void> {
    while (!this.#isStopped) {
      this.#pauses.begin();
      const served = this.#pendingReads;
      this.#pendingReads = [];
      try {
        await this.#read();
        if (this.#reader.position !== null) for (const { resolve } of served) resolve();
        else this.#pendingReads.unshift(...served);
        await this.#pauseAfterRead();
      } catch (error) {
        for (const { reject } of served) reject(error);
        await this.#pauseAfterFailure(error);
      }
    }
    for (const { reject } of this.#pendingReads.splice(0))
      reject(new Error('The feed has stopped.'));
  }

  async #read(): Promise<void> {
    this.#isReading = true;
    try {
      await this.#reader.read(() => this.#isStopped);
    } finally {
      this.#isReading = false;
    }
    this.#pushedRows.dropThrough(this.#reader.position ?? 0);
    if (this.#pushedRows.waiting.length > 0) this.#takePushed();
    this.#failures = 0;
    this.#gaps = this.#reader.isBlocked ? this.#gaps + 1 : 0;
    this.#blockedReport.observe(this.#reader.position ?? 0, this.#gaps > 0, this.#reader.writers);
  }

  async #pauseAfterRead(): Promise<void> {
    const readAt = performance.now();
    const pauseMs = this.#gaps > 0 ? backOff(gapBackOffMs, this.#gaps - 1) : safetyPollMs;
    await this.#pauses.pause(this.#bucket.take(), { wakes: false });
    await this.#pauses.pause(pauseMs, { wakes: true });
    if (this.#gaps > 0) return;
    // Rows that were pushed meanwhile stand for a read, up to a time.
    const msUntilRead = () =>
      Math.min(this.#pushedAt + safetyPollMs, readAt + revalidateMs) - performance.now();
    while (!this.#isStopped && !this.#pauses.isWoken && msUntilRead() > 0)
      await this.#pauses.pause(msUntilRead(), { wakes: true });
  }

  async #pauseAfterFailure(error: unknown): Promise<void> {
    const pauseMs = backOff(failureBackOffMs, this.#failures);
    this.#failures += 1;
    this.#database.renew();
    this.#hooks.onError(error);
    await this.#pauses.pause(pauseMs, { wakes: false });
  }

  /**
   * Hands over pushed rows that are decided. Rows behind a gap wait a moment for the missing revision, then
   * the log is read.
   */
  #takePushed(): void {
    // The read in progress started at the present position.
    if (this.#isStopped || this.#isReading) return;
    const from = this.#reader.position;
    try {
      const taken = this.#reader.takePushed(this.#pushedRows.waiting);
      if (!taken) {
        this.#pushedRows.clear();
        this.wake();
        return;
      }
      // A read was faster, or the store went back in time. The former is frequent, so the check is delayed.
      if (!taken.areAllNew) this.#revalidateSoon();
      const position = this.#reader.position ?? 0;
      const hasMoved = position > (from ?? 0);
      if (hasMoved) this.#pushedAt = performance.now();
      this.#pushedRows.dropThrough(position);
      if (this.#pushedRows.waiting.length > 0)
        this.#readUnlessReached(taken.through, gapBackOffMs.first);
      // Revisions that an earlier read saw follow, and were not pushed.
      else if (hasMoved && this.#reader.isBlocked) this.wake();
    } catch (error) {
      this.#hooks.onError(error);
      this.wake();
    }
  }

  #revalidateSoon(): void {
    this.#revalidation ??= setTimeout(() => {
      this.#revalidation = null;
      this.wake();
    }, revalidateSoonMs);
  }

  /** Reads after `ms` unless the position has reached the revision; calls `onMissed` if it was not pushed. */
  #readUnlessReached(revision: number, ms: number, onMissed?: () => void): void {
    setTimeout(() => {
      if (this.#isStopped || (this.#reader.position ?? -1) >= revision) return;
      if (!this.#pushedRows.has(revision)) onMissed?.();
      this.wake();
    }, ms);
  }
}
