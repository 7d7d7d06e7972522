/** GraphiQL in Chromium, as a person meets it: signs in by the link, and nothing leaves the machine. */
import { existsSync } from 'node:fs';
import { type Browser, chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Database } from '../../src/store/database/database.ts';
import { type ApiServer, openDatabase, startApiServer } from './api-server.ts';

const executablePath = '/usr/bin/chromium';

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
    page.on('websocket', (socket) => sockets.push(socket.url()));
  });
  afterAll(async () => {
    await browser?.close();
    await api?.stop();
    await database?.close();
  });

  /** Puts a document into the editor of a new tab and runs it. */
  async function run(document: string): Promise<void> {
    await page.getByRole('button', { name: /new tab/i }).click();
    await page.locator('.graphiql-query-editor .view-lines').first().click();
    await page.keyboard.press('Control+A');
    await page.keyboard.insertText(document);
    await page.getByRole('button', { name: /execute query/i }).click();
  }
  const result = () => page.locator('.result-window');

  test('the link signs in, the examples are in the tabs, and nothing has run', async () => {
    const { url } = await api.server.createSignInLink();
    await page.goto(url);
    await page.waitForURL(`${api.url}/`);
    await page.goto(`${api.url}/graphql`);
    await page.locator('.graphiql-query-editor .view-lines').first().waitFor();
    expect(await page.locator('.graphiql-tab').count()).toBeGreaterThanOrEqual(11);
    expect(await page.locator('.graphiql-query-editor').first().textContent()).toContain('Watch');
    expect(page.url()).not.toContain('code=');
    await expect.poll(() => operations).toEqual([expect.stringContaining('IntrospectionQuery')]);
    expect(sockets).toEqual([]);
  });

  test('a query and a mutation run over HTTP, a subscription over the WebSocket', async () => {
    await run('{ name transport }');
    await result().getByText('SESSION admin').waitFor();
    await run('mutation { touch(name: "in Chromium") }');
    await result().getByText('in Chromium').waitFor();
    expect(api.seen.mutations).toEqual(['in Chromium']);
    await run('subscription { ticks(count: 3) { number } }');
    await expect.poll(() => result().textContent()).toMatch(/"number":\s*3/);
    expect(sockets).toEqual([`ws://127.0.0.1:${api.port}/graphql`]);
  });

  test('an address with a mutation does not run it before it is told to', async () => {
    await page.goto(`http://127.0.0.1:${api.port}/graphql?query=mutation{touch(name:"address")}`);
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
