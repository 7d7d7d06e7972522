/**
 * The console in Chromium over a large fleet that changes all the time: frames while it is scrolled, as a
 * table and as a wall, beside those of a page of plain lines in turns, the processor time of its process, and its heap. `BENCH_SECONDS`:
 * how long, 60 by default.
 */
import { existsSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Browser, type CDPSession, chromium, type Page } from 'playwright-core';
import { untilIdle } from './commands.ts';
import { openTransitions } from './feed/transitions.ts';
import { type Figure, median } from './figures.ts';
import { adminToken, type ServerProcess, startServer } from './server.ts';
import type { Bench } from './stores.ts';

const instances = 10_000;
const perSecond = 200;
const seconds = Number(process.env.BENCH_SECONDS ?? 60);
const executablePath = process.env.CHROMIUM ?? '/usr/bin/chromium';
/** Chromium composes without a graphics card here: what it paints is not counted. */
const args = ['--no-sandbox', '--js-flags=--expose-gc'];
const tickMilliseconds = 50;
const viewport = { width: 1600, height: 1000 };

const aims = { framesPerSecond: 50, heapGrowth: 0.1, processor: 0.5 };

export async function measureConsole(
  bench: Bench,
  { url, store }: Awaited<ReturnType<Bench['createDatabase']>>,
): Promise<Figure[]> {
  if (!existsSync(executablePath)) {
    process.stderr.write(`No Chromium at ${executablePath} (CHROMIUM)\n`);
    return [];
  }
  const server = await startServer({ databaseUrl: url, dataDir: await bench.createFolder() });
  const browser = await chromium.launch({ executablePath, args });
  const end = new AbortController();
  let writing: Promise<number> = Promise.resolve(0);
  try {
    await untilIdle(store);
    const page = await browser.newPage({ viewport });
    const opened = await openConsole(page, server);
    const transitions = await openTransitions(store.database, {
      organizationId: store.defaultOrganizationId,
      notifier: store.notifier,
    });
    const cdp = await page.context().newCDPSession(page);
    await cdp.send('Performance.enable');
    const plainPage = await openPlainPage(browser);
    writing = writeUntil(end.signal, () => transitions.commit());
    await sleep(10_000); // What is compiled once is compiled.
    const measured = await measure(page, plainPage, cdp);
    const wall = await measureWall(page);
    end.abort();
    const written = await writing;
    return [
      ...opened,
      ...figuresOf(measured),
      { ...plain, name: '  frames a second of the wall while scrolling', value: wall },
      { ...plain, name: '  transitions a second', value: Math.round(written) },
    ];
  } finally {
    end.abort();
    await writing.catch(() => {});
    await browser.close();
    await server.stop();
  }
}

const plain = { reference: null, ratio: null, aim: null, met: null };

/** Signs in, and waits until all of the fleet is there. */
async function openConsole(page: Page, server: ServerProcess): Promise<Figure[]> {
  const answer = await fetch(`${server.url}/session/link`, {
    method: 'POST',
    headers: { authorization: `Bearer ${adminToken}` },
  });
  const { url } = (await answer.json()) as { url: string };
  await page.goto(url);
  await page.locator('.fleet tbody tr').first().waitFor();
  const began = performance.now();
  await page.goto(server.url);
  await page.locator('.fleet tbody tr').first().waitFor();
  const first = performance.now() - began;
  await page.getByText(`${instances.toLocaleString('en')} instances`, { exact: true }).waitFor();
  const all = performance.now() - began;
  return [
    {
      ...plain,
      name: `console of ${instances} instances: first rows, ms`,
      value: Math.round(first),
    },
    { ...plain, name: '  all rows, ms', value: Math.round(all) },
  ];
}

async function openPlainPage(browser: Browser): Promise<Page> {
  const page = await browser.newPage({ viewport });
  const words = 'As many words as a row of the fleet has. '.repeat(5);
  const lines = Array.from({ length: 3_000 }, (_, line) => `<p>${line} ${words}</p>`);
  await page.setContent(lines.join(''));
  return page;
}

/** @returns how many a second were written */
async function writeUntil(end: AbortSignal, commit: () => Promise<unknown>): Promise<number> {
  const began = performance.now();
  let written = 0;
  for (;;) {
    const elapsed = performance.now() - began;
    if (end.aborted) return (written * 1000) / elapsed;
    const due = Math.floor((elapsed * perSecond) / 1000) - written;
    await Promise.all(Array.from({ length: Math.min(due, 50) }, commit));
    written += Math.min(due, 50);
    await sleep(tickMilliseconds);
  }
}

interface Measured {
  readonly framesPerSecond: number[];
  readonly framesOfPlainPage: number[];
  readonly longestFrames: number[];
  readonly processor: number;
  readonly heaps: number[];
}

async function measure(page: Page, plainPage: Page, cdp: CDPSession): Promise<Measured> {
  const rounds = Math.max(2, Math.round(seconds / 10));
  const heaps = [await heapOf(cdp)];
  const framesPerSecond: number[] = [];
  const framesOfPlainPage: number[] = [];
  const longestFrames: number[] = [];
  let busy = 0;
  let elapsed = 0;
  for (let round = 0; round < rounds; round += 1) {
    await plainPage.bringToFront();
    framesOfPlainPage.push(rateOf(await plainPage.evaluate<Scrolled>(scroll(2_000))));
    await page.bringToFront();
    const [before, from] = [await processSeconds(cdp), performance.now()];
    const scrolled = await page.evaluate<Scrolled>(scroll(4_000));
    framesPerSecond.push(rateOf(scrolled));
    longestFrames.push(scrolled.longest);
    await sleep(4_000);
    busy += (await processSeconds(cdp)) - before;
    elapsed += (performance.now() - from) / 1000;
    heaps.push(await heapOf(cdp));
  }
  return { framesPerSecond, framesOfPlainPage, longestFrames, processor: busy / elapsed, heaps };
}

async function measureWall(page: Page): Promise<number> {
  await page.getByRole('button', { name: 'Wall' }).click();
  const rates: number[] = [];
  for (let round = 0; round < 3; round += 1)
    rates.push(rateOf(await page.evaluate<Scrolled>(scroll(4_000))));
  return Number(median(rates).toPrecision(3));
}

interface Scrolled {
  readonly frames: number;
  readonly milliseconds: number;
  readonly longest: number;
}

/** In the page, so not compiled: scrolls, and counts the frames. */
const scroll = (milliseconds: number) => /* JavaScript */ `new Promise((resolve) => {
  let frames = 0, first = 0, last = 0, longest = 0;
  const frame = (at) => {
    first ||= at;
    longest = Math.max(longest, last ? at - last : 0);
    last = at;
    if (at - first >= ${milliseconds}) {
      scrollTo(0, 0);
      return resolve({ frames, milliseconds: at - first, longest });
    }
    frames += 1;
    scrollBy(0, 60);
    requestAnimationFrame(frame);
  };
  requestAnimationFrame(frame);
})`;

const rateOf = ({ frames, milliseconds }: Scrolled): number => (frames * 1000) / milliseconds;

/** Processor time of the page's process. */
async function processSeconds(cdp: CDPSession): Promise<number> {
  const { metrics } = await cdp.send('Performance.getMetrics');
  return metrics.find(({ name }) => name === 'ProcessTime')?.value ?? Number.NaN;
}

/** Bytes that are still in use after a collection. */
async function heapOf(cdp: CDPSession): Promise<number> {
  await cdp.send('HeapProfiler.collectGarbage');
  const { usedSize } = await cdp.send('Runtime.getHeapUsage');
  return usedSize;
}

function figuresOf({
  framesPerSecond,
  framesOfPlainPage,
  longestFrames,
  processor,
  heaps,
}: Measured): Figure[] {
  const frames = median(framesPerSecond);
  const reference = median(framesOfPlainPage);
  const [before = Number.NaN, after = Number.NaN] = [heaps[0], heaps.at(-1)];
  const growth = after / before - 1;
  const rounded = (value: number) => Number(value.toPrecision(3));
  return [
    {
      name: `  frames a second while scrolling, over ${seconds} s`,
      value: rounded(frames),
      reference: rounded(reference),
      ratio: rounded(frames / reference),
      aim: `>= ${aims.framesPerSecond}`,
      met: frames >= aims.framesPerSecond,
    },
    {
      ...plain,
      name: '  frames a second, least of the rounds',
      value: rounded(Math.min(...framesPerSecond)),
    },
    { ...plain, name: '  longest frame, ms, median', value: rounded(median(longestFrames)) },
    {
      name: '  processor of the page, cores',
      value: rounded(processor),
      reference: null,
      ratio: null,
      aim: `<= ${aims.processor}`,
      met: processor <= aims.processor,
    },
    {
      name: '  heap after, MB',
      value: rounded(after / 1e6),
      reference: rounded(before / 1e6),
      ratio: rounded(1 + growth),
      aim: `<= ${1 + aims.heapGrowth}`,
      met: growth <= aims.heapGrowth,
    },
  ];
}
