/** The console tells times by the clock of the server, whatever that of the browser says. */
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test, vi } from 'vitest';
import { WebSocket } from 'ws';
import { startScripted } from '../client/scripted.ts';

const hour = 3_600_000;
const load = (path: string) =>
  import(fileURLToPath(new URL(`../../src/console/${path}`, import.meta.url)));

/** Opens a page for which the clock of the server is ahead by so much, and the fleet was counted an hour ago. */
async function openPage(ahead: number): Promise<() => number> {
  const server = await startScripted(({ next }) => {
    const at = new Date(Date.now() + ahead - hour).toISOString();
    next({ data: { fleet: { instancesByState: [], hostsByState: [], at } } });
  });
  const date = () => new Date(Date.now() + ahead).toUTCString();
  vi.resetModules();
  vi.stubGlobal('location', { href: `${server.url}/` });
  vi.stubGlobal('WebSocket', WebSocket);
  vi.stubGlobal('addEventListener', () => {});
  vi.stubGlobal('document', { hidden: false });
  vi.stubGlobal('fetch', async () => new Response('{}', { headers: { date: date() } }));
  onTestFinished(() => {
    vi.unstubAllGlobals();
  });
  // The modules are never ended: what they repeat would go on in the tests of other files.
  const interval = vi.spyOn(globalThis, 'setInterval').mockReturnValue(0 as never);
  const [summary, time, connection] = await Promise.all(
    ['live/summary.ts', 'part/time.tsx', 'app/connection.ts'].map(load),
  );
  interval.mockRestore();
  onTestFinished(() => connection.client.dispose());
  summary.followSummary();
  await expect.poll(() => summary.summary.value).not.toBeNull();
  return time.timeNow;
}

test('a fleet that was counted an hour ago, for another window, is no clock', async () => {
  const timeNow = await openPage(0);
  expect(Math.abs(timeNow() - Date.now())).toBeLessThan(5_000);
});

test('the clock of a browser that is wrong by two hours is put right', async () => {
  const timeNow = await openPage(2 * hour);
  await expect.poll(() => Math.abs(timeNow() - Date.now() - 2 * hour)).toBeLessThan(5_000);
});
