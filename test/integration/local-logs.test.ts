/** The log of an instance whose working storage is LOCAL, read through servers from its real runtime. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import postgres from 'postgres';
import { expect, onTestFinished, test } from 'vitest';
import { createMigratedDatabase } from '../harness/database.ts';
import { addInstance } from './builders.ts';
import { createClient } from './client.ts';
import { followLog, type LogReader } from './log-reader.ts';
import { runtimesOf } from './processes.ts';
import { type Server, startServer } from './server.ts';

const key = 'local';
const patience = { timeout: 30_000 };

const numbers = ({ lines }: LogReader) => lines.map(({ number }) => number);
const upTo = (last: number) => Array.from({ length: last }, (_, index) => index + 1);

/** Reads it through both servers, which may be one. */
async function expectLog(first: Server, second: Server, lapse: () => Promise<void>) {
  const client = createClient(first);
  await addInstance(client, key);
  await client.accept('deployInstance', key);
  const { id } = await client.until(key, 'RUNNING');

  const all = followLog(second, key, 1_000);
  await expect.poll(() => all.lines.length, patience).toBeGreaterThan(3);
  expect(all.lines[0]?.text).toMatch(/^Runtime .* of instance/);
  const other = followLog(first, key, 1);
  await expect.poll(() => other.lines.length, patience).toBeGreaterThan(0);
  await client.accept('pauseInstance', key);
  await client.until(key, 'PAUSED');
  for (const { lines } of [all, other]) {
    await expect.poll(() => lines.at(-1)?.text, patience).toMatch(/Command PAUSE .* is done/);
  }
  expect(numbers(all)).toEqual(upTo(all.lines.length));
  expect(all.lines.slice(-other.lines.length)).toEqual(other.lines);
  expect(other.lines.length).toBeLessThan(all.lines.length);

  // A watch that nobody renewed: its copies are deleted, and the next one gets all lines anew.
  for (const reader of [all, other]) reader.close();
  await lapse();
  const again = followLog(first, key, 1_000);
  await expect.poll(() => again.lines, patience).toEqual(all.lines);
  again.close();

  for (const pid of runtimesOf(first.dataDir, id.toString())) process.kill(pid, 'SIGKILL');
  await client.until(key, 'FATAL_ERROR');
  const late = followLog(second, key, 10);
  await expect.poll(late.failed, patience).toMatchObject({
    message: expect.stringMatching(/FATAL_ERROR.*restart.*lastOutput/s),
    extensions: {
      code: 'RUNTIME_NOT_REACHABLE',
      lastOutput: expect.stringContaining(all.lines.at(-1)?.text ?? '?'),
    },
  });
  expect(late.lines).toEqual([]);
  await client.accept('restartInstance', key);
  await client.until(key, 'RUNNING');
  const next = followLog(second, key, 1_000);
  await expect.poll(() => next.lines.at(-1)?.text, patience).toMatch(/is done/);
  expect(next.lines.at(-1)?.run).not.toBe(all.lines.at(-1)?.run);
}

test('on the embedded store', { timeout: 180_000 }, async () => {
  const server = await startServer({ environment: { SAMPLE_DATA: 'on' } });
  onTestFinished(() => server.dispose());
  await expectLog(server, server, async () => {});
});

test('through a server that the runtime is not connected to', { timeout: 180_000 }, async () => {
  const database = await createMigratedDatabase();
  const sql = postgres(database.url, { max: 1, onnotice: () => undefined });
  const dataDir = mkdtempSync(join(tmpdir(), 'im-'));
  const token = 'a-token-that-both-nodes-of-the-test-know';
  const environment = { DATABASE_URL: database.url, SAMPLE_DATA: 'on' };
  const first = await startServer({ dataDir, token, environment });
  const second = await startServer({ dataDir, token, environment });
  onTestFinished(async () => {
    await second.kill9();
    await first.dispose();
    await sql.end();
    await database.drop();
    rmSync(dataDir, { recursive: true, force: true });
  });
  await expectLog(first, second, async () => {
    const before = await sql`select count(*)::int as copies from runtime_logs where is_copy`;
    expect(before[0]?.copies).toBeGreaterThan(3);
    await sql`update log_watches set watched_until = now() - interval '1 s'`;
  });
});
