/** The runtime program from its start to its end, driven by an API in the test. */
import { readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { join } from 'node:path';
import Database from 'libsql';
import { describe, expect, onTestFinished, test } from 'vitest';
import greenhouse from '../../schema/greenhouse.json' with { type: 'json' };
import { type ControlPlane, createControlPlane, endpointOf, type Finish } from './control-plane.ts';
import {
  ask,
  beginMessage,
  listens,
  startProgram,
  temporaryFolder,
  untilClosed,
} from './program.ts';

const climate = { device: 'bed-1', temperature: 21.5, humidity: 60 };

function load(definition: object = greenhouse, more: object = {}) {
  return {
    solution: { key: 'greenhouse', version: '1.0.0', definition },
    settings: {},
    workingStorage: 'LOCAL',
    deviceStorage: 'LOCAL',
    ...more,
  };
}

async function online(finish: Finish = onTestFinished) {
  const controlPlane = createControlPlane();
  const api = await controlPlane.listen(finish);
  const program = await startProgram(controlPlane, { RUNTIME_ENDPOINT: api.url }, { finish });
  return { controlPlane, api, program };
}

async function running(
  definition: object = greenhouse,
  more: object = {},
  finish: Finish = onTestFinished,
) {
  const { controlPlane, api, program } = await online(finish);
  await expectDone(controlPlane, 'LOAD_SOLUTION', load(definition, more));
  const started = await expectDone(controlPlane, 'START_LISTENING', { intake: 'OPEN' });
  const http = endpointOf(started, 'http');
  return { controlPlane, api, program, http, commands: endpointOf(started, 'input-commands') };
}

async function expectDone(
  controlPlane: ControlPlane,
  ...command: Parameters<ControlPlane['command']>
) {
  const completion = await controlPlane.command(...command);
  expect(completion).toMatchObject({ outcome: 'DONE', run: controlPlane.run });
  return completion;
}

function rows(folder: string, file: string, query: string): unknown[] {
  const database = new Database(join(folder, file));
  const found = database.prepare(query).all();
  database.close();
  return found;
}

test('a whole life: load, start, messages, pause, resume, stop', async () => {
  const { controlPlane, program, http, commands } = await running();
  expect(controlPlane.reports[0]).toMatchObject({ report: 'ONLINE', run: controlPlane.run });
  expect(http).toMatchObject({ kind: 'MESSAGES', address: '127.0.0.1', path: '/messages' });
  expect(commands).toMatchObject({ kind: 'INPUT_COMMANDS', protocol: 'http', path: '/' });

  expect(await ask(http, { body: climate })).toMatchObject({
    status: 202,
    body: { accepted: true },
  });
  const values = { temperature: { value: 21.5 }, humidity: { value: 60 } };
  const bed = { path: '/climate?bed=bed-1' };
  expect(await ask(commands, bed)).toMatchObject({
    status: 200,
    body: { device: 'bed-1', values },
  });
  expect(await ask(commands, { path: '/alarm' })).toMatchObject({ body: { value: 35 } });
  const water = { bed: 'bed-1', litres: 2 };
  expect(await ask(commands, { path: '/water', body: water })).toMatchObject({
    body: { parameters: water },
  });

  const paused = await expectDone(controlPlane, 'PAUSE');
  expect(paused.endpoints?.map(({ name }) => name)).toEqual(['input-commands']);
  await expect(ask(http, { body: climate })).rejects.toThrow('ECONNREFUSED');
  expect(await ask(commands, { path: '/status' })).toMatchObject({
    status: 200,
    body: { state: 'PAUSED', counters: { messagesAccepted: 1, messagesRejected: 0 } },
  });

  const resumed = await expectDone(controlPlane, 'RESUME');
  expect(endpointOf(resumed, 'http')).toEqual(http);
  expect(await ask(http, { body: { ...climate, device: 'bed-2' } })).toMatchObject({ status: 202 });
  const counted = { messagesAccepted: 2, inputCommands: 4 };
  await controlPlane.until(() => controlPlane.reports.at(-1)?.counters?.messagesAccepted === 2);
  expect(controlPlane.reports.at(-1)).toMatchObject({ report: 'HEARTBEAT', counters: counted });

  await expectDone(controlPlane, 'STOP');
  expect(await program.exit).toBe(0);
  const devices = 'select device, field, value from device_values order by device, field';
  expect(rows(program.folder, 'devices.db', devices)).toMatchObject([
    { device: 'bed-1', field: 'humidity', value: '60' },
    { device: 'bed-1', field: 'temperature', value: '21.5' },
    { device: 'bed-2', field: 'humidity' },
    { device: 'bed-2', field: 'temperature' },
  ]);
  const lines = (await readFile(join(program.folder, 'logs.jsonl'), 'utf8')).trim().split('\n');
  expect(lines.map((line) => JSON.parse(line).number)).toEqual(lines.map((_, n) => n + 1));
  expect(lines.length).toBeGreaterThan(5);
  expect(program.output()).not.toContain(controlPlane.runKey);
});

test('what bad requests get, all faulty fields named at once', async () => {
  const { http, commands } = await running();
  const bad = { device: '', temperature: 'warm', humidity: 101, extra: 1 };
  const { status, body } = await ask(http, { body: bad });
  expect(status).toBe(400);
  const paths = (body.faults as { path: string }[]).map(({ path }) => path);
  expect(paths).toEqual(['device', 'temperature', 'humidity', 'extra']);
  const type = 'application/json';
  const json = { 'content-type': type };
  const latin = Buffer.from(JSON.stringify({ ...climate, device: 'b\u00e9' }), 'latin1');
  for (const taken of ['Application/JSON', `${type} ; charset="utf-8"`])
    expect(await ask(http, { body: climate, headers: { 'content-type': taken } })).toMatchObject({
      status: 202,
    });
  const cases: [string, Parameters<typeof ask>[1], number][] = [
    ['no JSON', { body: '{', headers: json }, 400],
    ['an array', { body: [] }, 400],
    ['an unknown type', { body: { ...climate, type: '__proto__' } }, 400],
    ['a name of every object', { body: { ...climate, constructor: 1 } }, 400],
    ['another path', { path: '/', body: climate }, 404],
    ['another method', { method: 'PUT', body: climate }, 405],
    ['too much', { body: { ...climate, device: 'x'.repeat(70_000) } }, 413],
    ['a form', { body: 'a=b', headers: { 'content-type': 'text/plain' } }, 415],
    [
      'another charset',
      { body: climate, headers: { 'content-type': `${type}; charset=latin1` } },
      415,
    ],
    ['compressed', { body: climate, headers: { ...json, 'content-encoding': 'gzip' } }, 415],
    ['an Accept without JSON', { body: climate, headers: { accept: 'text/html' } }, 406],
    ['bytes that are not UTF-8', { body: latin, headers: json }, 400],
    ['another Host', { body: climate, headers: { host: 'evil.example:80' } }, 421],
    ['an Origin', { body: climate, headers: { origin: 'http://evil.example' } }, 403],
  ];
  for (const [what, request, expected] of cases) {
    expect((await ask(http, request)).status, what).toBe(expected);
  }
  expect(await ask(commands, { path: '/climate' })).toMatchObject({ status: 400 });
  expect(await ask(commands, { path: '/climate?bed=other' })).toMatchObject({ status: 404 });
  expect(await ask(commands, { path: '/constructor' })).toMatchObject({ status: 404 });
  expect(await ask(commands, { path: '/water', body: { bed: 'x', litres: 51 } })).toMatchObject({
    body: { faults: [{ path: 'bed' }, { path: 'litres' }] },
  });
  expect(await ask(commands, { path: '/status' })).toMatchObject({
    body: { counters: { messagesAccepted: 2, messagesRejected: 15 } },
  });
});

test('keys and Origins; values and logs through the API', async () => {
  const origin = 'https://panel.example.org';
  const definition = {
    settings: { listenerKey: { type: 'STRING', secret: true } },
    listeners: { http: { protocol: 'http', allowedOrigins: [origin] } },
    messages: { level: { fields: { level: { type: 'INTEGER' } } } },
    inputCommands: { status: { answer: { kind: 'STATUS' } } },
  };
  const storages = { workingStorage: 'CLOUD', deviceStorage: 'CLOUD' };
  const settings = { listenerKey: 'a-key-of-devices' };
  const { controlPlane, http, commands } = await running(definition, { ...storages, settings });
  const body = { device: 'tank', level: 1 };
  expect(await ask(http, { body })).toMatchObject({ status: 401 });
  const wrong = { authorization: 'Bearer another' };
  expect(await ask(http, { body, headers: wrong })).toMatchObject({ status: 401 });
  const bearer = { authorization: 'Bearer a-key-of-devices' };
  expect(await ask(http, { body, headers: { ...bearer, origin } })).toMatchObject({
    status: 202,
    headers: { 'access-control-allow-origin': origin },
  });
  const preflight = await ask(http, { method: 'OPTIONS', headers: { origin } });
  expect(preflight).toMatchObject({ status: 204, headers: { vary: 'Origin' } });
  const key = { 'x-api-key': 'a-key-of-devices' };
  expect(await ask(http, { body: { ...body, level: 2 }, headers: key })).toMatchObject({
    status: 202,
  });
  expect(await ask(commands, { path: '/status' })).toMatchObject({ status: 401 });
  await expectDone(controlPlane, 'PAUSE');
  expect(controlPlane.values.at(-1)).toMatchObject({ device: 'tank', field: 'level', value: 2 });
  await controlPlane.until(() => controlPlane.logs.some(({ text }) => text.includes('PAUSE')));
  expect(JSON.stringify(controlPlane.logs)).not.toContain('a-key-of-devices');
});

test('a secret is no answer, although the solution no longer calls it one', async () => {
  const answer = (setting: string) => ({ auth: 'NONE', answer: { kind: 'SETTING', setting } });
  const definition = {
    settings: { token: { type: 'STRING' }, note: { type: 'STRING' } },
    listeners: { http: { protocol: 'http', auth: 'NONE' } },
    messages: { level: { fields: { level: { type: 'INTEGER' } } } },
    inputCommands: { token: answer('token'), note: answer('note') },
  };
  const settings = { token: 'hush', note: 'hello' };
  const { commands } = await running(definition, { settings, secretSettings: ['token'] });
  expect(await ask(commands, { path: '/note' })).toMatchObject({ body: { value: 'hello' } });
  expect(await ask(commands, { path: '/token' })).toMatchObject({ body: { value: null } });
});

test('a paused instance is started without taking a message', async () => {
  const { controlPlane } = await online();
  await expectDone(controlPlane, 'LOAD_SOLUTION', load());
  const started = await expectDone(controlPlane, 'START_LISTENING', { intake: 'CLOSED' });
  expect(started.endpoints?.map(({ name }) => name)).toEqual(['input-commands']);
  const resumed = await expectDone(controlPlane, 'RESUME');
  expect(await ask(endpointOf(resumed, 'http'), { body: climate })).toMatchObject({ status: 202 });
});

describe('a solution that cannot be loaded', () => {
  const secret = { listenerKey: { type: 'STRING', secret: true } };
  const cases: [string, object, string[]][] = [
    [
      'three faults of its shape',
      { listeners: { http: { protocol: 'coap', port: 70_000 } }, messges: {} },
      ['listeners.http.protocol', 'listeners.http.port', 'messges'],
    ],
    ['a missing setting', { settings: secret }, ['settings.listenerKey is missing']],
    ['a newer runtime', { runtime: { minimumVersion: '99.0.0' } }, ['asks for 99.0.0']],
    [
      'a broken pattern and an unknown listener',
      { messages: { a: { listener: 'x', fields: { f: { type: 'STRING', pattern: '(' } } } } },
      ['messages.a.listener', 'messages.a.fields.f.pattern'],
    ],
  ];
  test('fails with every reason, and the runtime lives', async () => {
    const { controlPlane } = await online();
    for (const [what, definition, reasons] of cases) {
      const completion = await controlPlane.command('LOAD_SOLUTION', load(definition));
      expect(completion.outcome, what).toBe('FAILED');
      for (const reason of reasons) expect(completion.message).toContain(reason);
    }
    expect(await controlPlane.command('START_LISTENING', { intake: 'OPEN' })).toMatchObject({
      outcome: 'FAILED',
      message: expect.stringContaining('LOAD_SOLUTION'),
    });
    await expectDone(controlPlane, 'LOAD_SOLUTION', load());
  });
});

test('a taken port fails the start, names itself, and leaves nothing open', async () => {
  const taker = createServer();
  await new Promise<void>((resolve) => taker.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void taker.close());
  const { port } = taker.address() as AddressInfo;
  const free = createServer();
  await new Promise<void>((resolve) => free.listen(0, '127.0.0.1', resolve));
  const other = (free.address() as AddressInfo).port;
  await new Promise((resolve) => free.close(resolve));
  const open = { protocol: 'http', auth: 'NONE' };
  const { controlPlane } = await online();
  const listeners = { first: { ...open, port: other }, second: { ...open, port } };
  await expectDone(controlPlane, 'LOAD_SOLUTION', load({ listeners }));
  const completion = await controlPlane.command('START_LISTENING', { intake: 'OPEN' });
  expect(completion.outcome).toBe('FAILED');
  expect(completion.message).toContain(`second cannot listen on 127.0.0.1:${port}`);
  expect(completion.message).toContain('EADDRINUSE');
  expect(await listens('127.0.0.1', other)).toBe(false);
});

test('a pause is done when the accepted messages are', async () => {
  const { controlPlane, http, commands } = await running();
  const message = await beginMessage(http, climate);
  const silent = connect(http.port, http.address);
  // The runtime cuts it off at the end, which may come as a reset.
  silent.on('error', () => undefined);
  await new Promise((resolve) => silent.once('connect', resolve));
  const before = controlPlane.completions.length;
  const paused = controlPlane.command('PAUSE');
  await untilClosed(http);
  expect(await ask(commands, { path: '/status' })).toMatchObject({ body: { state: 'PAUSING' } });
  expect(controlPlane.completions.length).toBe(before);
  message.finish();
  expect(await paused).toMatchObject({ outcome: 'DONE' });
  expect(await message.closed).toContain('HTTP/1.1 202');
  const bed = { path: '/climate?bed=bed-1' };
  expect(await ask(commands, bed)).toMatchObject({ status: 200 });
});

// Each waits for seconds until the runtime gives a body up.
test.concurrent('a pause refuses a body that stalls, and one that drips', async ({
  onTestFinished,
}) => {
  const { controlPlane, http, commands } = await running(greenhouse, {}, onTestFinished);
  const stalled = await beginMessage(http, climate, onTestFinished);
  const dripping = await beginMessage(
    http,
    { ...climate, padding: ' '.repeat(200) },
    onTestFinished,
  );
  dripping.drip();
  await expectDone(controlPlane, 'PAUSE');
  for (const message of [stalled, dripping]) {
    const answer = (await message.closed).toLowerCase();
    expect(answer).toContain('http/1.1 503');
    expect(answer).toContain('connection: close');
  }
  expect(await ask(commands, { path: '/climate?bed=bed-1' })).toMatchObject({ status: 404 });
  expect(await ask(commands, { path: '/status' })).toMatchObject({
    body: { state: 'PAUSED', counters: { messagesAccepted: 0, messagesRejected: 2 } },
  });
  expect(endpointOf(await expectDone(controlPlane, 'RESUME'), 'http')).toEqual(http);
});

test.concurrent('a stop refuses a body that stalls, of a message and of an input command', async ({
  onTestFinished,
}) => {
  const { controlPlane, program, http, commands } = await running(greenhouse, {}, onTestFinished);
  const water = { ...commands, path: '/water' };
  const stalled = [
    await beginMessage(http, climate, onTestFinished),
    await beginMessage(water, { bed: 'b' }, onTestFinished),
  ];
  await expectDone(controlPlane, 'STOP');
  for (const message of stalled) expect(await message.closed).toContain('HTTP/1.1 503');
  expect(await program.exit).toBe(0);
});

test.concurrent('a stop cuts off a drain that does not end', async ({ onTestFinished }) => {
  const { controlPlane, program, http } = await running(greenhouse, {}, onTestFinished);
  await beginMessage(http, climate, onTestFinished);
  const paused = controlPlane.command('PAUSE');
  await untilClosed(http);
  await expectDone(controlPlane, 'STOP');
  expect(await paused).toMatchObject({ outcome: 'DONE' });
  expect(await program.exit).toBe(0);
});

test('it follows the endpoint file to another address', async () => {
  const controlPlane = createControlPlane();
  const file = join(await temporaryFolder(), 'endpoint');
  const first = await controlPlane.listen();
  await writeFile(file, `${first.url}\n`);
  const env = { RUNTIME_ENDPOINT: 'ws://127.0.0.1:9/graphql', RUNTIME_ENDPOINT_FILE: file };
  await startProgram(controlPlane, env);
  await expectDone(controlPlane, 'LOAD_SOLUTION', load());
  const online = () => controlPlane.reports.filter(({ report }) => report === 'ONLINE').length;
  await first.close();
  const loaded = online();
  const second = await controlPlane.listen();
  await writeFile(file, second.url);
  await controlPlane.until(() => online() === loaded + 1);
  await expectDone(controlPlane, 'START_LISTENING', { intake: 'OPEN' });
});

test('a command that comes again is completed again, not executed again', async () => {
  const { controlPlane, api, program } = await online();
  controlPlane.onCompletion = () => api.cut();
  const first = await controlPlane.command('LOAD_SOLUTION', load());
  await controlPlane.until(() => controlPlane.completions.length >= 2);
  controlPlane.onCompletion = undefined;
  const again = () =>
    controlPlane.completions.filter(({ command }) => command === first.command).length;
  const seen = again();
  await controlPlane.until(() => again() > seen);
  await expectDone(controlPlane, 'START_LISTENING', { intake: 'OPEN' });
  expect(program.output().split('Command LOAD_SOLUTION').length - 1).toBe(2); // begins, is done
  // A connection that is cut has a code and no reason.
  expect(program.output()).toContain('No connection to the API (1006); retrying.');
});
