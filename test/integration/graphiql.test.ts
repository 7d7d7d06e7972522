/** GraphiQL in a real browser, without a network: sign in, subscribe, deploy, see the events. */
import { existsSync, mkdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { type Browser, chromium, type Page } from 'playwright-core';
import { expect, onTestFinished, test } from 'vitest';
import { createClient } from './client.ts';
import { startServer } from './server.ts';

const executablePath = process.env.CHROMIUM ?? '/usr/bin/chromium';
const results = fileURLToPath(new URL('../../test-results', import.meta.url));
const isThere = existsSync(executablePath);
if (!isThere) console.log(`GraphiQL is not tested: no Chromium at ${executablePath} (CHROMIUM)`);

const args = [
  ...['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run'],
  ...['--disable-background-networking', '--disable-component-update', '--disable-sync'],
];

async function openBrowser(): Promise<Browser> {
  const browser = await chromium.launch({ executablePath, args });
  onTestFinished(() => browser.close());
  return browser;
}

const editor = (page: Page) => page.locator('.graphiql-query-editor .view-lines').innerText();

/** Opens a tab with one click and runs its operation. */
async function run(page: Page, name: string): Promise<void> {
  await page.getByTitle(name, { exact: true }).click();
  await expect.poll(() => editor(page)).toContain(name);
  await page.locator('.graphiql-execute-button').click();
}

const shown = (page: Page) => page.locator('.graphiql-response').innerText();

test.runIf(isThere)('subscribe and deploy in GraphiQL, offline', { timeout: 300_000 }, async () => {
  const server = await startServer();
  onTestFinished(() => server.dispose());
  const link = /https?:\/\/\S+#\S+/.exec(server.output())?.[0] ?? '';
  expect(link, server.output()).toContain(server.url);

  const browser = await openBrowser();
  const context = await browser.newContext({ viewport: { width: 1400, height: 900 } });
  const elsewhere: string[] = [];
  await context.route('**', (route, request) => {
    const url = request.url();
    if (url.startsWith(server.url) || /^(data|blob):/.test(url)) return route.continue();
    elsewhere.push(url);
    return route.abort();
  });
  const page = await context.newPage();
  const problems: string[] = [];
  const watch = (window: Page) => {
    window.on('pageerror', (error) => problems.push(error.message));
    window.on('console', (message) => {
      if (message.type() === 'error') problems.push(message.text());
    });
  };
  watch(page);
  await page.goto(link);
  await page.waitForURL(`${server.url}/`);
  expect(new URL(page.url()).hash, 'the code is not left in the address').toBe('');
  await page.goto(`${server.url}/graphql`);
  for (const name of ['WatchInstance', 'DeployInstance', 'PauseInstance', 'History']) {
    await page.getByTitle(name, { exact: true }).waitFor();
  }

  // The first session of the README: the subscription in this window, everything else in a second one.
  await expect.poll(() => editor(page), { timeout: 60_000 }).toContain('WatchInstance');
  await page.locator('.graphiql-execute-button').click();
  const second = await context.newPage();
  watch(second);
  await second.goto(`${server.url}/graphql`);
  await expect.poll(() => editor(second), { timeout: 60_000 }).toContain('WatchInstance');
  const tabs = await page.locator('.graphiql-tab').count();
  expect(await second.locator('.graphiql-tab').count(), 'tabs of the second window').toBe(tabs);

  await run(second, 'DeployInstance');
  await expect.poll(() => shown(second)).toContain('InstanceCommandAccepted');
  const client = createClient(server);
  await client.until('greenhouse-1', 'RUNNING');
  await expect.poll(() => shown(page)).toMatch(/"to":\s*"RUNNING"/);
  await run(second, 'PauseInstance');
  await expect.poll(() => shown(page)).toMatch(/"to":\s*"PAUSED"/);
  // A reload opens the same tab again.
  await second.reload();
  await expect.poll(() => editor(second), { timeout: 60_000 }).toContain('PauseInstance');
  expect(await second.locator('.graphiql-tab').count(), 'tabs after a reload').toBe(tabs);

  mkdirSync(results, { recursive: true });
  await page.screenshot({ path: `${results}/graphiql.png` });
  expect(elsewhere, 'requests to other servers').toEqual([]);
  expect(problems).toEqual([]);
});
