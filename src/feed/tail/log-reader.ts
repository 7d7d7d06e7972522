/**
 * Reads the log from its position on and hands over the rows that are decided. When to read is up to
 * tail.ts. The rules: docs/feed.md, "Reading the log without losing or reordering".
 */
import type { OwnConnection } from '../../store/database/own-connection.ts';
import { withDatabaseTimeout } from '../../store/database/time-limit.ts';
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
import { advance, advanceAlone, hasGap, type ReaderState, readerAt } from './log-order.ts';
import { rowsOf } from './pushed-rows.ts';

export interface LogReaderHooks {
  /**
   * The position is established, or established again because rows were pruned or the store is another
   * one. `recent` are the newest rows up to the position, complete revisions, from which clients that
   * resume are served.
   */
  onBegin(identity: StoreIdentity, position: number, recent: readonly LogRow[]): void;
  /** Everything up to the position is decided; `rows` were committed since the previous call. */
  onAdvance(rows: readonly LogRow[], position: number): void;
}

const maxReadSeconds = 10;
const pageRows = 1000;
/** Rows from before the start that are kept in memory. */
const maxRecentRows = 5000;

/** What the reader knows of the store. */
type Progress =
  | { readonly phase: 'UNKNOWN' }
  /** Revisions up to the identity's newest may belong to the writers of that moment. */
  | { readonly phase: 'BEGINNING'; readonly identity: StoreIdentity; writers: ReadonlySet<string> }
  | { readonly phase: 'READING'; readonly identity: StoreIdentity; state: ReaderState };

export class LogReader {
  readonly #database: OwnConnection;
  readonly #hooks: LogReaderHooks;
  /** On one connection the order of revisions is the order of commits, and nothing holds the lock. */
  readonly #isAlone: boolean;
  #progress: Progress = { phase: 'UNKNOWN' };
  /** The transactions that the last read found to hold the lock of the log. */
  #writers: readonly string[] = [];

  constructor(database: OwnConnection, hooks: LogReaderHooks) {
    this.#database = database;
    this.#hooks = hooks;
    this.#isAlone = database.kind === 'PGLITE';
  }

  /** Everything up to here was handed over; null before the position is established. */
  get position(): number | null {
    return this.#progress.phase === 'READING' ? this.#progress.state.position : null;
  }

  /** Rows are visible that are not decided, or the position is not established. */
  get isBlocked(): boolean {
    return this.#progress.phase !== 'READING' || hasGap(this.#progress.state);
  }

  get writers(): readonly string[] {
    return this.#writers;
  }

  /** Reads until nothing more can be handed over now. */
  async read(isStopped: () => boolean): Promise<void> {
    for (let goesOn = true; goesOn; ) {
      goesOn = await (this.#progress.phase === 'READING'
        ? this.#readPage(this.#progress, isStopped)
        : this.#begin(this.#progress));
    }
  }

  /**
   * Hands over pushed rows that follow the position without a gap. Returns the highest pushed revision, or
   * null if the log has to be read: the position is not established, or the rows are of another epoch.
   */
  takePushed(pushed: readonly PushedRevision[]): { through: number; areAllNew: boolean } | null {
    const progress = this.#progress;
    if (progress.phase !== 'READING') return null;
    if (pushed.some(({ epoch }) => epoch !== progress.identity.epoch)) return null;
    const from = progress.state.position;
    const all = rowsOf(pushed);
    const rows = all.filter(({ revision }) => revision > from);
    const revisions = rows.map(({ revision }) => revision);
    progress.state = advance(progress.state, null, { revisions, full: false });
    const { position } = progress.state;
    if (position > from) {
      this.#handOver(
        rows.filter(({ revision }) => revision <= position),
        position,
      );
    }
    return { through: revisions.at(-1) ?? 0, areAllNew: rows.length === all.length };
  }

  /** Establishes the position once the writers of the first look have ended; false: they have not. */
  async #begin(progress: Exclude<Progress, { phase: 'READING' }>): Promise<boolean> {
    const identity =
      progress.phase === 'BEGINNING'
        ? progress.identity
        : await withDatabaseTimeout(maxReadSeconds, readIdentity(this.#database));
    const now = this.#isAlone ? [] : await this.#holders();
    const writers =
      progress.phase === 'BEGINNING' ? now.filter((writer) => progress.writers.has(writer)) : now;
    this.#progress = { phase: 'BEGINNING', identity, writers: new Set(writers) };
    this.#writers = writers;
    if (writers.length > 0) return false;
    await this.#beginAt(identity, identity.newest);
    return true;
  }

  async #beginAt(identity: StoreIdentity, position: number): Promise<void> {
    const recent = await withDatabaseTimeout(
      maxReadSeconds,
      readLogNewest(this.#database, position, maxRecentRows),
    );
    this.#progress = { phase: 'READING', identity, state: readerAt(position) };
    this.#hooks.onBegin(identity, position, recent);
  }

  /** Reads one page; true: there is more to read now. */
  async #readPage(
    progress: Extract<Progress, { phase: 'READING' }>,
    isStopped: () => boolean,
  ): Promise<boolean> {
    const { identity, state } = progress;
    const looksAtLock = hasGap(state) && !this.#isAlone;
    const holders = looksAtLock ? await this.#holders() : null;
    const page = await withDatabaseTimeout(
      maxReadSeconds,
      readLogTail(this.#database, { above: state.position, limit: pageRows }),
    );
    if (isStopped()) return false;
    this.#writers = holders ?? [];
    if (page.epoch !== identity.epoch) return this.#forget();
    if (page.newest < state.position) {
      // The store went back in time with an unchanged epoch.
      await withDatabaseTimeout(maxReadSeconds, renewEpoch(this.#database, identity.epoch));
      return this.#forget();
    }
    if (page.prunedThrough > state.position) {
      await this.#beginAt(identity, page.prunedThrough);
      return true;
    }
    const snapshot = { revisions: page.rows.map(({ revision }) => revision), full: page.full };
    const next = this.#isAlone ? advanceAlone(state, snapshot) : advance(state, holders, snapshot);
    progress.state = next;
    const hasMoved = next.position > state.position;
    if (hasMoved) {
      this.#handOver(
        page.rows.filter(({ revision }) => revision <= next.position),
        next.position,
      );
    }
    return (page.full && hasMoved) || (hasGap(next) && !looksAtLock);
  }

  #holders(): Promise<string[]> {
    return withDatabaseTimeout(maxReadSeconds, readLogHolders(this.#database));
  }

  /** The position is worth nothing any more: it is established anew. */
  #forget(): true {
    this.#progress = { phase: 'UNKNOWN' };
    return true;
  }

  /** If a follower fails, all followers begin again, so that no row is lost. */
  #handOver(rows: readonly LogRow[], position: number): void {
    try {
      this.#hooks.onAdvance(rows, position);
    } catch (error) {
      this.#forget();
      throw error;
    }
  }
}
