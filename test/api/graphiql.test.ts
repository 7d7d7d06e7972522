/** GraphiQL in Chromium, as a person meets it: nothing leaves the machine, and 10,000 events stay smooth. */
import { existsSync } from 'node:fs';
import { type Browser, chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { requestCodes } from '../../src/graphiql/panel/request-codes.ts';
import type { RequestErrorCode } from '../../src/server/wire/request-error.ts';
import type { Database } from '../../src/store/database/database.ts';
import { type ApiServer, openDatabase, signIn, startApiServer } from './api-server.ts';

const executablePath = '/usr/bin/chromium';
/** A server that runs from its sources compresses less than a build. */
const mostBytes = 1_500_000;

describe.skipIf(!existsSync(executablePath))('GraphiQL in Chromium', () => {
  let database: Database;
  let api: ApiServer;
  let browser: Browser;
  let page: Page;
  const foreign: string[] = [];
  const complaints: string[] = [];
  const sockets: string[] = [];
  /** Operations that the page sent over HTTP. */
  const operations: string[] = [];
  /** Bytes over the wire, by the paths of files that the page loaded. */
  const loaded = new Map<string, number>();

  beforeAll(async () => {
    database = await openDatabase();
    api = await startApiServer(database);
    browser = await chromium.launch({ executablePath, args: ['--no-sandbox'] });
    const context = await browser.newContext();
    page = await context.newPage();
    page.on('request', (request) => {
      const { protocol, host } = new URL(request.url());
      if (!['data:', 'blob:'].includes(protocol) && host !== `127.0.0.1:${api.port}`)
        foreign.push(request.url());
      if (request.method() === 'POST' && request.url().endsWith('/graphql'))
        operations.push(request.postDataJSON().query);
    });
    page.on('console', (message) => {
      if (message.type() === 'error') complaints.push(message.text());
    });
    page.on('response', (response) => {
      const { pathname } = new URL(response.url());
      const bytes = Number(response.headers()['content-length'] ?? 0);
      if (/^\/assets\/graphiql\/|^\/schema/.test(pathname)) loaded.set(pathname, bytes);
    });
    page.on('websocket', (socket) => sockets.push(socket.url()));
  });
  afterAll(async () => {
    await browser?.close();
    await api?.stop();
    await database?.close();
  });

  /** Puts a document into the editor of a new tab. */
  async function write(document: string): Promise<void> {
    await page.getByRole('button', { name: /new tab/i }).click();
    await page.locator('.graphiql-query-editor .view-lines').first().click();
    await page.keyboard.press('Control+A');
    await page.keyboard.insertText(document);
  }
  async function run(document: string): Promise<void> {
    await write(document);
    await page.getByRole('button', { name: /execute query/i }).click();
  }
  const result = () => page.locator('.result-window');
  const log = () => page.locator('.im-log');

  test('there is one tab with an example, and nothing has run', async () => {
    // Not by the link, which opens the console: this schema has nothing for it to show.
    const [name = '', value = ''] = (await signIn(api)).split('=');
    await page.context().addCookies([{ name, value, url: api.url }]);
    await page.goto(`${api.url}/graphql`);
    await page.locator('.graphiql-query-editor .view-lines').first().waitFor();
    expect(await page.locator('.graphiql-tab').count()).toBe(1);
    expect(await page.locator('.graphiql-query-editor').first().textContent()).toContain('Watch');
    await page.locator('.graphiql-query-editor .squiggly-error').first().waitFor();
    expect([operations, sockets]).toEqual([[], []]);
  });

  test(`all that is loaded at first takes ${mostBytes} bytes at most`, async () => {
    const names = [...loaded.keys()].map((path) => path.split('/').at(-1));
    expect(names).toEqual(
      expect.arrayContaining(['schema.graphql', 'main.css', 'json.worker.js', 'graphql.worker.js']),
    );
    expect(names.filter((name) => name?.endsWith('.css'))).toEqual(['main.css']);
    const bytes = [...loaded.values()].reduce((sum, each) => sum + each, 0);
    console.log(`GraphiQL's first load: ${bytes} bytes in ${loaded.size} files.`);
    expect(bytes).toBeLessThanOrEqual(mostBytes);
  });

  test('the editors complete, explain and check what is written', async () => {
    const query = page.locator('.graphiql-query-editor');
    const variables = page.getByLabel('Variables');
    await write('mutation ($name: String!) { touch(name: $name) }');
    await variables.locator('.view-lines').first().click();
    await page.keyboard.insertText('{ "name": 1 }');
    await variables.locator('.squiggly-error').first().waitFor();
    await write('{ name nonsense }');
    await query.locator('.squiggly-error').first().waitFor();
    await query.locator('.view-line').getByText('name', { exact: true }).first().hover();
    await page.locator('.monaco-hover').getByText('Query.name').first().waitFor();
    await write('{ ');
    await page.keyboard.press('Control+Space');
    await page.locator('.suggest-widget').getByText('transport').first().waitFor();
    await page.keyboard.type('transp');
    await page.locator('.suggest-widget .focused').getByText('transport').first().waitFor();
    await page.keyboard.press('Enter');
    await expect.poll(() => query.locator('.view-lines').innerText()).toContain('transport');
  });

  test('a query and a mutation run over HTTP, a subscription over the WebSocket', async () => {
    await run('{ name transport }');
    await result().getByText('SESSION admin').waitFor();
    await run('mutation { touch(name: "in Chromium") }');
    await result().getByText('in Chromium').waitFor();
    expect(api.seen.mutations).toEqual(['in Chromium']);
    await run('subscription { ticks(count: 3) { number } }');
    await log().getByText('Ended').waitFor();
    expect(await log().locator('.im-line').allInnerTexts()).toEqual([
      expect.stringContaining('number 2 → 3'),
      expect.stringContaining('number 1 → 2'),
      expect.stringContaining('number 1'),
    ]);
    expect(sockets).toEqual([`ws://127.0.0.1:${api.port}/graphql`]);
  });

  test('the codes of errors are explained', async () => {
    await run('{ refused }');
    await page.getByRole('button', { name: 'What is CURSOR_EXPIRED?' }).click();
    await page.locator('[data-chosen=true]').getByText('CURSOR_EXPIRED').waitFor();
    const ofServer: Readonly<Record<RequestErrorCode, string>> = requestCodes;
    expect(Object.keys(ofServer)).toContain('UNAVAILABLE');
  });

  test('10,000 events scroll with few rows in the document', async () => {
    await run('subscription { ticks(count: 10500) { number } }');
    await expect
      .poll(() => page.locator('.im-log-head').textContent())
      .toContain('10,500 events, the oldest 501 dropped');
    const rows = await page.evaluate(async () => {
      const list = document.querySelector('.im-list') as Element;
      const rows: number[] = [];
      for (let step = 0; step < 120; step += 1) {
        list.scrollTop += 300;
        await new Promise((resolve) => requestAnimationFrame(resolve));
        rows.push(list.querySelectorAll('.im-line').length);
      }
      return rows;
    });
    await page.locator('.im-list').evaluate((list) => {
      list.scrollTop = list.scrollHeight;
    });
    await expect
      .poll(() => page.locator('.im-row:last-child').textContent())
      .toContain('number 501');
    expect(Math.max(...rows)).toBeLessThan(80);
    expect(Math.min(...rows)).toBeGreaterThan(5);
  });

  test('the focus moves on when the button that has it leaves the page', async () => {
    const focused = () =>
      page.evaluate(() => {
        const { activeElement } = document;
        return `${activeElement?.closest('li')?.ariaLabel ?? ''} ${activeElement?.textContent}`;
      });
    const card = (name: string) => page.getByRole('listitem', { name, exact: true });
    await run('subscription A { waits { number } }');
    await log().locator('[data-state=LIVE]').waitFor();
    await run('subscription B { waits { number } }');
    const others = page.getByLabel('Live in this window');
    await others.getByRole('button', { name: /^A/ }).press('Enter');
    await expect.poll(focused).toBe(' ● Live');
    await log().getByRole('button', { name: 'Stop' }).press('Enter');
    await expect.poll(focused).toMatch(/Ended at [\d:]+: Stopped/);

    await page.getByRole('button', { name: 'Show Live' }).click();
    await card('B').getByRole('button', { name: 'Stop' }).press('Enter');
    await expect.poll(focused).toBe('B Remove');
    await page.keyboard.press('Enter');
    await expect.poll(focused).toBe('A Show events');
    const removes = page.locator('.im-panel').getByRole('button', { name: 'Remove' });
    for (let left = await removes.count(); left > 0; left -= 1) {
      await removes.first().press('Enter');
      await expect.poll(() => removes.count()).toBe(left - 1);
    }
    await expect.poll(focused).toBe(' Live');
  });

  test('an address with a mutation does not run it before it is told to', async () => {
    await page.goto(`${api.url}/graphql?query=mutation{touch(name:"address")}`);
    await page.locator('.graphiql-query-editor .view-lines').first().waitFor();
    await page.getByRole('button', { name: /execute query/i }).click();
    await result().getByText('"address"').waitFor();
    expect(api.seen.mutations).toEqual(['in Chromium', 'address']);
  });

  test('no request went elsewhere, and nothing was refused or failed', () => {
    expect(foreign).toEqual([]);
    expect(complaints).toEqual([]);
  });
});
