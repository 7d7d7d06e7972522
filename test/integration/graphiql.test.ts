/** GraphiQL in a real browser, without a network: the first session of the README in one window. */
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Browser, chromium, type Page } from 'playwright-core';
import { expect, onTestFinished, test } from 'vitest';
import { createClient } from './client.ts';
import { freePort, type Server, startServer } from './server.ts';

const executablePath = process.env.CHROMIUM ?? '/usr/bin/chromium';
const results = fileURLToPath(new URL('../../test-results', import.meta.url));
const isThere = existsSync(executablePath);
if (!isThere) console.log(`GraphiQL is not tested: no Chromium at ${executablePath} (CHROMIUM)`);

const args = [
  ...['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run'],
  ...['--disable-background-networking', '--disable-component-update', '--disable-sync'],
];

const key = 'greenhouse-1';
const startUp = ['STARTING_RUNTIME', 'INITIALIZING', 'STARTING', 'RUNNING'];

async function openBrowser(): Promise<Browser> {
  const browser = await chromium.launch({ executablePath, args });
  onTestFinished(() => browser.close());
  return browser;
}

/** A window that is signed in, and the addresses elsewhere that it asks for. */
async function openWindow(server: Server) {
  const link = /https?:\/\/\S+#\S+/.exec(server.output())?.[0] ?? '';
  expect(link, server.output()).toContain(server.url);
  const browser = await openBrowser();
  const context = await browser.newContext({ viewport: { width: 1400, height: 900 } });
  const elsewhere: string[] = [];
  context.on('request', (request) => {
    const url = request.url();
    if (!url.startsWith(server.url) && !/^(data|blob):/.test(url)) elsewhere.push(url);
  });
  const page = await context.newPage();
  const problems: string[] = [];
  page.on('pageerror', (error) => problems.push(error.message));
  await page.goto(link);
  await page.waitForURL(`${server.url}/`);
  expect(new URL(page.url()).hash, 'the code is not left in the address').toBe('');
  const schema = page.waitForResponse(/\/schema\.graphql$/);
  await page.goto(`${server.url}/graphql`);
  await (await schema).finished();
  await page.locator('.graphiql-query-editor .view-lines').first().waitFor();
  await button(page, 'Run DeployInstance').waitFor();
  return { page, elsewhere, problems };
}

const button = (page: Page, name: string | RegExp) =>
  page.getByRole('button', { name, exact: true });
const response = (page: Page) => page.locator('.graphiql-response');
const live = (page: Page) => response(page).locator('.im-stream-state[data-state=LIVE]');
const tab = (page: Page, name: string) => page.getByTitle(name, { exact: true });

/** Is the tab in front within the strip of tabs, which scrolls? */
const tabInFrontIsInSight = (page: Page): Promise<boolean> =>
  page.locator('.graphiql-tab-active').evaluate((active) => {
    const strip = active.parentElement?.getBoundingClientRect();
    const { left, right } = active.getBoundingClientRect();
    return strip !== undefined && left >= strip.left - 1 && right <= strip.right + 1;
  });

/** The states that the log shows as entered, oldest first. */
async function states(page: Page): Promise<string[]> {
  const lines = await page.locator('.im-line .im-state strong').allInnerTexts();
  return lines.toReversed();
}

/** Of its tabs, its icons and the editor; a rule of axe each. */
const faultsOfGraphiql = ['color-contrast', 'nested-interactive', 'scrollable-region-focusable'];

/** What is wrong for people who use a screen reader or a keyboard: in our panels, and in GraphiQL's parts. */
async function barriers(page: Page): Promise<{ ours: string[]; graphiql: string[] }> {
  if (!(await page.evaluate(() => 'axe' in globalThis))) {
    const source = createRequire(import.meta.url).resolve('axe-core/axe.min.js');
    await page.evaluate(readFileSync(source, 'utf8'));
  }
  return page.evaluate(async () => {
    const { axe } = globalThis as unknown as {
      axe: { run(): Promise<{ violations: { id: string; nodes: { target: string[] }[] }[] }> };
    };
    const { violations } = await axe.run();
    const nodes = violations.flatMap(({ id, nodes }) =>
      nodes.map(({ target }) => ({ id, target: target.join(' ') })),
    );
    const isOurs = ({ target }: { target: string }) =>
      document.querySelector(target)?.closest('.im') !== null;
    return {
      ours: nodes.filter(isOurs).map(({ id, target }) => `${id}: ${target}`),
      graphiql: [...new Set(nodes.filter((each) => !isOurs(each)).map(({ id }) => id))].sort(),
    };
  });
}

/** Saves the log, and answers with its events. */
async function savedEvents(page: Page) {
  const [download] = await Promise.all([
    page.waitForEvent('download'),
    button(page, 'Save').click(),
  ]);
  expect(download.suggestedFilename()).toBe('WatchInstance.jsonl');
  const text = readFileSync(await download.path(), 'utf8');
  return text
    .trimEnd()
    .split('\n')
    .map(
      (line) =>
        JSON.parse(line).data.instanceTransitions as {
          sequence: number;
          to: string;
          cursor: string;
        },
    );
}

test.runIf(isThere)('the first session in one window, offline', { timeout: 300_000 }, async () => {
  const server = await startServer({ environment: { PORT: String(await freePort()) } });
  onTestFinished(() => server.dispose());
  const client = createClient(server);
  const { page, elsewhere, problems } = await openWindow(server);
  const findings = new Set<string>();
  const look = async () => {
    const { ours, graphiql } = await barriers(page);
    expect(ours).toEqual([]);
    for (const each of graphiql) findings.add(each);
  };

  // The tab key leads through the editors and out of them.
  await page.locator('.graphiql-query-editor .view-lines').first().click();
  await page.keyboard.press('Tab');
  expect(await page.evaluate(() => document.activeElement?.ariaLabel)).toMatch(/execute query/i);

  // Watch, then deploy from the examples: the log has every transition, and so has the line below the answer.
  await button(page, /execute query/i).click();
  await live(page).waitFor();
  await button(page, 'Run DeployInstance').click();
  await response(page).getByText('InstanceCommandAccepted').waitFor();
  await response(page).locator('.im-strip').getByText('STARTING → RUNNING').waitFor();
  await look();
  await tab(page, 'WatchInstance').click();
  expect(await states(page)).toEqual(startUp);

  // The tab is left and another operation runs: the subscription goes on. An answer is shown in the tab that asked.
  const asked = new Promise<() => void>((resolve) =>
    page.route('**/graphql', (route) => resolve(() => void route.continue()), { times: 1 }),
  );
  await button(page, 'Run History').click();
  const send = await asked;
  await tab(page, 'WatchInstance').click();
  await Promise.all([page.waitForResponse('**/graphql'), send()]);
  await tab(page, 'History').click();
  await response(page).getByText('"totalCount": 4').waitFor();
  await client.accept('pauseInstance', key);
  await response(page).locator('.im-strip').getByText('PAUSING → PAUSED').waitFor();
  await tab(page, 'WatchInstance').click();
  await expect.poll(() => states(page)).toEqual([...startUp, 'PAUSING', 'PAUSED']);

  // The server is killed and started again: resumed, and both panels say so.
  await button(page, 'Show Live').click();
  await server.kill9();
  await expect.poll(() => page.getByText(/Connection lost at/).count()).toBe(2);
  await server.start();
  await expect.poll(() => page.getByText(/Live, resumed at/).count()).toBe(2);
  await client.accept('resumeInstance', key);
  await expect.poll(() => states(page)).toContain('RUNNING');
  await client.until(key, 'RUNNING');
  await expect.poll(async () => (await states(page)).at(-1)).toBe('RUNNING');
  const events = await savedEvents(page);
  expect(events.map(({ sequence }) => sequence)).toEqual(events.map((_, index) => index + 1));
  expect(events.map(({ to }) => to)).toEqual([
    ...[...startUp, 'PAUSING', 'PAUSED'],
    ...['STARTING', 'RUNNING'],
  ]);
  mkdirSync(results, { recursive: true });
  await page.screenshot({ path: `${results}/graphiql.png` });
  await look();

  // Search, open an event, pause the view.
  await page.getByRole('searchbox', { name: 'Search the events' }).fill('pausing');
  await response(page).getByText('2 found').waitFor();
  await page.locator('.im-line').first().press('ArrowDown');
  await page.keyboard.press('Enter');
  await response(page).getByLabel('The event as JSON').getByText('"PAUSING"').waitFor();
  await look();
  await page.getByRole('searchbox', { name: 'Search the events' }).fill('');
  await button(page, 'Pause').click();
  await client.accept('stopInstance', key);
  await button(page, 'Go on, 2 new').click();
  expect((await states(page)).slice(-2)).toEqual(['STOPPING', 'STOPPED']);

  // The store is another one after a restart: GraphiQL and the console say that they do not know what came between.
  const console = await page.context().newPage();
  await console.goto(`${server.url}/instances/${key}`);
  await console.locator('.resource-state-sign').getByText('Stopped').waitFor();
  // Its stream has a cursor: the history is read.
  await console.locator('.history-row').first().waitFor();
  await server.kill9();
  rmSync(join(server.dataDir, 'store.json'));
  await server.start();
  await page
    .getByText(/Live since [\d:]+, after a gap/)
    .first()
    .waitFor();
  await console.getByText('the server has another log now').waitFor();
  await client.accept('startInstance', key);
  await console.locator('.resource-state-sign').getByText('Running').waitFor();
  await button(page, 'Show events').last().click();
  await expect.poll(async () => (await states(page)).at(-1)).toBe('RUNNING');
  await response(page).getByText('what came in between is not known').waitFor();
  await button(page, 'What is CURSOR_INVALID?').click();
  await page.locator('[data-chosen=true]').getByText('CURSOR_INVALID').waitFor();
  await console.close();
  await client.accept('stopInstance', key);
  await client.until(key, 'STOPPED');

  // Query, then subscribe.
  await page.emulateMedia({ colorScheme: 'dark' });
  await button(page, 'Show Examples').click();
  await button(page, 'Run Snapshot').click();
  await button(page, 'Follow from here').click();
  await live(page).waitFor();

  // A cursor of the document that is refused, that of the store before: the log says so and stays empty, until told.
  const foreign = events.at(-1)?.cursor ?? '';
  await button(page, 'New tab').click();
  await page.locator('.graphiql-query-editor .view-lines').first().click();
  await page.keyboard.insertText(
    `subscription Old { instanceTransitions(after: "${foreign}") { cursor from to } }`,
  );
  await button(page, /execute query/i).click();
  await response(page)
    .getByText(/Ended at [\d:]+: CURSOR_INVALID: /)
    .waitFor();
  await button(page, 'What is CURSOR_INVALID?').waitFor();
  expect(await page.locator('.im-line').count()).toBe(0);
  await button(page, 'Start from now').press('Enter');
  await live(page).waitFor();
  expect(await page.evaluate(() => document.activeElement?.textContent)).toBe('● Live');
  await client.accept('startInstance', key);
  await expect.poll(() => states(page)).toEqual(startUp);
  await client.accept('stopInstance', key);
  await client.until(key, 'STOPPED');
  await look();

  // A refused command leads to the meaning of its code; a picker knows what there is.
  await button(page, 'Run StopInstance').click();
  await button(page, 'What is ALREADY_IN_STATE?').click();
  await page.locator('[data-chosen=true]').getByText('ALREADY_IN_STATE').waitFor();
  await look();
  await button(page, 'Choose the instance').click();
  await page.getByRole('menuitem', { name: `${key} STOPPED` }).click();

  // There are more tabs than there is room for: the one in front is in sight.
  await expect.poll(() => tabInFrontIsInSight(page)).toBe(true);

  // A reload opens the same tabs again, the same one in front.
  const tabs = await page.locator('.graphiql-tab').count();
  await page.reload();
  const editor = page.locator('.graphiql-query-editor .view-lines');
  await expect.poll(() => editor.innerText()).toContain('StopInstance');
  expect(await page.locator('.graphiql-tab').count(), 'tabs after a reload').toBe(tabs);
  await page.reload();
  const variables = page.getByLabel('Variables').locator('.view-lines').first();
  await expect.poll(() => variables.innerText()).toContain(key);
  expect(await page.locator('.graphiql-tab').count(), 'and after another one').toBe(tabs);

  expect(faultsOfGraphiql, 'with no new one').toEqual(expect.arrayContaining([...findings]));
  expect(elsewhere, 'requests to other servers').toEqual([]);
  expect(problems).toEqual([]);
});
