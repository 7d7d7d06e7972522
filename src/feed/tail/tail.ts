/**
 * The one reader of the log in a node: it reads when woken, polls as the net, and goes on from where
 * it was when the database has been away.
 */

import type { Reader } from '../../store/database/own-connection.ts';
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
import type { Shown } from '../../store/log/notification.ts';
import { createPace } from '../../store/log/token-bucket.ts';
import { createOffers, rowsOf } from './pushed-rows.ts';
import { advance, advanceAlone, hasGap, type ReaderState, readerAt } from './reader.ts';
import { createWaiting } from './waiting.ts';

export interface TailHooks {
  /**
   * The tail begins here, or anew: rows between are gone, or the store is another. `recent` are the
   * newest rows up to the position, whole revisions, so that who comes back need not read the table.
   */
  onBegin(identity: StoreIdentity, position: number, recent: readonly LogRow[]): void;
  /** Everything up to the position is decided; these rows are what was committed since the last. */
  onAdvance(rows: readonly LogRow[], position: number): void;
  /** A revision that was to be offered had to be read. */
  onUnmet(): void;
  onError(error: unknown): void;
}

export interface Tail {
  start(): void;
  stop(): Promise<void>;
  /** The log may have grown. */
  wake(): void;
  /** It has, by a revision among others. Read only where one before it is missing. */
  offer(shown: Shown): void;
  /** A revision is committed and about to be offered; read if it is not. */
  expect(revision: number): void;
  /** Resolves when a read that began after the call is taken in; rejects when it fails. */
  fresh(): Promise<void>;
}

/**
 * Behind the last read, or the last offer that was handed on: what was missed before it would have been
 * a gap. But a read makes sure of the store itself now and then.
 */
const POLL_MS = 250;
const SURE_MS = 1000;
/** Under load each read takes in what came up in 4 ms; what comes now and then is read at once. */
const PACE = { perSecond: 250, atOnce: 10 };
/** While a gap waits for a transaction; nobody tells when that rolls back. */
const GAP_MS = { first: 2, most: 50 };
const RETRY_MS = { first: 50, most: 2000 };
const READ_SECONDS = 10;
/** Until a read that makes sure. */
const SOON_MS = 20;
/** Until a revision is read that was to be offered. */
const EXPECTED_MS = 10;
const PAGE_ROWS = 1000;
/** Kept from before the start. */
const RECENT_ROWS = 5000;

/** Makes a tail; `start` begins to read. */
export function createTail(database: Reader, hooks: TailHooks): Tail {
  const alone = database.kind === 'PGLITE';
  const pace = createPace(PACE);
  const offers = createOffers({ onDue: takeOffers, onDropped: wake });
  const waiting = createWaiting(hooks.onError);
  let state: ReaderState | null = null;
  let identity: StoreIdentity | null = null;
  /** Who was writing when the tail came: revisions up to the identity's newest may be theirs. */
  let writersAtStart: Set<string> | null = null;
  let waiters: { resolve: () => void; reject: (error: unknown) => void }[] = [];
  let loop: Promise<void> | null = null;
  let stopped = false;
  let woken = false;
  let endPause: (() => void) | null = null;
  let soon: NodeJS.Timeout | null = null;
  let isReading = false;
  /** Who was writing in the last look. */
  let writers: readonly string[] = [];
  let offeredAt = 0;

  /** True once it is known up to where everything is decided: when who was writing has ended. */
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
        // It went back in time without becoming another one to look at.
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

  /** A follower that fails must not lose what it was told: all begin anew. */
  function handOn(rows: readonly LogRow[], position: number): void {
    try {
      hooks.onAdvance(rows, position);
    } catch (error) {
      state = identity = writersAtStart = null;
      throw error;
    }
  }

  /**
   * Hands on what was offered: what follows the position without a gap is decided. What is behind a gap
   * waits a moment for what fills it, then all is read, as it is where the store is another one by now.
   */
  function takeOffers(): void {
    // What is read now was asked for from the present position on.
    if (stopped || isReading) return;
    const offered = offers.waiting;
    if (!state || offered.some(({ epoch }) => epoch !== identity?.epoch)) {
      offers.clear();
      wake();
      return;
    }
    const from = state.position;
    const all = rowsOf(offered);
    const rows = all.filter(({ revision }) => revision > from);
    // A read was quicker, or the store has gone back: not for every one of the former.
    if (rows.length < all.length) wakeSoon();
    const revisions = rows.map(({ revision }) => revision);
    state = advance(state, null, { revisions, full: false });
    const through = state.position;
    offers.dropThrough(through);
    if (offers.waiting.length > 0) wakeWithout(revisions.at(-1) ?? 0, GAP_MS.first);
    // Behind it is what was seen before, and was not offered.
    else if (through > from && hasGap(state)) wake();
    if (through === from) return;
    offeredAt = performance.now();
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

  function wakeSoon(): void {
    soon ??= setTimeout(() => {
      soon = null;
      wake();
    }, SOON_MS);
  }

  /** Reads after a while where the position has not reached a revision; `unmet` hears if it is unheard of. */
  function wakeWithout(revision: number, ms: number, unmet?: () => void): void {
    setTimeout(() => {
      if (stopped || (state && state.position >= revision)) return;
      if (!offers.has(revision)) unmet?.();
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
      let pauseMs = POLL_MS;
      try {
        isReading = true;
        await read().finally(() => {
          isReading = false;
        });
        offers.dropThrough(state?.position ?? 0);
        if (offers.waiting.length > 0) takeOffers();
        failures = 0;
        if (state) for (const { resolve } of served) resolve();
        else waiters.unshift(...served);
        gaps = !state || hasGap(state) ? gaps + 1 : 0;
        if (gaps > 0) pauseMs = Math.min(GAP_MS.most, GAP_MS.first * 2 ** (gaps - 1));
        waiting.look(state?.position ?? 0, gaps > 0, writers);
      } catch (error) {
        for (const { reject } of served) reject(error);
        pauseMs = Math.min(RETRY_MS.most, RETRY_MS.first * 2 ** failures) * (1 - Math.random() / 2);
        failures += 1;
        database.renew();
        hooks.onError(error);
        await pause(pauseMs, false);
        continue;
      }
      const readAt = performance.now();
      await pause(pace.take(), false);
      await pause(pauseMs, true);
      const isSure = () => Math.min(offeredAt + POLL_MS, readAt + SURE_MS) - performance.now();
      while (!stopped && !woken && gaps === 0 && isSure() > 0) await pause(isSure(), true);
    }
    for (const { reject } of waiters) reject(new Error('The feed has stopped.'));
    waiters = [];
  }

  /** Waits; where it may be woken, no longer than until then. */
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
      if (soon) clearTimeout(soon);
      endPause?.();
      // A read that the database does not answer is left to its own.
      await within(2, loop ?? Promise.resolve()).catch(() => {});
    },
    wake,
    offer: offers.add,
    expect: (revision) => wakeWithout(revision, EXPECTED_MS, hooks.onUnmet),
    fresh() {
      if (stopped) return Promise.reject(new Error('The feed has stopped.'));
      return new Promise((resolve, reject) => {
        waiters.push({ resolve, reject });
        wake();
      });
    },
  };
}
