/**
 * The views of an instance and of a host in a real browser, by keyboard alone: from the deployment over a
 * killed runtime to the removal of the host.
 */
import { execFile } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { chromium, type Page } from 'playwright-core';
import { expect, onTestFinished, test } from 'vitest';
import { createClient } from './client.ts';
import { runtimesOf } from './processes.ts';
import { type Server, startServer } from './server.ts';

const executablePath = process.env.CHROMIUM ?? '/usr/bin/chromium';
const isThere = existsSync(executablePath);
if (!isThere) console.log(`The console is not tested: no Chromium at ${executablePath} (CHROMIUM)`);

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const mostTabs = 200;
const patience = { timeout: 30_000 };

/** Signs in; fails the test for what the page reports or asks of other servers. */
async function openConsole(server: Server): Promise<Page> {
  const browser = await chromium.launch({ executablePath, args: ['--headless', '--no-sandbox'] });
  onTestFinished(() => browser.close());
  const page = await browser.newPage({ viewport: { width: 1280, height: 900 } });
  const problems: string[] = [];
  page.on('pageerror', ({ message }) => problems.push(message));
  page.on('console', (message) => {
    const isCutOff = message.text().includes('ERR_FAILED'); // By the test itself.
    if (message.type() === 'error' && !isCutOff) problems.push(message.text());
  });
  page.on('request', (request) => {
    if (!request.url().startsWith(server.url)) problems.push(request.url());
  });
  onTestFinished(() => expect(problems).toEqual([]));
  const link = /https?:\/\/\S+#\S+/.exec(server.output())?.[0] ?? '';
  await page.goto(link);
  await page.getByRole('navigation', { name: 'Views' }).waitFor();
  return page;
}

/** Tabs to the next control of that name. */
async function tabTo(page: Page, name: string): Promise<void> {
  for (let tabs = 0; tabs < mostTabs; tabs += 1) {
    await page.keyboard.press('Tab');
    const focused = await page.evaluate(() => {
      const element = document.activeElement;
      return element?.getAttribute('aria-label') ?? element?.textContent?.trim() ?? '';
    });
    if (focused === name) return;
  }
  throw new Error(`${mostTabs} tabs do not lead to ${name}`);
}

async function press(page: Page, name: string): Promise<void> {
  await tabTo(page, name);
  await page.keyboard.press('Enter');
}

const stateOf = (page: Page) => page.locator('.resource-state-sign').innerText();
const untilState = (page: Page, word: string) =>
  expect.poll(() => stateOf(page), patience).toBe(word);
const attempt = (page: Page) => page.locator('.attempt');

/** The rows of the history, the newest first: `Starting → Running`. */
async function history(page: Page): Promise<string[]> {
  const rows = await page.locator('.history-row').all();
  return Promise.all(
    rows.map(async (row) => {
      const states = await row.locator('.history-what .state').allInnerTexts();
      return states.join(' → ');
    }),
  );
}

/** Runs a command as a person pastes it. */
const shell = (command: string): Promise<{ code: number; output: string }> =>
  new Promise((resolve) => {
    execFile('sh', ['-c', command], (error, stdout) =>
      resolve({ code: Number(error?.code ?? 0), output: stdout }),
    );
  });

/** No violation, in light and in dark, and nothing is wider than a phone. */
async function expectAccessible(page: Page, view: string): Promise<void> {
  await page.evaluate(axe);
  for (const colorScheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
    const found = await page.evaluate(async () => {
      const { axe } = window as unknown as Window & { axe: Axe };
      const { violations } = await axe.run(document, {
        resultTypes: ['violations'],
        preload: false,
      });
      return violations.map(
        ({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join('; ')}`,
      );
    });
    expect(found, `${view}, ${colorScheme}`).toEqual([]);
  }
  await page.emulateMedia({ colorScheme: 'light' });
  const before = page.viewportSize()!;
  await page.setViewportSize({ width: 390, height: 844 });
  expect(await page.evaluate(() => document.documentElement.scrollWidth), view).toBe(390);
  await page.setViewportSize(before);
}
interface Axe {
  run(
    root: Document,
    options: object,
  ): Promise<{ violations: { id: string; nodes: { html: string }[] }[] }>;
}

async function open(page: Page, server: Server, path: string): Promise<void> {
  await page.goto(`${server.url}${path}`);
  await page.locator('h1').waitFor();
}

test.runIf(isThere)('an instance and its host by keyboard', { timeout: 240_000 }, async () => {
  const server = await startServer();
  onTestFinished(() => server.dispose());
  const client = createClient(server);
  const page = await openConsole(server);

  await open(page, server, '/instances/nothing-here');
  await page.getByText('There is no instance nothing-here').waitFor();

  await open(page, server, '/instances/greenhouse-1');
  await untilState(page, 'Offline');
  await tabTo(page, 'Pause');
  await page.getByText('Pause: Not while it is Offline; only when it is Running.').waitFor();
  await page.keyboard.press('Enter');

  // Deployed, with all states of the start in the history and why.
  await page.keyboard.press('Shift+Tab');
  await page.keyboard.press('Shift+Tab');
  expect(await page.evaluate(() => document.activeElement?.textContent)).toBe('Deploy');
  await page.keyboard.press('Enter');
  await untilState(page, 'Running');
  expect(await history(page)).toEqual([
    'Starting → Running',
    'Initializing → Starting',
    'Starting runtime → Initializing',
    'Offline → Starting runtime',
  ]);
  await page.locator('.history-cause').getByText('greenhouse-1-host').waitFor();
  await page.locator('#operation').getByText('Succeeded').first().waitFor();
  await page.locator('#logs').getByText('Runtime').first().waitFor(patience);

  // What the page says to send is accepted, and its values are shown.
  await press(page, 'curl: climate');
  const climate = await page.locator('#endpoints code', { hasText: 'curl' }).first().innerText();
  expect(await shell(climate)).toMatchObject({ output: expect.stringContaining('202') });
  await press(page, 'curl: POST /water');
  const water = page.locator('.call', { hasText: 'POST /water' }).locator('pre');
  expect(await shell(await water.innerText())).toMatchObject({
    output: expect.stringContaining('200'),
  });
  await page.locator('#devices').getByText('temperature').waitFor(patience);
  await expectAccessible(page, 'an instance that runs');
  await page.emulateMedia({ media: 'print' });
  await page.getByText('Instance Manager, as of').waitFor();
  const controls = page.locator(':is(button, input, select, textarea):visible');
  expect(await controls.count(), 'on paper').toBe(0);
  await page.emulateMedia({ media: 'screen' });

  // Cut off before it arrives: the very same is sent again.
  const sent: string[] = [];
  await page.route('**/graphql', (route) => {
    sent.push(route.request().postData() ?? '');
    return sent.length === 1 ? route.abort() : route.continue();
  });
  await press(page, 'Pause');
  await attempt(page).getByText('Not known whether it was done').waitFor();
  expect(await stateOf(page)).toBe('Running');
  await press(page, 'Send the same again');
  await untilState(page, 'Paused');
  expect(sent).toEqual([sent[0], sent[0]]);
  await page.unroute('**/graphql');
  await page.getByText('Takes no messages', { exact: true }).waitFor();
  expect((await shell(climate)).code, 'curl: the listener is closed').toBe(7);

  await press(page, 'Stop');
  await untilState(page, 'Stopped');
  await press(page, 'Start');
  await untilState(page, 'Running');

  // Killed: the cause is told, and the way out stands beside it.
  const { id } = await client.instance('greenhouse-1');
  for (const pid of runtimesOf(server.dataDir, id)) process.kill(pid, 'SIGKILL');
  await untilState(page, 'Fatal error');
  await page.locator('#failure').getByText('RUNTIME_EXITED').waitFor();
  expect((await history(page))[0]).toBe('Running → Fatal error');
  await expectAccessible(page, 'an instance in error');
  await press(page, 'Restart');
  await untilState(page, 'Running');
  await expect.poll(() => page.locator('#failure').count()).toBe(0);

  // Asked first; changed by another client meanwhile: refused beside the button.
  await press(page, 'Force stop');
  await page.getByRole('dialog').waitFor();
  await page.keyboard.type('greenhouse-1');
  await client.accept('pauseInstance', 'greenhouse-1');
  await page.getByRole('dialog').getByText('It has changed since this was asked').waitFor();
  await page.keyboard.press('Enter');
  const refused = page.locator('.command', { hasText: 'Force stop' }).locator('.attempt');
  await refused.getByText('VERSION_CONFLICT').waitFor();
  await untilState(page, 'Paused');
  await press(page, 'Close');
  expect(await attempt(page).count()).toBe(0);

  // The host: removed by force, by typing its key.
  await press(page, 'greenhouse-1-host');
  await page.getByRole('heading', { level: 1, name: 'greenhouse-1-host' }).waitFor();
  await untilState(page, 'Running');
  await page.locator('#checks').getByText('answered', { exact: true }).waitFor();
  await page.locator('#instances').getByText('Paused', { exact: true }).waitFor();
  await expectAccessible(page, 'a host');
  await press(page, 'Force remove');
  await page.getByText('Live on it now: greenhouse-1.').waitFor();
  await page.keyboard.type('greenhouse-1');
  await page.keyboard.press('Enter');
  expect(await page.getByRole('dialog').isVisible(), 'the key of another').toBe(true);
  await page.keyboard.type('-host');
  await page.keyboard.press('Enter');
  await untilState(page, 'Offline');
  expect((await history(page))[0]).toBe('Running → Offline');
  await page.locator('#billing').getByText('not now').waitFor();
  await press(page, 'greenhouse-1');
  await untilState(page, 'Offline');
  const cause = page.locator('.history-row').first().locator('.history-cause');
  expect(await cause.innerText()).toContain('greenhouse-1-host, Remove host');
});
