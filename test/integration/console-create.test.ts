/** The console by keyboard alone: create and deploy an instance, publish a version, read operations and history. */
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { type Browser, chromium, type Locator, type Page } from 'playwright-core';
import { expect, onTestFinished, test } from 'vitest';
import { createClient } from './client.ts';
import { startServer } from './server.ts';

const executablePath = process.env.CHROMIUM ?? '/usr/bin/chromium';
const isThere = existsSync(executablePath);
if (!isThere) console.log(`The console is not tested: no Chromium at ${executablePath} (CHROMIUM)`);

const args = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run'];
const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

async function openBrowser(): Promise<Browser> {
  const browser = await chromium.launch({ executablePath, args });
  onTestFinished(() => browser.close());
  return browser;
}

/** What axe-core finds, light and dark: nothing. */
async function expectAccessible(page: Page, view: string): Promise<void> {
  for (const colorScheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
    if (!(await page.evaluate(() => 'axe' in globalThis))) await page.evaluate(axe);
    const found = await page.evaluate(async () => {
      const { axe } = globalThis as unknown as {
        axe: {
          run(
            options: object,
          ): Promise<{ violations: { id: string; nodes: { html: string }[] }[] }>;
        };
      };
      const { violations } = await axe.run({ resultTypes: ['violations'] });
      return violations.map(
        ({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join('\n')}`,
      );
    });
    expect(found, `${view}, ${colorScheme}`).toEqual([]);
  }
}

/** Goes on with Tab until it is there. */
async function tabTo(target: Locator): Promise<void> {
  const page = target.page();
  const element = await target.elementHandle();
  for (let press = 0; press < 250; press += 1) {
    if (await page.evaluate((wanted) => wanted === document.activeElement, element)) return;
    await page.keyboard.press('Tab');
  }
  throw new Error(`Tab does not lead to ${target}`);
}

async function press(target: Locator): Promise<void> {
  await tabTo(target);
  await target.page().keyboard.press('Enter');
}

async function type(target: Locator, text: string): Promise<void> {
  await tabTo(target);
  await target.page().keyboard.press('Control+A');
  await target.page().keyboard.insertText(text);
}

/** Chooses the option that begins with a text, as a list takes it from the keyboard. */
async function choose(target: Locator, text: string): Promise<void> {
  await tabTo(target);
  await target.page().keyboard.type(text);
  await expect
    .poll(() => target.evaluate((list: HTMLSelectElement) => list.selectedOptions[0]?.text))
    .toMatch(new RegExp(`^${text}`, 'i'));
}

const describedBy = (field: Locator): Promise<string> =>
  field.evaluate((element) =>
    (element.getAttribute('aria-describedby') ?? '')
      .split(' ')
      .map((id) => document.getElementById(id)?.textContent ?? '')
      .join(' '),
  );

const named = (page: Page) => ({
  link: (name: string | RegExp) => page.getByRole('link', { name }).first(),
  button: (name: string | RegExp) => page.getByRole('button', { name, exact: true }).first(),
  text: (name: string | RegExp) => page.getByRole('textbox', { name }).first(),
  list: (name: string | RegExp) => page.getByRole('combobox', { name }).first(),
  view: (name: string) => page.getByRole('navigation', { name: 'Views' }).getByText(name),
});

async function createInstance(page: Page): Promise<void> {
  const { button, list, text, view } = named(page);
  await press(view('Create'));
  await expect.poll(() => list('Solution').locator('option').count()).toBeGreaterThan(1);
  // Three mistakes: a key that is taken, a setting that is no number, no device repository.
  await type(text(/^Name/), 'North Greenhouse');
  expect(await text(/^Key/).inputValue()).toBe('north-greenhouse');
  await expect.poll(() => describedBy(text(/^Key/))).toContain('This key is free.');
  await type(text(/^Key/), 'greenhouse-1');
  await expect.poll(() => describedBy(text(/^Key/))).toContain('This key is taken');
  await choose(list('Solution'), 'Greenhouse');
  await type(text(/^alarmTemperature/), 'hot');
  await choose(list('Billing subscription'), 'Trial');
  await press(button('Create the instance'));
  const summary = page.getByRole('alert');
  await summary.waitFor();
  await expect.poll(() => summary.evaluate((box) => box === document.activeElement)).toBe(true);
  expect(await summary.getByRole('listitem').allInnerTexts()).toEqual([
    expect.stringMatching(/^Key: The key greenhouse-1 is taken/),
    'alarmTemperature: Must be a number.',
    'Device repository: Choose a free device repository, or make one.',
  ]);
  expect(await describedBy(text(/^alarmTemperature/))).toContain('Must be a number.');
  expect(await describedBy(list(/^Device repository/))).toContain('Choose a free device');
  await expectAccessible(page, 'create');

  await page.reload();
  await expect.poll(() => text(/^alarmTemperature/).inputValue()).toBe('hot');
  await press(button('Create the instance'));
  await press(summary.getByRole('button').first());
  await page.keyboard.press('Control+A');
  await page.keyboard.insertText('north-greenhouse');
  await type(text(/^alarmTemperature/), '31.5');
  await press(button('Make a device repository'));
  const dialog = page.getByRole('dialog');
  expect(await dialog.getByRole('textbox', { name: /^Key/ }).inputValue()).toBe(
    'north-greenhouse-devices',
  );
  await press(dialog.getByRole('button', { name: 'Create the device repository' }));
  await dialog.waitFor({ state: 'detached' });
  expect(await list(/^Device repository/).inputValue()).toBe('north-greenhouse-devices');
  const plan = page.getByRole('complementary', { name: 'What will be made' });
  const planned = await plan.innerText();
  for (const part of ['north-greenhouse-host', 'north-greenhouse.instances.test', '1.0', 'trial'])
    expect(planned).toContain(part);
  // The answer is lost: the page does not know, keeps what was typed, and sends the same again.
  let isLost = false;
  await page.route('**/graphql', async (route, request) => {
    if (isLost || !request.postData()?.includes('createInstance')) return route.fallback();
    isLost = true;
    await route.fetch();
    await route.abort();
  });
  await press(button('Create the instance'));
  await expect.poll(() => summary.innerText()).toMatch(/done or not[\s\S]*once at most/);
  await press(button('Create the instance'));
  await page.waitForURL('**/instances/north-greenhouse');
  await page.unroute('**/graphql');
}

async function readOperations(page: Page): Promise<void> {
  const { view, text } = named(page);
  await press(view('Operations'));
  const row = page.getByRole('row').filter({ hasText: /Deploy instance/ });
  await row.getByText('Succeeded').waitFor();
  expect(await row.innerText()).toContain('north-greenhouse');
  await press(page.getByText('Status: any'));
  await tabTo(page.getByRole('checkbox', { name: 'Failed' }));
  await page.keyboard.press('Space');
  await page.getByText('No operation matches.').waitFor();
  expect(new URL(page.url()).searchParams.get('status')).toBe('FAILED');
  await press(named(page).button('Clear the filters'));
  await row.waitFor();
  await type(text('Instances').or(page.getByRole('searchbox', { name: 'Instances' })), 'nobody');
  await page.keyboard.press('Enter');
  await page.getByText('No operation matches.').waitFor();
  await press(named(page).button('Clear the filters'));
  await row.waitFor();
  await expectAccessible(page, 'operations');
}

async function readHistory(
  page: Page,
  { pause, resume }: Readonly<Record<'pause' | 'resume', () => Promise<unknown>>>,
): Promise<void> {
  const { view, button } = named(page);
  await press(view('History'));
  const rows = page.getByRole('table').locator('tbody tr');
  await expect.poll(() => rows.count()).toBeGreaterThan(5);
  expect(await rows.first().innerText()).toMatch(/north-greenhouse[\s\S]*Running/);
  await pause();
  await expect.poll(() => rows.first().innerText()).toMatch(/Pausing[\s\S]*Paused/);
  expect(await rows.nth(1).innerText()).toContain('to water the beds');
  const download = page.waitForEvent('download');
  await press(button('Export as JSON Lines'));
  const lines = readFileSync(await (await download).path(), 'utf8')
    .trimEnd()
    .split('\n');
  expect(lines).toHaveLength(await rows.count());
  expect(JSON.parse(lines[0] ?? '')).toMatchObject({ fromState: 'PAUSING', toState: 'PAUSED' });
  // While a row is read, new ones wait.
  await tabTo(rows.nth(2).getByRole('link').first());
  await resume();
  await button('2 new').waitFor();
  expect(await rows.first().innerText()).toMatch(/Pausing[\s\S]*Paused/);
  await press(button('2 new'));
  await expect.poll(() => rows.first().innerText()).toMatch(/Starting[\s\S]*Running/);
  await expectAccessible(page, 'history');
}

async function publish(page: Page): Promise<void> {
  const { view, link, text, button } = named(page);
  await press(view('Solutions'));
  await page.getByText(/\d instances? on/).waitFor();
  await expectAccessible(page, 'solutions');
  await press(link('Greenhouse'));
  const document = text('Document');
  const before = await document.inputValue();
  const faults = page.locator('#document-faults');
  await type(document, before.replace('"maximum": 85', '"maximum": 85,,'));
  await expect.poll(() => faults.innerText()).toMatch(/Line \d+, column \d+: A name in/);
  const hotter = before.replace('"maximum": 85', '"maximum": 90');
  await type(document, hotter.replace('"NUMBER"', '"FLOAT"'));
  await expect.poll(() => faults.innerText()).toContain('must be one of STRING, NUMBER');
  await expectAccessible(page, 'document');
  await press(button('Publish'));
  const summary = page.getByRole('alert');
  await expect.poll(() => summary.innerText()).toMatch(/Line \d+: Must be one of STRING/);
  await press(summary.getByRole('button').first());
  await expect
    .poll(() => document.evaluate((area) => area === globalThis.document.activeElement))
    .toBe(true);
  await type(document, hotter);
  await expect.poll(() => faults.innerText()).toContain('No fault found');
  await press(button('Publish'));
  await page.getByText('1 difference between 1.0 and 1.1').waitFor();
  await page.getByText('maximum: 85 → 90').waitFor();
  await expectAccessible(page, 'changes');
  await press(page.getByRole('navigation', { name: 'Of Greenhouse' }).getByText('Instances'));
  await page.getByText('1 instance will run another version').waitFor();
  const row = page.getByRole('row').filter({ hasText: 'north-greenhouse' });
  expect(await row.innerText()).toMatch(/1\.0[\s\S]*1\.1[\s\S]*another one/);
  await expectAccessible(page, 'instances of a solution');
}

async function registerEngine(page: Page): Promise<void> {
  const { view, link, button, text, list } = named(page);
  await press(view('Providers'));
  const local = page.locator('#local');
  await local.getByText('Answers').waitFor();
  expect(await local.innerText()).toMatch(
    /the default[\s\S]*north-greenhouse-host[\s\S]*CPU declared/,
  );
  await press(link('Register a Docker engine'));
  await type(text(/^Name/), 'Engine');
  await type(text(/^Endpoint/), 'tcp://engine.example:2376');
  await press(button('Create the docker engine'));
  await expect.poll(() => page.getByRole('alert').innerText()).toMatch(/tls|PUBLIC_URL/);
  await expectAccessible(page, 'register an engine');
  await type(text(/^Endpoint/), 'unix:///nowhere/docker.sock');
  await press(button('Create the docker engine'));
  await press(link('See whether it answers'));
  const engine = page.locator('#engine');
  await engine.getByText('Does not answer').waitFor();
  expect(await engine.innerText()).toMatch(/nowhere[\s\S]*on this machine/);
  await expectAccessible(page, 'providers');
  await press(button('Make default: engine'));
  await expect.poll(() => engine.innerText()).toContain('the default');
  await press(button('Make default: local'));
  await expect.poll(() => local.innerText()).toContain('the default');
  await press(view('Create'));
  await expect.poll(() => list('Compute provider').locator('option').count()).toBe(2);
  await choose(list('Compute provider'), 'Engine');
  await press(view('Providers'));
  await press(button('Delete: engine'));
  const dialog = page.getByRole('dialog');
  await type(dialog.getByRole('textbox'), 'engine');
  await press(dialog.getByRole('button', { name: 'Delete' }));
  await engine.waitFor({ state: 'detached' });
}

test.runIf(isThere)(
  'create, operations, history, solutions, providers',
  { timeout: 300_000 },
  async () => {
    const server = await startServer();
    onTestFinished(() => server.dispose());
    const client = createClient(server);
    const link = /https?:\/\/\S+#\S+/.exec(server.output())?.[0] ?? '';
    const browser = await openBrowser();
    const context = await browser.newContext({ viewport: { width: 1400, height: 900 } });
    const page = await context.newPage();
    const problems: string[] = [];
    page.on('pageerror', (error) => problems.push(error.message));
    page.on('console', (message) => {
      // The answer that is lost on purpose.
      const isMeant = message.text().includes('net::ERR_FAILED');
      if (message.type() === 'error' && !isMeant) problems.push(message.text());
    });
    await page.goto(link);
    await page.getByText('Live', { exact: true }).waitFor({ timeout: 60_000 });

    await createInstance(page);
    await press(named(page).button('Deploy'));
    await client.until('north-greenhouse', 'RUNNING');
    await readOperations(page);
    await readHistory(page, {
      pause: () =>
        client.accept('pauseInstance', 'north-greenhouse', { reason: 'to water the beds' }),
      resume: () => client.accept('resumeInstance', 'north-greenhouse'),
    });
    await publish(page);
    await registerEngine(page);
    expect(problems).toEqual([]);
  },
);
