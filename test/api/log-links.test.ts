/**
 * The log of a runtime over a network that fails: each line once and in order, whatever is cut, lost
 * on its way back, restarted or too much.
 */
import { afterAll, beforeAll, beforeEach, expect, onTestFinished, test } from 'vitest';
import { createCloudLogs } from '../../src/runtime/cloud-logs.ts';
import { createLog } from '../../src/runtime/log.ts';
import { startNetwork } from '../client/network.ts';
import { eventually } from '../harness/eventually.ts';
import { type Fleet, openFleet } from './fleet.ts';
import { connectRuntime, type Run, startServer } from './runtime-link.ts';

let fleet: Fleet;
let run: Run;
let key = '';
let count = 0;
beforeAll(async () => {
  fleet = await openFleet('PGLITE');
});
afterAll(() => fleet?.close());
beforeEach(async () => {
  count += 1;
  key = `logs-${count}`;
  await fleet.ask(`mutation {
    createDeviceRepository(input: { key: "${key}-devices", storage: CLOUD }) { __typename }
    createInstance(input: { key: "${key}", solution: "greenhouse", subscription: "trial",
      deviceRepository: "${key}-devices", configuration: { app: {} } }) { __typename } }`);
  await fleet.command('deployInstance', { instance: key });
  run = await nextRun(null);
  await fleet.store.database.query(
    "update instances set working_storage = 'CLOUD' where key = $1",
    [key],
  );
});

/** The run of the instance, once it is another one. */
async function nextRun(before: string | null): Promise<Run> {
  return await eventually(async () => {
    const [row] = await fleet.store.database.query<Run & Record<string, unknown>>(
      `select organization_id as "organizationId", id as "instanceId", run_id as "runId"
         from instances where key = $1 and state = 'RUNNING' and run_id is distinct from $2::uuid`,
      [key, before],
    );
    return row ?? Promise.reject(new Error('no run'));
  });
}

/** A runtime's log, over its own connection to the address. */
async function openLog(url: string) {
  const log = createLog(() => {});
  log.keepIn(createCloudLogs(await connectRuntime(fleet, { url, run })));
  onTestFinished(() => log.close());
  return log;
}

interface Line {
  readonly number: number;
  readonly run: string;
  readonly text: string;
}

/** Reads `instanceLogs` from now on. */
async function follow(tail = 0): Promise<{ readonly lines: Line[] }> {
  const events = await fleet.stream(
    'subscription ($key: ID!, $tail: Int) { instanceLogs(instance: $key, tail: $tail) { number run text } }',
    { key, tail },
  );
  onTestFinished(async () => void (await events.return?.()));
  const lines: Line[] = [];
  void (async () => {
    for (;;) {
      const { done, value } = await events.next();
      if (done) return;
      lines.push(value.instanceLogs);
    }
  })();
  return { lines };
}

const texts = (lines: readonly Line[]) => lines.map(({ text }) => text);
const numbered = (most: number) => Array.from({ length: most }, (_, index) => `line ${index + 1}`);

test('each line once and in order while the link is cut and answers are lost', async () => {
  const server = await startServer(fleet);
  const target = { url: server.url };
  const network = await startNetwork(target);
  const log = await openLog(network.url);
  const reader = await follow();
  const all = numbered(300);
  const waiting = [...all];
  const write = (count: number) => {
    for (const text of waiting.splice(0, count)) log.info(text);
  };
  for (let round = 0; round < 5; round += 1) {
    if (round === 2) {
      await server.stop();
      target.url = (await startServer(fleet)).url;
    }
    write(20);
    await log.flushed();
    // What the server answers from now on is lost: it keeps what it was sent.
    network.stall();
    write(20);
    void log.flushed();
    await eventually(() => expect(reader.lines.length).toBeGreaterThan(round * 60 + 20));
    write(20);
    network.cut();
  }
  await log.flushed();
  await eventually(() => expect(reader.lines.length).toBeGreaterThanOrEqual(all.length));
  expect(texts(reader.lines)).toEqual(all);
  expect(reader.lines.map(({ number }) => number)).toEqual(all.map((_, index) => index + 1));
  const late = await follow(1000);
  await eventually(() => expect(texts(late.lines)).toEqual(all));
});

test('one line in the place of those that were dropped says how many', async () => {
  const server = await startServer(fleet);
  const network = await startNetwork(server);
  const log = await openLog(network.url);
  const reader = await follow();
  log.info('first');
  await eventually(() => expect(texts(reader.lines)).toEqual(['first']));
  network.refuse();
  network.cut();
  const all = numbered(7_000);
  for (const text of all) log.info(text);
  network.mend();
  await log.flushed();
  await eventually(() => expect(reader.lines.at(-1)?.text).toBe('line 7000'));
  const said = reader.lines.filter(({ text }) => text.includes('dropped'));
  expect(said).toHaveLength(1);
  const dropped = Number(/^(\d+) lines were dropped here/.exec(said[0]!.text)?.[1]);
  expect(dropped).toBeGreaterThan(0);
  expect(reader.lines.length - 2 + dropped).toBe(all.length);
  const at = reader.lines.indexOf(said[0]!);
  const next = reader.lines[at + 1]!;
  const before = reader.lines[at - 1]!;
  expect(next.number - before.number).toBe(dropped + 1);
  expect(said[0]!.number).toBe(next.number - 1);
  const kept = reader.lines.filter((line) => line !== said[0]);
  expect(kept.map(({ number }) => number)).toEqual(
    kept.map(({ number }) => number).toSorted((a, b) => a - b),
  );
});

test('lines of the next run follow those of the run before, whatever comes late', async () => {
  const server = await startServer(fleet);
  const first = run;
  const lines = (runId: string, ...numbers: (number | null)[]) => ({
    run: runId,
    lines: numbers.map((number) => ({
      ...(number === null ? {} : { number }),
      ...{ at: new Date().toISOString(), level: 'INFO', text: `line ${number}` },
    })),
  });
  const send = async (of: Run, ...numbers: (number | null)[]) =>
    (
      await fleet.askAs(
        of,
        `mutation ($input: ReportLogsInput!) { reportLogs(input: $input) {
           __typename ... on InvalidInput { issues { path } } } }`,
        lines(of.runId, ...numbers),
      )
    ).reportLogs;
  const accepted = { __typename: 'RuntimeReportAccepted' };
  expect(await send(first, 1, 2, 3)).toEqual(accepted);
  expect(await send(first, 3, 4)).toEqual(accepted);
  // A batch that was on its way since before, and one of a runtime that does not number its lines.
  expect(await send(first, 2, 3)).toEqual(accepted);
  expect(await send(first, null, null)).toEqual(accepted);
  for (const [wrong, place] of [
    [[8, 8], 1],
    [[9, 8], 1],
    [[0], 0],
    [[7.5], 0],
    [[8, null], 1],
    [[null, 8], 1],
  ] as const) {
    expect(await send(first, ...wrong)).toMatchObject({
      __typename: 'InvalidInput',
      issues: [{ path: `lines.${place}.number` }],
    });
  }
  await fleet.command('restartInstance', { instance: key });
  run = await nextRun(first.runId);
  expect(await send(first, 7)).toMatchObject({ __typename: 'RuntimeReportRefused' });
  const log = await openLog(server.url);
  log.info('of the next');
  await log.flushed();
  const reader = await follow(1000);
  await eventually(() => expect(reader.lines.at(-1)?.text).toBe('of the next'));
  expect(reader.lines.map(({ run: of, number }) => [of, number])).toEqual([
    ...[1, 2, 3, 4, 5, 6].map((number) => [first.runId, number]),
    [run.runId, 1],
  ]);
});
