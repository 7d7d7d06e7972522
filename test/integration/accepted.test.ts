/** What a device was answered 202 is kept: the whole program, from the listener to the API. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { connectAsync } from 'mqtt';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { addInstance, addSolution, endpointsOf, send } from './builders.ts';
import { type Client, createClient } from './client.ts';
import { runtimesOf } from './processes.ts';
import { type Server, startServer } from './server.ts';

const text = { type: 'STRING', maxLength: 10_000, required: false };
const definition = {
  listeners: { http: { protocol: 'http', auth: 'NONE' } },
  messages: {
    note: {
      fields: { text, level: { type: 'NUMBER', required: false } },
    },
    long: { fields: Object.fromEntries(Array.from({ length: 6 }, (_, n) => [`text${n}`, text])) },
  },
  inputCommands: {
    values: {
      auth: 'NONE',
      parameters: { device: { type: 'STRING' } },
      answer: { kind: 'DEVICE_VALUES', parameter: 'device' },
    },
  },
};
const timeout = 240_000;

let server: Server;
let client: Client;

beforeAll(async () => {
  server = await startServer();
  client = createClient(server);
  await addSolution(client, 'notes', definition);
}, timeout);
afterAll(() => server?.dispose(), 120_000);

/** A running instance; how to send to it. */
async function run(key: string) {
  await addInstance(client, key, { solution: 'notes' });
  await client.accept('deployInstance', key);
  await client.until(key, 'RUNNING', 90);
  const { messages } = await endpointsOf(client, key);
  return (body: object) => send(messages ?? '', { type: 'note', ...body });
}

async function deviceCount(key: string): Promise<number> {
  const data = await client.read<{
    deviceRepositories: { nodes: { devices: { totalCount: number } }[] };
  }>(
    `{ deviceRepositories(filter: { key: ["${key}-devices"] }) { nodes { devices { totalCount } } } }`,
  );
  return data.deviceRepositories.nodes[0]?.devices.totalCount ?? 0;
}

/** What the runtimes printed. */
function outputs(): string {
  const hosts = join(server.dataDir, 'hosts');
  return readdirSync(hosts)
    .flatMap((host) => {
      const instances = join(hosts, host, 'instances');
      return readdirSync(instances).map((each) =>
        readFileSync(join(instances, each, 'output.log'), 'utf8'),
      );
    })
    .join('\n');
}

test('150 messages of 9.5 KB at once, and a pause', { timeout }, async () => {
  const message = await run('many');
  const sent = await Promise.all(
    Array.from({ length: 150 }, (_, n) => message({ device: `d-${n}`, text: 'x'.repeat(9_500) })),
  );
  expect(sent.every(({ status }) => status === 202)).toBe(true);
  await client.accept('pauseInstance', 'many');
  await client.until('many', 'PAUSED', 30);
  expect(await deviceCount('many')).toBe(150);
  expect(outputs()).not.toMatch(/1009|MaxListenersExceededWarning/);
});

test('9,000 quotation marks among 20 values', { timeout }, async () => {
  const message = await run('quotes');
  const sent = await Promise.all([
    message({ device: 'quotes', text: '"'.repeat(9_000) }),
    ...Array.from({ length: 20 }, (_, n) => message({ device: `d-${n}`, level: n })),
  ]);
  expect(sent.every(({ status }) => status === 202)).toBe(true);
  await client.lookUntil(
    () => deviceCount('quotes'),
    (count) => expect(count).toBe(21),
  );
});

test('the API is away, the runtime is killed: the next run delivers', { timeout }, async () => {
  const message = await run('away');
  expect(await message({ device: 'early', level: 1 })).toMatchObject({ status: 202 });
  const { messages } = await endpointsOf(client, 'away');
  const { id } = await client.instance('away');
  await server.kill9();
  for (let n = 0; n < 20; n += 1) {
    const body = { type: 'note', device: `late-${n}`, level: n };
    expect(await send(messages ?? '', body)).toMatchObject({ status: 202 });
  }
  for (const pid of runtimesOf(server.dataDir, id)) process.kill(pid, 'SIGKILL');
  await server.start();
  await client.until('away', 'FATAL_ERROR', 60);
  await client.accept('restartInstance', 'away');
  await client.until('away', 'RUNNING', 60);
  await client.lookUntil(
    () => deviceCount('away'),
    (count) => expect(count).toBe(21),
  );
  const { commands } = await endpointsOf(client, 'away');
  expect(await send(`${commands}values?device=early`)).toMatchObject({
    status: 200,
    body: { values: { level: { value: 1 } } },
  });
});

test('without room 503 with Retry-After; then room again', { timeout }, async () => {
  await run('full');
  const { messages } = await endpointsOf(client, 'full');
  await server.kill9();
  const long = Object.fromEntries(
    Array.from({ length: 6 }, (_, n) => [`text${n}`, 'x'.repeat(9_900)]),
  );
  const post = async (device: string): Promise<Response> => {
    const answer = await fetch(messages ?? '', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ type: 'long', device, ...long }),
    });
    await answer.arrayBuffer();
    return answer;
  };
  let accepted = 0;
  let refused: Response | undefined;
  // 64 MiB in messages of 59 KB.
  while (!refused && accepted < 1_500) {
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, n) => post(`d-${accepted + n}`)),
    );
    refused = answers.find(({ status }) => status !== 202);
    accepted += answers.filter(({ status }) => status === 202).length;
  }
  expect(refused?.status).toBe(503);
  expect(Number(refused?.headers.get('retry-after'))).toBeGreaterThan(0);
  expect(accepted).toBeGreaterThan(1_000);
  // A newer value takes the place of an older one, and needs none of its own.
  expect((await post('d-0')).status).toBe(202);
  await server.start();
  await client.lookUntil(
    () => post('d-again'),
    ({ status }) => expect(status).toBe(202),
    60,
  );
});

test('over MQTT: acknowledged, shown by the API; a pause refuses', { timeout }, async () => {
  const listeners = { field: { protocol: 'mqtt', auth: 'NONE', topic: 'fields/{device}' } };
  await addSolution(client, 'fields', { ...definition, listeners });
  await addInstance(client, 'fields', { solution: 'fields' });
  await client.accept('deployInstance', 'fields');
  await client.until('fields', 'RUNNING', 90);
  const { messages } = await endpointsOf(client, 'fields');
  expect(messages).toMatch(/^mqtt:\/\/127\.[\d.]+:\d+\/?$/);
  const device = await connectAsync(messages ?? '', { reconnectPeriod: 0 });
  onTestFinished(() => void device.end(true));
  const closed = new Promise((resolve) => device.once('close', () => resolve(null)));
  const note = JSON.stringify({ type: 'note', level: 7 });
  await device.publishAsync('fields/north', note, { qos: 1 });
  const read = () =>
    client.read<{ instance: { deviceRepository: { devices: { nodes: object[] } } } }>(
      `{ instance(instance: "fields") { deviceRepository { devices {
           nodes { name values { field value } } } } } }`,
    );
  await client.lookUntil(read, ({ instance }) =>
    expect(instance.deviceRepository.devices.nodes).toEqual([
      { name: 'north', values: [{ field: 'level', value: 7 }] },
    ]),
  );
  await client.accept('pauseInstance', 'fields');
  await client.until('fields', 'PAUSED');
  await closed;
  await expect(connectAsync(messages ?? '', { reconnectPeriod: 0 }, false)).rejects.toThrow();
});
