/**
 * The rule of the reader against a model of PostgreSQL: transactions that take the lock, draw a
 * revision, become visible and release the lock, or roll back, in any interleaving with a reader
 * that looks at the lock and then at the rows, and is offered some of them besides. Seeded: FEED_MODEL_SEED and FEED_MODEL_RUNS.
 */
import { expect, test } from 'vitest';
import {
  advance,
  advanceAlone,
  hasGap,
  type ReaderState,
  readerAt,
  type Snapshot,
} from '../../src/feed/tail/log-order.ts';

const seed = Number(process.env.FEED_MODEL_SEED ?? 20_261_121);
const runs = Number(process.env.FEED_MODEL_RUNS ?? 200_000);

/** mulberry32: numbers below `limit`. */
function createRandom(from: number): (limit: number) => number {
  let state = from | 0;
  return (limit) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % limit;
  };
}

type Step = 'LOCKED' | 'DRAWN' | 'VISIBLE';
interface Writer {
  readonly name: string;
  step: Step;
  revision: number;
}
interface Rule {
  advance(state: ReaderState, holders: readonly string[] | null, seen: Snapshot): ReaderState;
  needsHolders(state: ReaderState): boolean;
  /** The mistake of looking at the lock after the rows. */
  readonly looksLate?: boolean;
  /** The mistake of taking offers between the look and the rows. */
  readonly takesLate?: boolean;
}

const rule: Rule = { advance, needsHolders: hasGap };
const wrong: Record<string, Rule> = {
  'id > last': {
    advance: (state, _, seen) => advanceAlone(state, seen),
    needsHolders: () => false,
  },
  'the lock after the rows': { ...rule, looksLate: true },
  'what is offered during a read taken before it': { ...rule, takesLate: true },
  'the holders forgotten': {
    ...rule,
    advance: (state, holders, seen) => advance({ ...state, floors: new Map() }, holders, seen),
  },
  'what this snapshot shows is decided by this look': {
    ...rule,
    advance: (state, holders, seen) =>
      advance({ ...state, top: Math.max(state.top, seen.revisions.at(-1) ?? 0) }, holders, seen),
  },
  'a full page read as if it were all': {
    ...rule,
    advance: (state, holders, seen) => advance(state, holders, { ...seen, full: false }),
  },
};

/** One interleaving; what went wrong, or null. */
function interleave({ advance, needsHolders, ...mistakes }: Rule, run: number): string | null {
  const random = createRandom(Math.imul(seed, 7919) + run);
  const writers: Writer[] = [];
  const visible: number[] = []; // Ascending.
  const delivered: number[] = [];
  const pageRows = 1 + random(6);
  let toBegin = 3 + random(14);
  let revision = random(3);
  let state = readerAt(revision);
  let names = 0;
  let turns = 0;

  function write(): void {
    const writer = writers[random(writers.length + (toBegin > 0 ? 1 : 0))];
    if (!writer) {
      toBegin -= 1;
      names += 1;
      writers.push({ name: `3/${names}`, step: 'LOCKED', revision: 0 });
      return;
    }
    // Some insert nothing, some roll back; a crash between visible and released cannot be.
    if (writer.step !== 'VISIBLE' && random(6) === 0) writers.splice(writers.indexOf(writer), 1);
    else if (writer.step === 'LOCKED') {
      revision += 1;
      writer.revision = revision;
      writer.step = 'DRAWN';
    } else if (writer.step === 'DRAWN') {
      const behind = visible.findIndex((other) => other > writer.revision);
      visible.splice(behind < 0 ? visible.length : behind, 0, writer.revision);
      writer.step = 'VISIBLE';
    } else writers.splice(writers.indexOf(writer), 1);
  }
  const others = () => {
    for (let steps = random(9); steps > 0 && (writers.length > 0 || toBegin > 0); steps -= 1)
      write();
  };
  /** What a commit tells of itself: some of what is visible, in any order. */
  function take(): void {
    for (let offers = random(3); offers > 0; offers -= 1) {
      const offered = visible[random(visible.length || 1)] ?? 0;
      const from = state.position;
      state = advance(state, null, { revisions: [offered], full: false });
      if (from < offered && offered <= state.position) delivered.push(offered);
    }
  }
  const look = () => writers.map(({ name }) => name);
  function snapshot(): Snapshot {
    const revisions = visible.filter((one) => one > state.position).slice(0, pageRows);
    return { revisions, full: revisions.length === pageRows };
  }

  for (let idle = 0; idle < 3; ) {
    others();
    if (!mistakes.takesLate) take();
    const needed = needsHolders(state);
    let holders = needed && !mistakes.looksLate ? look() : null;
    if (random(2) === 0) others();
    if (mistakes.takesLate) take();
    const seen = snapshot();
    if (needed && mistakes.looksLate) {
      others();
      holders = look();
    }
    const before = state.position;
    state = advance(state, holders, seen);
    for (const one of seen.revisions) if (one <= state.position) delivered.push(one);
    if (state.position < before) return `went back from ${before} to ${state.position}`;
    const undecided = writers.find(
      (writer) => writer.step === 'DRAWN' && writer.revision <= state.position,
    );
    if (undecided) return `called ${undecided.revision} decided, which is not`;
    if (delivered.length > visible.length) return 'delivered too much';
    const quiet = writers.length === 0 && toBegin === 0;
    if (quiet && delivered.length < visible.length && state.position >= (visible.at(-1) ?? 0))
      return 'lost a row';
    idle = quiet && delivered.length === visible.length ? idle + 1 : 0;
    turns += 1;
    if (turns > 1000) return 'stands still';
  }
  if (delivered.join() !== visible.join()) return `delivered ${delivered} of ${visible}`;
  return null;
}

test(`${runs} interleavings: nothing lost, doubled or out of order`, {
  timeout: 120_000 + runs,
}, () => {
  for (let run = 0; run < runs; run += 1) {
    const fault = interleave(rule, run);
    if (fault) expect.fail(`seed ${seed}, run ${run}: ${fault}`);
  }
});

test.each(Object.entries(wrong))('the model finds the mistake: %s', (_, mistaken) => {
  let found = 0;
  for (let run = 0; run < 50_000 && found === 0; run += 1)
    if (interleave(mistaken, run)) found += 1;
  expect(found).toBe(1);
});

test('rows that follow without a gap wait for nobody', () => {
  const state = advance(readerAt(4), null, { revisions: [5, 6, 8], full: false });
  expect(state).toMatchObject({ position: 6, top: 8 });
});

test('behind a gap only those are waited for who were there', () => {
  let state = advance(readerAt(0), null, { revisions: [2], full: false });
  state = advance(state, ['slow', 'quick'], { revisions: [2, 3], full: false });
  expect(state.position).toBe(0);
  state = advance(state, ['slow', 'late'], { revisions: [2, 3], full: false });
  expect(state.position).toBe(0);
  state = advance(state, ['late', 'later'], { revisions: [2, 3, 5], full: false });
  expect(state.position).toBe(3);
});

test('on one connection a gap is a rollback', () => {
  expect(advanceAlone(readerAt(1), { revisions: [3], full: false }).position).toBe(3);
});
