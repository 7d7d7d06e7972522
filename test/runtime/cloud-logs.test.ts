/** What the sender of the log does with an API that is away, answers too late, or refuses a line. */
import { expect, onTestFinished, test, vi } from 'vitest';
import { createCloudLogs } from '../../src/runtime/cloud-logs.ts';
import { createLog } from '../../src/runtime/log.ts';
import type { LogLine } from '../../src/runtime/log-line.ts';
import { type Answer, Disconnected, RequestRejected } from '../../src/runtime/protocol.ts';

const limits = {
  reportBytes: 256 * 1024,
  valuesPerReport: 500,
  valueBytes: 65_536,
  logLinesPerReport: 500,
  textCharacters: 4_000,
};

/** An API that keeps each number once, as the real one does; `answer` may refuse or fail a report. */
function openLog(answer: (lines: readonly LogLine[]) => Answer | Error | null) {
  const kept: LogLine[] = [];
  const reports: (readonly LogLine[])[] = [];
  const log = createLog(() => {});
  log.keepIn(
    createCloudLogs({
      limits: () => limits,
      async reportLogs(lines) {
        reports.push(lines);
        const given = answer(lines);
        if (given instanceof RequestRejected) throw given;
        if (given !== null && !(given instanceof Error)) return given;
        kept.push(...lines.filter(({ number }) => number > (kept.at(-1)?.number ?? 0)));
        if (given !== null) throw given;
        return { __typename: 'RuntimeReportAccepted' };
      },
    }),
  );
  onTestFinished(() => log.close());
  return { log, kept, reports };
}

test('one line in the place of those that were dropped says how many', async () => {
  let isLost = true;
  const { log, kept } = openLog(() => {
    const given = isLost ? new Disconnected('the answer was lost') : null;
    isLost = false;
    return given;
  });
  for (let line = 1; line <= 500; line += 1) log.info(`line ${line}`);
  const flushed = log.flushed();
  for (let line = 501; line <= 7_000; line += 1) log.info(`line ${line}`);
  await flushed;
  await log.flushed();
  const said = kept.filter(({ text }) => text.includes('dropped'));
  expect(said.map(({ text }) => text)).toEqual([
    '2000 lines were dropped here: no room was left while they could not be sent.',
  ]);
  const rest = kept.filter((line) => line !== said[0]);
  expect(rest.every(({ number, text }) => text === `line ${number}`)).toBe(true);
  const numbers = kept.map(({ number }) => number);
  expect(numbers).toEqual(numbers.toSorted((a, b) => a - b));
  expect(numbers.at(-1)).toBe(7_000);
  expect(rest).toHaveLength(5_000);
});

test('a line is cut to the length that the API takes', async () => {
  const { log, kept } = openLog((lines) =>
    lines.some(({ text }) => text.length > limits.textCharacters)
      ? { __typename: 'InvalidInput', code: 'INVALID_INPUT', message: 'It is too long.' }
      : null,
  );
  onTestFinished(() => {
    limits.textCharacters = 4_000;
  });
  limits.textCharacters = 101;
  log.info('😀'.repeat(100));
  log.info('next');
  await log.flushed();
  expect(kept.map(({ text }) => text)).toEqual([`${'😀'.repeat(50)}\ufffd`, 'next']);
});

test('a report stays far below the size of a message', async () => {
  const { log, kept, reports } = openLog(() => null);
  for (let line = 1; line <= 400; line += 1) log.info('"😀'.repeat(1_300));
  await log.flushed();
  expect(kept).toHaveLength(400);
  const sizes = reports.map((lines) => Buffer.byteLength(JSON.stringify(lines)));
  expect(Math.max(...sizes)).toBeLessThan(300 * 1024);
  for (let line = 1; line <= 1_200; line += 1) log.info('short');
  await log.flushed();
  expect(Math.max(...reports.map(({ length }) => length))).toBe(500);
});

test.each([
  ['InvalidInput', () => ({ __typename: 'InvalidInput', code: 'INVALID_INPUT', message: 'No.' })],
  ['an error of GraphQL', () => new RequestRejected('INTERNAL', 'No.')],
] as const)('a line that gets %s is replaced and holds up none', async (_what, refusal) => {
  // It waits for seconds between two attempts.
  vi.useFakeTimers();
  onTestFinished(() => void vi.useRealTimers());
  const { log, kept } = openLog((lines) =>
    lines.some(({ text }) => text === 'poison') ? refusal() : null,
  );
  const texts = ['one', 'two', 'poison', 'four', 'five'];
  for (const text of texts) log.info(text);
  const flushed = log.flushed();
  await vi.advanceTimersByTimeAsync(60_000);
  await flushed;
  expect(kept.map(({ number }) => number)).toEqual([1, 2, 3, 4, 5]);
  expect(kept[2]?.text).toMatch(/^The API refused the line that was here: .*No\.$/);
  expect(kept.filter((_, index) => index !== 2).map(({ text }) => text)).toEqual([
    'one',
    'two',
    'four',
    'five',
  ]);
});

test('lines before the storage is known, and those of a storage that is replaced, are kept', async () => {
  const { log, kept } = openLog(() => null);
  log.info('one');
  const next: LogLine[] = [];
  log.keepIn(
    createCloudLogs({
      limits: () => limits,
      async reportLogs(lines) {
        next.push(...lines);
        return { __typename: 'RuntimeReportAccepted' };
      },
    }),
  );
  log.info('two');
  await log.flushed();
  expect(kept).toEqual([]);
  expect(next).toMatchObject([
    { number: 1, text: 'one' },
    { number: 2, text: 'two' },
  ]);
});
