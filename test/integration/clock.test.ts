/** A host whose clock runs a day ahead for a while hides neither values nor lines of a log. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { addInstance, endpointsOf, send } from './builders.ts';
import { type Client, createClient } from './client.ts';
import { runtimesOf } from './processes.ts';
import { type Server, startServer } from './server.ts';
import { openSocket, type Socket } from './socket.ts';

const day = 86_400_000;
const configuration = {
  container: {
    ...{ deploymentType: 'MANAGED', workingStorage: 'CLOUD', imageSize: 'SMALL' },
    containerRepository: 'images',
  },
};

let server: Server;
let client: Client;
let socket: Socket;

beforeAll(async () => {
  server = await startServer();
  client = createClient(server);
  socket = await openSocket(server);
  await client.mutate('createContainerRepository', { key: 'images', image: 'runtime' });
  for (const storage of ['CLOUD', 'LOCAL']) {
    const key = storage.toLowerCase();
    await addInstance(client, key, { configuration, storage });
    await client.accept('deployInstance', key);
    await client.until(key, 'RUNNING', 60);
  }
  setClock(0);
  replaceClocks();
}, 240_000);
afterAll(async () => {
  socket?.close();
  await server?.dispose();
}, 120_000);

const clockFile = () => join(server.dataDir, 'clock');
const setClock = (aheadMilliseconds: number) => writeFileSync(clockFile(), `${aheadMilliseconds}`);

/** Runtimes that start from now on read how far their clock is ahead from the file. */
function replaceClocks(): void {
  const skew = `import { readFileSync as readClock } from 'node:fs';
    const { Date: TrueDate } = globalThis;
    const now = () => TrueDate.now() + Number(readClock(${JSON.stringify(clockFile())}, 'utf8'));
    globalThis.Date = class extends TrueDate {
      constructor(...given) { super(...(given.length === 0 ? [now()] : given)); }
      static now() { return now(); }
    };\n`;
  const hosts = join(server.dataDir, 'hosts');
  for (const host of readdirSync(hosts)) {
    const containers = join(hosts, host, 'containers');
    for (const container of readdirSync(containers)) {
      const program = join(containers, container, 'main.mjs');
      const text = readFileSync(program, 'utf8');
      if (!text.startsWith(skew)) writeFileSync(program, skew + text);
    }
  }
}

/** A new run of the instance; where it listens. */
async function restart(key: string) {
  const { id } = await client.instance(key);
  const [before] = runtimesOf(server.dataDir, id);
  await client.accept('restartInstance', key);
  await client.lookUntil(
    async () => runtimesOf(server.dataDir, id),
    ([now]) => expect([undefined, before]).not.toContain(now),
  );
  await client.until(key, 'RUNNING', 60);
  const { messages, commands } = await endpointsOf(client, key);
  if (!messages || !commands) throw new Error('it does not listen');
  const take = async (temperature: number) => {
    const message = { device: 'bed-1', temperature, humidity: 60 };
    expect(await send(messages, message)).toMatchObject({ status: 202 });
  };
  const last = async () => {
    const { body } = await send(`${commands}climate?bed=bed-1`);
    return (body.values as Record<string, { value: number; at: string }>).temperature;
  };
  return { messages, take, last };
}

async function lastOfApi(): Promise<Record<string, string | number>> {
  const data = await client.read<{
    deviceRepositories: {
      nodes: { devices: { nodes: { values: Record<string, string | number>[] }[] } }[];
    };
  }>(`{ deviceRepositories(filter: { key: ["cloud-devices"] }) { nodes { devices { nodes {
    values { field value at receivedAt } } } } } }`);
  const values = data.deviceRepositories.nodes[0]?.devices.nodes[0]?.values ?? [];
  return values.find(({ field }) => field === 'temperature') ?? {};
}

test.each(['cloud', 'local'])(
  '20 °C from tomorrow, then 30, 31, 32: %s',
  async (key) => {
    const isCloud = key === 'cloud';
    const first = await restart(key);
    setClock(day);
    await first.take(20);
    expect(Date.parse((await first.last())?.at ?? '')).toBeGreaterThan(Date.now() + day / 2);
    if (isCloud)
      await client.lookUntil(lastOfApi, ({ value, at, receivedAt }) => {
        expect(value).toBe(20);
        expect(Date.parse(String(at))).toBeGreaterThan(Date.now() + day / 2);
        expect(Date.parse(String(receivedAt))).toBeLessThan(Date.now() + day / 2);
      });
    setClock(0);
    for (const temperature of [30, 31, 32]) await first.take(temperature);
    expect(await first.last()).toMatchObject({ value: 32 });
    if (isCloud) await client.lookUntil(lastOfApi, ({ value }) => expect(value).toBe(32));

    // The last value of one run from tomorrow, the first of the next from today.
    setClock(day);
    await first.take(33);
    setClock(0);
    const second = await restart(key);
    expect(await second.last()).toMatchObject({ value: 33 });
    await second.take(34);
    expect(await second.last()).toMatchObject({ value: 34 });
    if (isCloud) await client.lookUntil(lastOfApi, ({ value }) => expect(value).toBe(34));
  },
  120_000,
);

test('lines of a log stand in the order in which they were written', async () => {
  const { messages } = await restart('cloud');
  const newest = async () => {
    const answer = await socket.run(
      'subscription { instanceLogs(instance: "cloud", tail: 1) { at text } }',
    );
    return (answer.data as { instanceLogs: { at: string; text: string } }).instanceLogs;
  };
  setClock(day);
  expect(await send(messages, { device: 'bed-1', tomorrow: 1 })).toMatchObject({ status: 400 });
  await client.lookUntil(newest, ({ at, text }) => {
    expect(text).toContain('tomorrow is unknown');
    expect(Date.parse(at)).toBeGreaterThan(Date.now() + day / 2);
  });
  setClock(0);
  expect(await send(messages, { device: 'bed-1', today: 1 })).toMatchObject({ status: 400 });
  await client.lookUntil(newest, ({ at, text }) => {
    expect(text).toContain('today is unknown');
    expect(Date.parse(at)).toBeLessThan(Date.now() + day / 2);
  });
}, 120_000);
