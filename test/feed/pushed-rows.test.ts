/**
 * A tail that is offered what commits tell of themselves: early, late, twice, in any order or not at
 * all, beside its own reads of the same log. Seeded: OFFER_RUNS and OFFER_SEED.
 */
import { setImmediate } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { createTail, type Tail } from '../../src/feed/tail/tail.ts';
import type { OwnConnection } from '../../src/store/database/own-connection.ts';
import type { LogRow, StoreIdentity } from '../../src/store/log/log.ts';
import { randomOf } from '../api/random.ts';

const runs = Number(process.env.OFFER_RUNS ?? 150);
const seed = Number(process.env.OFFER_SEED ?? Math.floor(Math.random() * 2 ** 31));

/** A log whose writers draw, commit and release when they are told; statements see it at some moment. */
class Log {
  readonly committed = new Map<number, LogRow[]>();
  readonly holders = new Set<string>();
  epoch = 'first';
  reads = 0;
  #drawn = 0;
  #paused: Promise<void> = Promise.resolve();
  readonly #random: (below: number) => number;

  constructor(random: (below: number) => number) {
    this.#random = random;
  }

  /** Milliseconds have passed, or none. */
  async turns(most: number): Promise<void> {
    for (let left = this.#random(most); left > 0; left -= 1) await setImmediate();
  }

  /** One transaction; its rows when it has committed, null when it has rolled back. */
  async write(name: string, count: number): Promise<LogRow[] | null> {
    this.holders.add(name);
    await this.turns(6);
    this.#drawn += 1;
    const revision = this.#drawn;
    await this.turns(12);
    const isCommitted = this.#random(5) > 0;
    const rows = Array.from(
      { length: count },
      (_, place) => ({ revision, place, sequence: revision * 10 + place }) as LogRow,
    );
    if (isCommitted) this.committed.set(revision, rows);
    await this.turns(3);
    this.holders.delete(name);
    return isCommitted ? rows : null;
  }

  get newest(): number {
    return Math.max(0, ...this.committed.keys());
  }

  get rows(): LogRow[] {
    return [...this.committed].sort(([a], [b]) => a - b).flatMap(([, rows]) => rows);
  }

  goBackTo(revision: number): void {
    for (const each of this.committed.keys()) if (each > revision) this.committed.delete(each);
    this.#drawn = revision;
  }

  /** No statement is answered until the function is called. */
  pause(): () => void {
    let answer = (): void => {};
    this.#paused = new Promise((resolve) => {
      answer = resolve;
    });
    return answer;
  }

  reader(): OwnConnection {
    const query = async (text: string, parameters: readonly unknown[] = []): Promise<unknown[]> => {
      this.reads += 1;
      await this.#paused;
      await this.turns(8);
      const answer = this.#answer(text, parameters);
      await this.turns(8);
      return answer;
    };
    return { kind: 'POSTGRES', query: query as OwnConnection['query'], renew() {}, close() {} };
  }

  #answer(text: string, [above]: readonly unknown[]): unknown[] {
    const { newest } = this;
    const state = { epoch: this.epoch, prunedThrough: 0, newest };
    if (text.includes('set epoch')) this.epoch = 'renewed';
    if (text.includes('pg_locks')) return [...this.holders].map((holder) => ({ holder }));
    if (text.includes('cursorSecret')) return [{ ...state, cursorSecret: 'secret' }];
    if (!text.includes('as materialized')) return [];
    const rows = this.rows.filter(({ revision }) => revision > Number(above));
    return rows.length > 0
      ? rows.map((row) => ({ ...state, ...row }))
      : [{ ...state, revision: null }];
  }
}

interface Followed {
  readonly log: Log;
  readonly tail: Tail;
  readonly received: LogRow[];
  readonly begun: StoreIdentity[];
  readonly unmet: number[];
}

async function follow(random: (below: number) => number): Promise<Followed> {
  const log = new Log(random);
  const received: LogRow[] = [];
  const begun: StoreIdentity[] = [];
  const unmet: number[] = [];
  const tail = createTail(log.reader(), {
    onBegin: (identity) => void begun.push(identity),
    onAdvance: (rows, position) => {
      expect(Math.max(...rows.map(({ revision }) => revision))).toBeLessThanOrEqual(position);
      received.push(
        ...rows.map(({ revision, place, sequence }) => ({ revision, place, sequence }) as LogRow),
      );
    },
    onError(error) {
      throw error;
    },
    onPushMissed: () => void unmet.push(log.newest),
  });
  tail.start();
  await tail.readThrough();
  return { log, tail, received, begun, unmet };
}

test(`${runs} interleavings: nothing lost, doubled or out of order`, async () => {
  for (let run = 0; run < runs; run += 1) {
    const random = randomOf(seed + 7919 * run);
    const { log, tail, received } = await follow(random);
    const write = async (name: string) => {
      await log.turns(60);
      const rows = await log.write(name, 1 + random(3));
      if (!rows) return;
      await log.turns(4);
      if (random(6) === 0) return; // Neither told nor woken: the poll finds it.
      if (random(5) === 0) return tail.wake();
      tail.push({ rows, epoch: log.epoch });
      if (random(8) === 0) tail.push({ rows, epoch: log.epoch });
      tail.expect(rows[0]?.revision ?? 0);
    };
    await Promise.all(Array.from({ length: 14 }, (_, n) => write(`3/${n}`)));
    while (received.length < log.rows.length) await tail.readThrough();
    await setImmediate();
    await tail.stop();
    expect(received, `seed ${seed}, run ${run}`).toEqual(log.rows);
  }
});

describe('while no poll is due', () => {
  beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] }));
  afterEach(() => void vi.useRealTimers());

  test('what follows the position is handed on without a read', async () => {
    const { log, tail, received } = await follow(() => 1);
    const { reads } = log;
    for (let count = 1; count <= 20; count += 1)
      tail.push({ rows: (await log.write('one', count)) ?? [], epoch: log.epoch });
    await setImmediate();
    expect(received).toHaveLength(210);
    expect(received).toEqual(log.rows);
    expect(log.reads).toBe(reads);
    await tail.stop();
  });

  test('what comes before its predecessor waits for it, and for nothing else', async () => {
    const { log, tail, received } = await follow(() => 1);
    const [one, two] = [await log.write('one', 1), await log.write('two', 2)];
    const { reads } = log;
    tail.push({ rows: two ?? [], epoch: log.epoch });
    await setImmediate();
    expect(received).toEqual([]);
    tail.push({ rows: one ?? [], epoch: log.epoch });
    await setImmediate();
    expect(received).toEqual(log.rows);
    expect(log.reads).toBe(reads);
    await tail.stop();
  });

  test('what is missing before an offer is read after a moment', async () => {
    const { log, tail, received } = await follow(() => 1);
    await log.write('one', 1);
    tail.push({ rows: (await log.write('two', 2)) ?? [], epoch: log.epoch });
    await setImmediate();
    expect(received).toEqual([]);
    vi.advanceTimersByTime(5);
    await until(() => received.length === 3);
    expect(received).toEqual(log.rows);
    await tail.stop();
  });

  test('what was read behind a gap follows the offer that fills it', async () => {
    const { log, tail, received } = await follow(() => 1);
    log.holders.add('one');
    const row = (revision: number) => [{ revision, place: 0, sequence: 0 } as LogRow];
    log.committed.set(2, row(2));
    await tail.readThrough();
    expect(received).toEqual([]);
    log.committed.set(1, row(1));
    log.holders.delete('one');
    tail.push({ rows: row(1), epoch: log.epoch });
    await until(() => received.length === 2);
    expect(received).toEqual(log.rows);
    await tail.stop();
  });

  test('what was offered has been heard, whatever is undecided before it', async () => {
    const { log, tail, received, unmet } = await follow(() => 1);
    log.holders.add('one');
    const rows = [{ revision: 2, place: 0, sequence: 0 } as LogRow];
    log.committed.set(2, rows);
    tail.push({ rows, epoch: log.epoch });
    tail.expect(2);
    for (let ms = 0; ms < 20; ms += 1) {
      vi.advanceTimersByTime(1);
      for (let turns = 0; turns < 20; turns += 1) await setImmediate();
    }
    expect([received, unmet]).toEqual([[], []]);
    await tail.stop();
  });

  test('what was to be offered and is not is read after a moment', async () => {
    const { log, tail, received, unmet } = await follow(() => 1);
    await log.write('one', 2);
    tail.expect(1);
    vi.advanceTimersByTime(10);
    await until(() => received.length === 2);
    expect(unmet).toEqual([1]);
    await tail.stop();
  });

  test('a store that goes back without a word is noticed by what it offers', async () => {
    const { log, tail, received, begun } = await follow(() => 1);
    for (let count = 0; count < 9; count += 1)
      tail.push({ rows: (await log.write('one', 1)) ?? [], epoch: log.epoch });
    await setImmediate();
    expect(received).toHaveLength(9);
    log.goBackTo(5);
    tail.push({ rows: (await log.write('two', 1)) ?? [], epoch: log.epoch });
    await setImmediate();
    vi.advanceTimersByTime(20);
    await until(() => begun.length === 2);
    expect(begun[1]).toMatchObject({ epoch: 'renewed', newest: 6 });
    expect(received).toHaveLength(9);
    await tail.stop();
  });

  test('offers do not pile up behind a read that is not answered', async () => {
    const { log, tail, received } = await follow(() => 1);
    const answer = log.pause();
    const read = tail.readThrough();
    for (let count = 0; count < 1000; count += 1)
      tail.push({ rows: (await log.write('one', 1)) ?? [], epoch: log.epoch });
    expect(received).toEqual([]);
    answer();
    await read;
    await until(() => received.length === 1000);
    expect(received).toEqual(log.rows);
    await tail.stop();
  });

  test('what could not be handed on is not passed over: the tail begins anew', async () => {
    const log = new Log(() => 1);
    const begun: number[] = [];
    const errors: unknown[] = [];
    const tail = createTail(log.reader(), {
      onBegin: (_identity, position) => void begun.push(position),
      onAdvance() {
        throw new Error('A follower is broken.');
      },
      onPushMissed() {},
      onError: (error) => void errors.push(error),
    });
    tail.start();
    await tail.readThrough();
    tail.push({ rows: (await log.write('one', 1)) ?? [], epoch: log.epoch });
    await until(() => begun.length === 2);
    expect([begun, errors.length]).toEqual([[0, 1], 1]);
    await tail.stop();
  });

  test('the poll comes behind the last offer, and once a second whatever is offered', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
    const { log, tail, received } = await follow(() => 1);
    const { reads } = log;
    const pass = async (ms: number) => {
      for (let passed = 0; passed < ms; passed += 10) {
        vi.advanceTimersByTime(10);
        for (let turns = 0; turns < 8; turns += 1) await setImmediate();
      }
    };
    for (let n = 0; n < 29; n += 1) {
      tail.push({ rows: (await log.write('one', 1)) ?? [], epoch: log.epoch });
      await pass(100);
    }
    expect(received).toEqual(log.rows);
    expect(log.reads - reads).toBe(2);
    await log.write('one', 1); // Which nobody tells.
    await pass(260);
    expect(received).toEqual(log.rows);
    expect(log.reads - reads).toBe(3);
    await tail.stop();
  });

  test.each(['from the start', 'later'])(
    'who keeps everybody waiting is named: %s',
    async (since) => {
      vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
      const log = new Log(() => 1);
      const errors: unknown[] = [];
      const tail = createTail(log.reader(), {
        ...{ onBegin() {}, onAdvance() {}, onPushMissed() {} },
        onError: (error) => void errors.push(error),
      });
      if (since === 'from the start') log.holders.add('3/17');
      tail.start();
      if (since === 'later') await tail.readThrough();
      log.holders.add('3/17');
      log.committed.set(2, [{ revision: 2, place: 0 } as LogRow]);
      const pass = async (ms: number) => {
        for (let passed = 0; passed < ms; passed += 50) {
          vi.advanceTimersByTime(50);
          for (let turns = 0; turns < 12; turns += 1) await setImmediate();
        }
      };
      await pass(9_000);
      expect(errors).toEqual([]);
      await pass(4_000);
      expect(String(errors)).toContain("where virtualtransaction in ('3/17')");
      expect(errors).toHaveLength(1);
      log.holders.clear();
      await pass(200);
      await tail.stop();
    },
  );

  test('who gets on is not said to wait, though there is always a gap', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
    const log = new Log(() => 1);
    const errors: unknown[] = [];
    const tail = createTail(log.reader(), {
      ...{ onBegin() {}, onAdvance() {}, onPushMissed() {} },
      onError: (error) => void errors.push(error),
    });
    tail.start();
    await tail.readThrough();
    for (let n = 1; n <= 300; n += 1) {
      // The one before is committed, another writes, and a third has overtaken it.
      log.committed.set(2 * n - 1, [{ revision: 2 * n - 1, place: 0 } as LogRow]);
      log.committed.set(2 * n + 2, [{ revision: 2 * n + 2, place: 0 } as LogRow]);
      if (n > 1) log.holders.delete(`3/${n - 1}`);
      log.holders.add(`3/${n}`);
      vi.advanceTimersByTime(50);
      for (let turns = 0; turns < 12; turns += 1) await setImmediate();
    }
    expect(errors).toEqual([]);
    log.holders.clear();
    vi.advanceTimersByTime(50);
    await tail.stop();
  });

  test('another store is read, not believed', async () => {
    const { log, tail, received, begun } = await follow(() => 1);
    log.epoch = 'second';
    tail.push({ rows: (await log.write('one', 1)) ?? [], epoch: 'second' });
    await until(() => begun.length === 2);
    expect(begun[1]).toMatchObject({ epoch: 'second' });
    expect(received).toEqual([]);
    await tail.stop();
  });
});

async function until(isSo: () => boolean): Promise<void> {
  for (let turns = 0; turns < 10_000 && !isSo(); turns += 1) await setImmediate();
  expect(isSo()).toBe(true);
}
