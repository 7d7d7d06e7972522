/** What a runtime has answered 202 reaches the API, whatever is refused, cut, killed or away. */
import { mkdir, readFile, rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { Endpoint } from '../../src/runtime/protocol.ts';
import { type ControlPlane, createControlPlane, endpointOf } from './control-plane.ts';
import { ask, type Program, startProgram, temporaryFolder } from './program.ts';

const definition = {
  listeners: { http: { protocol: 'http', auth: 'NONE' } },
  messages: {
    note: {
      fields: {
        text: { type: 'STRING', maxLength: 10_000, required: false },
        level: { type: 'NUMBER', required: false },
      },
    },
  },
  inputCommands: {
    values: {
      auth: 'NONE',
      parameters: { device: { type: 'STRING' } },
      answer: { kind: 'DEVICE_VALUES', parameter: 'device' },
    },
  },
};

interface Running {
  readonly program: Program;
  readonly messages: Endpoint;
  readonly commands: Endpoint;
}

async function run(
  controlPlane: ControlPlane,
  env: Record<string, string>,
  folder = '',
): Promise<Running> {
  const program = await startProgram(controlPlane, env, { folder });
  const load = await controlPlane.command('LOAD_SOLUTION', {
    solution: { key: 'notes', version: '1.0.0', definition },
    settings: {},
    workingStorage: 'LOCAL',
    deviceStorage: 'CLOUD',
  });
  expect(load).toMatchObject({ outcome: 'DONE' });
  const started = await controlPlane.command('START_LISTENING', { intake: 'OPEN' });
  return {
    program,
    messages: endpointOf(started, 'http'),
    commands: endpointOf(started, 'input-commands'),
  };
}

async function accepted(to: Endpoint, body: object): Promise<void> {
  expect(await ask(to, { body })).toMatchObject({ status: 202 });
}

const devicesIn = (controlPlane: ControlPlane) =>
  new Set(controlPlane.values.map(({ device }) => device));

test('150 messages of 9.5 KB at once are all delivered, and a pause is done', async () => {
  const controlPlane = createControlPlane();
  const { url } = await controlPlane.listen();
  const { program, messages } = await run(controlPlane, { RUNTIME_ENDPOINT: url });
  const text = 'x'.repeat(9_500);
  await Promise.all(
    Array.from({ length: 150 }, (_, n) => accepted(messages, { device: `d-${n}`, text })),
  );
  expect(await controlPlane.command('PAUSE')).toMatchObject({ outcome: 'DONE' });
  expect(devicesIn(controlPlane).size).toBe(150);
  expect(program.output()).not.toContain('Warning');
});

test('a value that the API refuses is set aside, named in the log, counted, and holds up none', async () => {
  const controlPlane = createControlPlane();
  controlPlane.refusedValues = (values) =>
    values.some(({ device }) => device === 'poison') ? 'It is too long.' : undefined;
  const { url } = await controlPlane.listen();
  const { program, messages, commands } = await run(controlPlane, { RUNTIME_ENDPOINT: url });
  await Promise.all(
    Array.from({ length: 21 }, (_, n) =>
      accepted(messages, { device: n === 10 ? 'poison' : `d-${n}`, level: n }),
    ),
  );
  await controlPlane.until(() => devicesIn(controlPlane).size === 20);
  await controlPlane.until(() => controlPlane.reports.at(-1)?.counters?.valuesRefused === 1);
  expect(program.output()).toContain('poison');
  expect(program.output()).toContain('It is too long.');
  expect(await ask(commands, { path: '/values?device=poison' })).toMatchObject({ status: 200 });
});

test('what was answered 202 outlives the runtime, and reaches the API in the next run', async () => {
  const controlPlane = createControlPlane();
  const folder = await temporaryFolder();
  const api = await controlPlane.listen();
  const first = await run(controlPlane, { RUNTIME_ENDPOINT: api.url }, folder);
  await api.close();
  for (let n = 0; n < 20; n += 1) {
    await accepted(first.messages, { device: `d-${n % 10}`, level: n });
  }
  first.program.child.kill('SIGKILL');
  await first.program.exit;
  expect(controlPlane.values).toEqual([]);
  const again = await controlPlane.listen();
  const second = await run(controlPlane, { RUNTIME_ENDPOINT: again.url }, folder);
  await controlPlane.until(() => devicesIn(controlPlane).size === 10);
  expect(controlPlane.values.map(({ value }) => value)).toEqual([
    10, 11, 12, 13, 14, 15, 16, 17, 18, 19,
  ]);
  expect(await ask(second.commands, { path: '/values?device=d-3' })).toMatchObject({
    status: 200,
    body: { values: { level: { value: 13 } } },
  });
});

test('a pause while the API takes no values is done within its deadline, and they follow', async () => {
  const controlPlane = createControlPlane();
  const { url } = await controlPlane.listen();
  const { messages } = await run(controlPlane, { RUNTIME_ENDPOINT: url });
  controlPlane.refusal = { code: 'ILLEGAL_TRANSITION', message: 'Not now.', retryable: true };
  await accepted(messages, { device: 'late', level: 1 });
  const paused = controlPlane.command('PAUSE');
  await controlPlane.until(() => controlPlane.values.length > 0);
  // The completion is refused for now too; what it says was heard.
  expect(await paused).toMatchObject({ outcome: 'DONE' });
  const before = controlPlane.values.length;
  controlPlane.refusal = undefined;
  await controlPlane.until(() => controlPlane.values.length > before);
});

test('a file of values that cannot be created: 503, nothing accepted, and 202 once it can be', async () => {
  const controlPlane = createControlPlane();
  const { url } = await controlPlane.listen();
  const { program, messages, commands } = await run(controlPlane, { RUNTIME_ENDPOINT: url });
  const inTheWay = join(program.folder, 'outbox.db');
  await mkdir(inTheWay);
  const unavailable = { status: 503, headers: { 'retry-after': '10' } };
  const refused = await ask(messages, { body: { device: 'd-1', level: 1 } });
  expect(refused).toMatchObject(unavailable);
  await ask(messages, { body: { device: 'd-1', level: 1 } });
  expect(await ask(commands, { path: '/values?device=d-1' })).toMatchObject(unavailable);
  await controlPlane.until(() =>
    ['stored', 'read'].every((done) =>
      program.output().includes(`values cannot be ${done} in the work folder`),
    ),
  );
  // The reason is logged once, not for each message.
  expect(program.output().split('values cannot be stored')).toHaveLength(2);
  await rmdir(inTheWay);
  await accepted(messages, { device: 'd-1', level: 2 });
  await controlPlane.until(() => controlPlane.values.length > 0);
  expect(controlPlane.values.map(({ value }) => value)).toEqual([2]);
});

test('SQLite is loaded with the first value, which an idle runtime has none of', async () => {
  const controlPlane = createControlPlane();
  const { url } = await controlPlane.listen();
  const { program, messages } = await run(controlPlane, { RUNTIME_ENDPOINT: url });
  const maps = `/proc/${program.child.pid}/maps`;
  expect(await readFile(maps, 'utf8')).not.toContain('libsql');
  await accepted(messages, { device: 'd-1', level: 1 });
  expect(await readFile(maps, 'utf8')).toContain('libsql');
});
