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

/** Opens a tab, waits until the editor shows it, and runs its operation. */
async function run(page: Page, name: string): Promise<void> {
  const editor = page.locator('.graphiql-query-editor .view-lines');
  // A tab that is left before the editor shows it is left empty.
  await expect.poll(() => editor.innerText(), { timeout: 60_000 }).toContain('{');
  await expect
    .poll(
      async () => {
        await page.getByTitle(name, { exact: true }).click();
        return editor.innerText();
      },
      { timeout: 30_000, interval: 1_000 },
    )
    .toContain(name);
  // GraphiQL looks for the operations of a tab a moment after it shows it; a person is slower.
  await page.waitForTimeout(2_000);
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
  page.on('pageerror', (error) => problems.push(error.message));
  page.on('console', (message) => {
    if (message.type() === 'error') problems.push(message.text());
  });
  await page.goto(link);
  await page.locator('.graphiql-container').last().waitFor({ timeout: 30_000 });
  expect(new URL(page.url()).hash, 'the code is not left in the address').toBe('');
  for (const name of ['WatchInstance', 'DeployInstance', 'PauseInstance', 'History']) {
    await page.getByTitle(name, { exact: true }).waitFor();
  }

  await run(page, 'DeployInstance');
  await expect.poll(() => shown(page), { timeout: 30_000 }).toContain('InstanceCommandAccepted');
  await run(page, 'WatchInstance');
  const client = createClient(server);
  await client.until('greenhouse-1', 'RUNNING');
  await expect.poll(() => shown(page), { timeout: 30_000 }).toMatch(/"to":\s*"RUNNING"/);
  // Live, while nobody touches the page.
  await client.accept('pauseInstance', 'greenhouse-1');
  await expect.poll(() => shown(page), { timeout: 30_000 }).toMatch(/"to":\s*"PAUSED"/);

  mkdirSync(results, { recursive: true });
  await page.screenshot({ path: `${results}/graphiql.png` });
  expect(elsewhere, 'requests to other servers').toEqual([]);
  expect(problems).toEqual([]);
});
