/** The log of a runtime whose working storage is LOCAL: files in its work folder. */
import { execFile } from 'node:child_process';
import { readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { openLocalLogs } from '../../src/runtime/log.ts';
import { temporaryFolder } from './program.ts';

const mebibyte = 1024 * 1024;
const lineOf = (number: number) =>
  ({ number, at: '2026-01-01T00:00:00.000Z', level: 'INFO', text: 'x'.repeat(4_000) }) as const;
const numbersIn = async (path: string) =>
  (await readFile(path, 'utf8'))
    .trim()
    .split('\n')
    .map((line) => (JSON.parse(line) as { number: number }).number);

test('the newest lines are in two files of 8 MiB, in order, over a restart', async () => {
  const folder = await temporaryFolder();
  const [newer, older] = ['logs.jsonl', 'logs.previous.jsonl'].map((name) => join(folder, name));
  let logs = openLocalLogs(folder);
  const count = 5_000;
  for (let number = 1; number <= count; number += 1) {
    logs.append(lineOf(number));
    if (number % 1_500 !== 0) continue;
    logs.close();
    logs = openLocalLogs(folder);
  }
  logs.close();
  const found = [...(await numbersIn(older!)), ...(await numbersIn(newer!))];
  expect(found.at(-1)).toBe(count);
  expect(found).toEqual(found.map((_, n) => count - found.length + 1 + n));
  expect((await stat(older!)).size / mebibyte).toBeCloseTo(8, 1);
  expect((await stat(newer!)).size / mebibyte).toBeLessThan(8.1);
});

test('a file that somebody has removed is replaced when it would be full', async () => {
  const folder = await temporaryFolder();
  const logs = openLocalLogs(folder);
  const path = join(folder, 'logs.jsonl');
  logs.append(lineOf(1));
  await rm(path);
  const full = Math.ceil((8 * mebibyte) / 4_000);
  for (let number = 2; number <= full + 2; number += 1) logs.append(lineOf(number));
  logs.close();
  expect((await numbersIn(path)).at(-1)).toBe(full + 2);
});

test('a line that does not fit on the disk leaves no part of itself behind', async () => {
  const folder = await temporaryFolder();
  const program = `
    import { openLocalLogs } from ${JSON.stringify(new URL('../../src/runtime/log.ts', import.meta.url))};
    const logs = openLocalLogs(${JSON.stringify(folder)});
    [4000, 3000, 4000, 100].forEach((length, index) => {
      try {
        logs.append({ number: index + 1, at: '', level: 'INFO', text: 'x'.repeat(length) });
      } catch (error) {
        console.log(index + 1, String(error));
      }
    });`;
  // No file of the process can grow beyond 8 KiB.
  const limited = 'trap "" XFSZ; ulimit -f 16; exec "$0" --import tsx --input-type=module -e "$1"';
  const env = { ...process.env, TSX_DISABLE_CACHE: '1' };
  const args = ['-c', limited, process.execPath, program];
  const { stdout } = await promisify(execFile)('sh', args, { env });
  expect(stdout).toBe('3 Error: No room is left for it.\n');
  expect(await numbersIn(join(folder, 'logs.jsonl'))).toEqual([1, 2, 4]);
});
