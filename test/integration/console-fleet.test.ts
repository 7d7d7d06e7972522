/** The fleet in the console, in Chromium: live in two windows, over a cut, a killed server and a revoked session. */
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import {
  type BrowserContext,
  chromium,
  type Locator,
  type Page,
  type WebSocketRoute,
} from 'playwright-core';
import { expect, onTestFinished, test } from 'vitest';
import { instanceAppearance } from '../../src/lifecycle/appearance.ts';
import type { InstanceState } from '../../src/lifecycle/instance.ts';
import { createClient } from './client.ts';
import { freePort, type Server, startServer } from './server.ts';

const executablePath = process.env.CHROMIUM ?? '/usr/bin/chromium';
const results = fileURLToPath(new URL('../../test-results', import.meta.url));
const isThere = existsSync(executablePath);
if (!isThere) console.log(`The console is not tested: no Chromium at ${executablePath} (CHROMIUM)`);

const args = [
  ...['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run'],
  ...['--disable-background-networking', '--disable-component-update', '--disable-sync'],
];
const key = 'greenhouse-1';

/** In the page: notes each state of the instance that is shown. */
const record = /* JavaScript */ `
  globalThis.seen = [];
  const look = () => {
    const link = document.querySelector('[data-index][href="/instances/${key}"]');
    const sign = link?.closest('tr')?.querySelector('.state')?.textContent;
    const word = sign ?? link?.title.replace(/^.*: /, '').replace(/,.*$/, '');
    if (word && word !== seen.at(-1)) seen.push(word);
  };
  new MutationObserver(look).observe(document.querySelector('main'), {
    subtree: true, childList: true, characterData: true, attributes: true,
  });
  look();`;

const tableRow = (page: Page): Locator =>
  page.getByRole('row').filter({ has: page.getByRole('link', { name: key, exact: true }) });
const notice = (page: Page): Locator => page.locator('.notice');
const live = (page: Page): Locator => page.locator('.live');
const isGrey = (page: Page) => page.locator('main.stale').count();

/** The time since the last state does not go on while nothing is known. */
async function expectStill(page: Page): Promise<void> {
  const since = tableRow(page).locator('.since');
  const shown = await since.innerText();
  await page.waitForFunction((end) => Date.now() > end, Date.now() + 2_500);
  expect(await since.innerText()).toBe(shown);
}

async function openWindow(context: BrowserContext, address: string, problems: string[]) {
  const page = await context.newPage();
  page.on('pageerror', (error) => problems.push(error.message));
  await page.goto(address);
  return page;
}

/** What axe-core finds, on the page as it is, light and dark. */
async function violations(page: Page): Promise<string[]> {
  const source = readFileSync(
    createRequire(import.meta.url).resolve('axe-core/axe.min.js'),
    'utf8',
  );
  const found: string[] = [];
  await page.evaluate(source);
  for (const colorScheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme });
    found.push(
      ...(await page.evaluate<string[]>(`axe.run().then(({ violations }) => violations.map(
        ({ id, nodes }) => '${colorScheme} ' + id + ': ' + nodes.map(({ html }) => html).join(' | ')))`)),
    );
  }
  return found;
}

/**
 * The states were shown in the order of the history, down to the last one. Those that follow each other at once are
 * shown together; how soon they are shown depends on the machine.
 */
async function expectShown(page: Page, history: { toState: InstanceState }[]) {
  const read = () => page.evaluate<string[]>('seen');
  const words = ['OFFLINE' as const, ...history.map(({ toState }) => toState)].map(
    (state) => instanceAppearance[state].word,
  );
  // What is in the document is noted with the next frame.
  await expect.poll(async () => (await read()).at(-1)).toBe(words.at(-1));
  const seen = await read();
  let place = 0;
  for (const word of seen) {
    place = words.indexOf(word, place);
    expect(place, `${word} in ${seen.join(', ')}`).not.toBe(-1);
  }
}

async function open(server: Server, problems: string[]) {
  const browser = await chromium.launch({ executablePath, args });
  onTestFinished(() => browser.close());
  const context = await browser.newContext({ viewport: { width: 1400, height: 900 } });
  const link = /https?:\/\/\S+#\S+/.exec(server.output())?.[0] ?? '';
  const first = await openWindow(context, link, problems);
  await tableRow(first).waitFor();
  expect(new URL(first.url()).pathname).toBe('/');
  return { context, first };
}

test.runIf(isThere)('the fleet, live', { timeout: 180_000 }, async () => {
  // One port over a restart: the browser comes back to it.
  const server = await startServer({ environment: { PORT: `${await freePort()}` } });
  onTestFinished(() => server.dispose());
  const client = createClient(server);
  const problems: string[] = [];
  const { context, first } = await open(server, problems);

  // What is filtered is in the address, and there again after a reload.
  await first.getByLabel('Search').fill('green');
  await first.getByRole('button', { name: /^Offline/ }).click();
  await first.getByLabel('Sort').selectOption('Since');
  expect(new URL(first.url()).search).toBe('?text=green&state=OFFLINE&sort=since');
  await first.reload();
  await tableRow(first).waitFor();
  expect(await first.getByLabel('Search').inputValue()).toBe('green');
  const pressed = first.getByRole('button', { pressed: true, name: /^Offline/ });
  expect(await pressed.count()).toBe(1);
  await first.emulateMedia({ media: 'print' });
  await first.getByText('search: green · state: Offline · sort: since').waitFor();
  await first.emulateMedia({ media: 'screen' });
  await first.getByLabel('Search').fill('nothing like it');
  await first.getByText('No instance matches.').waitFor();
  await first.getByRole('button', { name: 'Clear the filters' }).last().click();
  await tableRow(first).waitFor();

  // An address that is not well encoded is that of nothing.
  await first.goto(`${server.url}/instances/%ff`);
  await first.getByText('There is no instance').waitFor();
  await first.goBack();
  await tableRow(first).waitFor();

  // The second window can be cut off.
  const sockets = new Set<WebSocketRoute>();
  let isCut = false;
  await context.routeWebSocket(/\/graphql$/, (socket) => {
    if (isCut) return void socket.close();
    socket.connectToServer();
    sockets.add(socket);
  });
  const second = await openWindow(context, `${server.url}/instances?view=wall`, problems);
  const tile = second.getByRole('link', { name: key });
  await tile.waitFor();

  // Two windows see a deployment, as it goes on.
  for (const page of [first, second]) await page.evaluate(record);
  await client.accept('deployInstance', key);
  await client.until(key, 'RUNNING');
  await tableRow(first).getByText('Running', { exact: true }).first().waitFor();
  await second.getByRole('link', { name: `${key}: Running`, exact: true }).waitFor();
  const { instance } = await client.read<{
    instance: { history: { nodes: { toState: InstanceState }[] } };
  }>(`{ instance(instance: "${key}") { history { nodes { toState } } } }`);
  for (const page of [first, second]) await expectShown(page, instance.history.nodes);
  expect(await violations(first), 'table').toEqual([]);
  expect(await violations(second), 'wall').toEqual([]);

  // By keyboard to the instance; back, the fleet is there at once.
  await first.getByRole('link', { name: key, exact: true }).focus();
  await first.keyboard.press('Enter');
  await first.waitForURL(`${server.url}/instances/${key}`);
  await first.goBack();
  await tableRow(first).getByText('Running', { exact: true }).first().waitFor();

  // Cut off: the last state stays, greyed, with its time. Back: what came meanwhile is counted.
  isCut = true;
  for (const socket of sockets) await socket.close();
  await live(second).getByText('as of').waitFor();
  expect(await isGrey(second)).toBe(1);
  await notice(second).getByText('No connection').waitFor();
  await client.accept('pauseInstance', key);
  await client.until(key, 'PAUSED');
  await tableRow(first).getByText('Paused', { exact: true }).first().waitFor();
  expect(await tile.getAttribute('title')).toContain('Running');
  isCut = false;
  await live(second).getByText('Live').waitFor();
  await second.getByRole('link', { name: `${key}: Paused`, exact: true }).waitFor();
  await expect
    .poll(() => notice(second).innerText())
    .toMatch(/Back since [\d:]+.*; ([2-9]|\d\d) changes came meanwhile/);
  await notice(second).getByRole('button', { name: 'Dismiss' }).click();
  expect(await notice(second).count()).toBe(0);
  expect(await isGrey(second)).toBe(0);

  // The server is killed and started again, with another end of the instance while it is away.
  await server.kill9();
  for (const page of [first, second]) await live(page).getByText('as of').waitFor();
  await expectStill(first);
  await server.start();
  for (const page of [first, second]) await live(page).getByText('Live').waitFor();
  await client.accept('stopInstance', key);
  await client.until(key, 'STOPPED');
  await tableRow(first).getByText('Stopped', { exact: true }).first().waitFor();
  await second.getByRole('link', { name: /: Stopped/ }).waitFor();
  mkdirSync(results, { recursive: true });
  await first.screenshot({ path: `${results}/console-fleet.png` });

  // The clock of a browser may be wrong: times are told by that of the server.
  const wrong = await context.newPage();
  await wrong.addInitScript('const now = Date.now; Date.now = () => now() + 7_200_000;');
  await wrong.goto(server.url);
  await tableRow(wrong)
    .locator('.since')
    .getByText(/^\d+\ss ago$/)
    .waitFor();
  // What an address asks for and no view knows is named, and the view is there without it.
  for (const view of ['/operations?status=NOPE', '/history?to=NOPE', '/?state=NOPE']) {
    await wrong.goto(server.url + view);
    await wrong.getByRole('alert').getByText('NOPE').waitFor();
    await wrong.getByRole('button', { name: 'Show the view without it' }).click();
    await wrong.getByRole('link', { name: key }).first().waitFor();
  }
  await wrong.close();

  // Signed out in one window: the other one says so, and keeps what it shows.
  await first.getByRole('button', { name: 'Sign out' }).click();
  await first.waitForURL(/\/sign-in$/);
  await notice(second).getByText('You are signed out').waitFor();
  expect(await notice(second).getByRole('link', { name: 'sign in' }).getAttribute('href')).toBe(
    '/sign-in',
  );
  expect(await isGrey(second)).toBe(1);
  await second.getByRole('link', { name: /: Stopped/ }).waitFor();
  await second.getByRole('link', { name: 'Operations' }).click();
  const refusal = await second.getByRole('alert').innerText();
  expect(refusal).toMatch(/^You are signed out\. Run npm run link/);
  expect(problems).toEqual([]);
});
