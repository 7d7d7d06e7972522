/**
 * The one reader of the log in a node. It reads when woken, polls as a safety net, takes pushed rows that
 * follow its position without a gap, and resumes at its position after an outage of the database.
 *
 * The rules: docs/feed.md, "Reading the log without losing or reordering".
 */

import type { OwnConnection } from '../../store/database/own-connection.ts';
import { within } from '../../store/database/time-limit.ts';
import { renewEpoch } from '../../store/log/epoch.ts';
import {
  type LogRow,
  readIdentity,
  readLogHolders,
  readLogNewest,
  readLogTail,
  type StoreIdentity,
} from '../../store/log/log.ts';
import type { PushedRevision } from '../../store/log/notification.ts';
import { backOff } from '../../timing/back-off.ts';
import { waitAtMost } from '../../timing/time-limit.ts';
import { createTokenBucket } from '../../timing/token-bucket.ts';
import { createPushedRows, rowsOf } from './pushed-rows.ts';
import { advance, advanceAlone, hasGap, type ReaderState, readerAt } from './reader.ts';
import { createWaiting } from './waiting.ts';

export interface TailHooks {
  /**
   * The tail begins, or begins again because rows were pruned or the store is another one. `recent` are
   * the newest rows up to the position, complete revisions, from which clients that resume are served.
   */
  onBegin(identity: StoreIdentity, position: number, recent: readonly LogRow[]): void;
  /** Everything up to the position is decided; `rows` were committed since the previous call. */
  onAdvance(rows: readonly LogRow[], position: number): void;
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
  fresh(): Promise<void>;
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
const READ_SECONDS = 10;
/** Delay of the read that checks the store after pushed rows that were not new. */
const revalidateSoonMs = 20;
/** How long a published revision is awaited before it is read. */
const pushTimeoutMs = 10;
const PAGE_ROWS = 1000;
/** Rows from before the start that are kept in memory. */
const RECENT_ROWS = 5000;

/** Makes a tail; `start` begins to read. */
export function createTail(database: OwnConnection, hooks: TailHooks): Tail {
  const alone = database.kind === 'PGLITE';
  const bucket = createTokenBucket(readRate);
  const pushedRows = createPushedRows({ onDue: takePushed, onDropped: wake });
  const waiting = createWaiting(hooks.onError);
  let state: ReaderState | null = null;
  let identity: StoreIdentity | null = null;
  /** The writers at the start: revisions up to the identity's newest may be theirs. */
  let writersAtStart: Set<string> | null = null;
  let waiters: { resolve: () => void; reject: (error: unknown) => void }[] = [];
  let loop: Promise<void> | null = null;
  let stopped = false;
  let woken = false;
  let endPause: (() => void) | null = null;
  let revalidation: NodeJS.Timeout | null = null;
  let isReading = false;
  /** The writers at the last read. */
  let writers: readonly string[] = [];
  let pushedAt = 0;

  /** True once the decided position is known: when the writers at the start have ended. */
  async function begin(): Promise<boolean> {
    if (!identity || !writersAtStart) {
      identity = await within(READ_SECONDS, readIdentity(database));
      writersAtStart = new Set(alone ? [] : await within(READ_SECONDS, readLogHolders(database)));
    } else {
      const writing = new Set(await within(READ_SECONDS, readLogHolders(database)));
      for (const writer of writersAtStart) if (!writing.has(writer)) writersAtStart.delete(writer);
    }
    writers = [...writersAtStart];
    if (writers.length > 0) return false;
    await beginAt(identity, identity.newest);
    return true;
  }

  async function beginAt(store: StoreIdentity, position: number): Promise<void> {
    const recent = await within(READ_SECONDS, readLogNewest(database, position, RECENT_ROWS));
    identity = store;
    writersAtStart = null;
    state = readerAt(position);
    hooks.onBegin(store, position, recent);
  }

  /** Reads until nothing more can be delivered now. */
  async function read(): Promise<void> {
    for (;;) {
      if (!state || !identity) {
        if (!(await begin())) return;
        continue;
      }
      const looked = hasGap(state) && !alone;
      const holders = looked ? await within(READ_SECONDS, readLogHolders(database)) : null;
      const page = await within(
        READ_SECONDS,
        readLogTail(database, { above: state.position, limit: PAGE_ROWS }),
      );
      if (stopped) return;
      writers = holders ?? [];
      if (page.epoch !== identity.epoch) {
        state = identity = writersAtStart = null;
        continue;
      }
      if (page.newest < state.position) {
        // The store went back in time with an unchanged epoch.
        await within(READ_SECONDS, renewEpoch(database, identity.epoch));
        state = identity = writersAtStart = null;
        continue;
      }
      if (page.prunedThrough > state.position) {
        await beginAt(identity, page.prunedThrough);
        continue;
      }
      const snapshot = { revisions: page.rows.map(({ revision }) => revision), full: page.full };
      const next = alone ? advanceAlone(state, snapshot) : advance(state, holders, snapshot);
      const moved = next.position > state.position;
      state = next;
      if (moved) {
        const rows = page.rows.filter(({ revision }) => revision <= next.position);
        handOn(rows, next.position);
      }
      if (page.full && moved) continue;
      if (!hasGap(next) || looked) return;
    }
  }

  /** A follower that fails must not lose rows: all followers begin again. */
  function handOn(rows: readonly LogRow[], position: number): void {
    try {
      hooks.onAdvance(rows, position);
    } catch (error) {
      state = identity = writersAtStart = null;
      throw error;
    }
  }

  /**
   * Delivers pushed rows: those that follow the position without a gap are decided. Rows behind a gap wait a
   * moment for the missing revision, then the log is read. The log is also read if the epoch differs.
   */
  function takePushed(): void {
    // The read under way starts at the present position.
    if (stopped || isReading) return;
    const pushed = pushedRows.waiting;
    if (!state || pushed.some(({ epoch }) => epoch !== identity?.epoch)) {
      pushedRows.clear();
      wake();
      return;
    }
    const from = state.position;
    const all = rowsOf(pushed);
    const rows = all.filter(({ revision }) => revision > from);
    // A read was faster, or the store went back in time. The former is frequent, so the check is delayed.
    if (rows.length < all.length) revalidateSoon();
    const revisions = rows.map(({ revision }) => revision);
    state = advance(state, null, { revisions, full: false });
    const through = state.position;
    pushedRows.dropThrough(through);
    if (pushedRows.waiting.length > 0) wakeWithout(revisions.at(-1) ?? 0, gapBackOffMs.first);
    // Revisions that a read saw earlier follow, and were not pushed.
    else if (through > from && hasGap(state)) wake();
    if (through === from) return;
    pushedAt = performance.now();
    try {
      handOn(
        rows.filter(({ revision }) => revision <= through),
        through,
      );
    } catch (error) {
      hooks.onError(error);
      wake();
    }
  }

  function revalidateSoon(): void {
    revalidation ??= setTimeout(() => {
      revalidation = null;
      wake();
    }, revalidateSoonMs);
  }

  /** Reads after `ms` unless the position has reached the revision; calls `onMissed` if it was not pushed. */
  function wakeWithout(revision: number, ms: number, onMissed?: () => void): void {
    setTimeout(() => {
      if (stopped || (state && state.position >= revision)) return;
      if (!pushedRows.has(revision)) onMissed?.();
      wake();
    }, ms);
  }

  async function run(): Promise<void> {
    let failures = 0;
    let gaps = 0;
    while (!stopped) {
      woken = false;
      const served = waiters;
      waiters = [];
      let pauseMs = safetyPollMs;
      try {
        isReading = true;
        await read().finally(() => {
          isReading = false;
        });
        pushedRows.dropThrough(state?.position ?? 0);
        if (pushedRows.waiting.length > 0) takePushed();
        failures = 0;
        if (state) for (const { resolve } of served) resolve();
        else waiters.unshift(...served);
        gaps = !state || hasGap(state) ? gaps + 1 : 0;
        if (gaps > 0) pauseMs = backOff(gapBackOffMs, gaps - 1);
        waiting.look(state?.position ?? 0, gaps > 0, writers);
      } catch (error) {
        for (const { reject } of served) reject(error);
        pauseMs = backOff(failureBackOffMs, failures);
        failures += 1;
        database.renew();
        hooks.onError(error);
        await pause(pauseMs, false);
        continue;
      }
      const readAt = performance.now();
      await pause(bucket.take(), false);
      await pause(pauseMs, true);
      const msUntilPoll = () =>
        Math.min(pushedAt + safetyPollMs, readAt + revalidateMs) - performance.now();
      while (!stopped && !woken && gaps === 0 && msUntilPoll() > 0)
        await pause(msUntilPoll(), true);
    }
    for (const { reject } of waiters) reject(new Error('The feed has stopped.'));
    waiters = [];
  }

  /** Waits `ms`, or with `wakes` until woken. */
  function pause(ms: number, wakes: boolean): Promise<void> {
    if (stopped || ms <= 0 || (wakes && woken)) return Promise.resolve();
    return new Promise((resolve) => {
      const end = () => {
        clearTimeout(timer);
        endPause = null;
        resolve();
      };
      const timer = setTimeout(end, ms);
      endPause = () => {
        if (wakes || stopped) end();
      };
    });
  }

  function wake(): void {
    woken = true;
    endPause?.();
  }

  return {
    start() {
      loop ??= run();
    },
    async stop() {
      stopped = true;
      if (revalidation) clearTimeout(revalidation);
      endPause?.();
      // A read that the database does not answer is abandoned.
      await waitAtMost(2000, loop);
    },
    wake,
    push: pushedRows.add,
    expect: (revision) => wakeWithout(revision, pushTimeoutMs, hooks.onPushMissed),
    fresh() {
      if (stopped) return Promise.reject(new Error('The feed has stopped.'));
      return new Promise((resolve, reject) => {
        waiters.push({ resolve, reject });
        wake();
      });
    },
  };
}
