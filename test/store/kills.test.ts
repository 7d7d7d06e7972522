/**
 * `kill -9` of the process that has an embedded store, in the middle of its writes: what was
 * acknowledged is there when the store is opened again. STORE_KILLS=100 kills so often.
 */
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { startChild } from '../bench/feed/process.ts';
import type { Found, KilledWriter } from './killed-writer.ts';

const kills = Number(process.env.STORE_KILLS ?? 5);
const script = new URL('./killed-writer.ts', import.meta.url);

test(`${kills} kills lose nothing that was committed`, {
  timeout: 60_000 + kills * 20_000,
}, async () => {
  const folder = mkdtempSync(join(tmpdir(), 'im-kills-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const [dataDir, notes] = [join(folder, 'data'), join(folder, 'acknowledged')];
  const noted = () =>
    (existsSync(notes) ? readFileSync(notes, 'utf8') : '').split('\n').slice(0, -1).map(Number);

  async function start() {
    const writer = startChild<KilledWriter>(script);
    onTestFinished(() => writer.stop());
    await writer.call('open', dataDir);
    return writer;
  }

  let writer = await start();
  let before: Found = await writer.call('look', 0);
  let acknowledged = 0;
  let unacknowledged = 0;
  for (let kill = 1; kill <= kills; kill += 1) {
    writer.call('write', notes).catch(() => {}); // It is killed.
    const enough = 1 + Math.floor(Math.random() * 150);
    const count = () => noted().length;
    await expect.poll(count, { interval: 5 }).toBeGreaterThanOrEqual(enough);
    await writer.stop();
    const told = noted();
    writer = await start();
    const found = await writer.call('look', before.newest);
    const numbers = new Set(found.numbers);
    const lost = told.filter((number) => !numbers.has(number));
    expect(lost, `kill ${kill}: acknowledged, and gone`).toEqual([]);
    expect(numbers.size, `kill ${kill}: none twice`).toBe(found.numbers.length);
    expect(found.broken, `kill ${kill}`).toEqual([]);
    acknowledged += told.length;
    unacknowledged += found.numbers.length - told.length;
    before = found;
    rmSync(notes);
  }
  await writer.stop();
  console.log(
    `${kills} kills: ${acknowledged} transitions acknowledged, none lost; ` +
      `${unacknowledged} more were committed when the answer could not be given`,
  );
});
