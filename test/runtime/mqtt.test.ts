/** A listener with `protocol: mqtt`, of the real program, by clients of others and by bad packets. */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { generate, type Packet } from 'mqtt-packet';
import { expect, test } from 'vitest';
import type { Endpoint } from '../../src/runtime/protocol.ts';
import { type ControlPlane, createControlPlane, endpointOf } from './control-plane.ts';
import { connected, openClient, openSocket, publish } from './mqtt-client.ts';
import { ask, listens, startProgram, temporaryFolder } from './program.ts';

const key = 'a-key';
const password = { username: 'anyone', password: key };
const definition = {
  settings: { listenerKey: { type: 'STRING', secret: true } },
  listeners: {
    locked: { protocol: 'mqtt' },
    open: { protocol: 'mqtt', auth: 'NONE', topic: 'site/{device}' },
  },
  messages: {
    climate: { listener: 'locked', fields: { temperature: { type: 'NUMBER', maximum: 85 } } },
    gone: { listener: 'locked', fields: { gone: { type: 'BOOLEAN' } } },
    note: { listener: 'open', fields: { text: { type: 'STRING', maxLength: 10_000 } } },
  },
  inputCommands: { status: { auth: 'NONE', answer: { kind: 'STATUS' } } },
};

async function run(controlPlane: ControlPlane, folder = '') {
  const { url } = await controlPlane.listen();
  const program = await startProgram(controlPlane, { RUNTIME_ENDPOINT: url }, { folder });
  const load = await controlPlane.command('LOAD_SOLUTION', {
    solution: { key: 'k', version: '1.0.0', definition },
    settings: { listenerKey: key },
    workingStorage: 'LOCAL',
    deviceStorage: 'CLOUD',
  });
  expect(load).toMatchObject({ outcome: 'DONE' });
  const started = await controlPlane.command('START_LISTENING', { intake: 'OPEN' });
  expect(started).toMatchObject({ outcome: 'DONE' });
  const status = async () =>
    (await ask(endpointOf(started, 'input-commands'), { path: '/status' })).body;
  return {
    program,
    status,
    locked: endpointOf(started, 'locked'),
    open: endpointOf(started, 'open'),
  };
}

const valuesOf = ({ values }: ControlPlane) =>
  values.map(({ device, field, value }) => ({ device, field, value }));
const bytes = (packet: Packet, protocolVersion = 5) => generate(packet, { protocolVersion });
const connectPacket = (more: object = {}, protocolVersion: 4 | 5 = 5) =>
  bytes({ cmd: 'connect', clientId: 'c', clean: true, protocolVersion, ...more }, protocolVersion);

test('messages with QoS 0 and 1 are accepted, and refused ones are told why', async () => {
  const controlPlane = createControlPlane();
  const { program, status, locked, open } = await run(controlPlane);
  expect(locked).toMatchObject({ protocol: 'mqtt', path: '/' });
  for (const protocolVersion of [4, 5] as const) {
    const { client } = openClient(locked, { ...password, protocolVersion });
    await connected(client);
    const device = `bed-${protocolVersion}`;
    const climate = `devices/${device}/climate`;
    expect(await publish(client, climate, { temperature: 20.5 })).toEqual({ code: 0 });
    await client.publishAsync(climate, '{"temperature":21}', { qos: 0, retain: true });
    const isFive = protocolVersion === 5;
    const refused: [string, unknown, number, string][] = [
      [climate, { temperature: 99 }, 0x99, 'temperature must be <= 85'],
      [climate, '{', 0x99, 'The message is no JSON in UTF-8.'],
      [climate, { temperature: 1, device: 'other' }, 0x99, 'device is another one in the topic'],
      [`devices/${device}/other`, {}, 0x99, 'type must be one of climate, gone'],
      ['devices/a/b/c', {}, 0x90, 'The topic must be like devices/{device}/{type}.'],
      [climate, 'x'.repeat(65_537), 0x97, 'A message has 65536 bytes at most.'],
    ];
    for (const [topic, body, code, reason] of refused) {
      expect(await publish(client, topic, body)).toEqual(
        isFive ? { code, reason: expect.stringContaining(reason) } : { code: 0 },
      );
      await controlPlane.until(() => program.output().includes(reason));
    }
    expect(client.connected).toBe(true);
    const subscribed = client.subscribeAsync('#').catch((error: Error) => error.message);
    expect(await subscribed).toMatch(isFive ? /Not authorized/ : /error/);
    await client.endAsync();
  }
  const { client } = openClient(open);
  await connected(client);
  expect(await publish(client, 'site/d-1', { text: 'x' })).toEqual({ code: 0 });
  await controlPlane.until(() => controlPlane.values.some(({ device }) => device === 'd-1'));
  expect(valuesOf(controlPlane)).toContainEqual({
    device: 'bed-4',
    field: 'temperature',
    value: 21,
  });
  expect((await status()).counters).toMatchObject({ messagesAccepted: 5, messagesRejected: 12 });
});

test('a wrong key, another version, QoS 2 and a taken client identifier', async () => {
  const { locked, open, status } = await run(createControlPlane());
  for (const wrong of [{}, { username: 'x', password: 'wrong' }]) {
    const five = openClient(locked, wrong);
    await expect(connected(five.client)).rejects.toMatchObject({ code: 0x86 });
    const three = openClient(locked, { ...wrong, protocolVersion: 4 });
    await expect(connected(three.client)).rejects.toMatchObject({ code: 4 });
  }
  const old = openSocket(
    open,
    Buffer.from([0x10, 15, 0, 6, ...Buffer.from('MQIsdp'), 3, 2, 0, 9, 0, 1, 0x61]),
  );
  expect([...(await old.closed)]).toEqual([0x20, 2, 0, 1]);
  const twice = openClient(open, { protocolVersion: 4 });
  await connected(twice.client);
  void twice.client.publishAsync('site/d', '{"text":"x"}', { qos: 2 }).catch(() => undefined);
  await twice.closed;
  const five = openSocket(
    open,
    Buffer.concat([
      connectPacket(),
      bytes({ cmd: 'publish', topic: 'site/d', payload: '{}', qos: 2, messageId: 1 } as Packet),
    ]),
  );
  expect((await five.closed).includes(Buffer.from([0x9b]))).toBe(true);
  const first = openClient(open, { clientId: 'same' });
  await connected(first.client);
  const second = openClient(open, { clientId: 'same' });
  await connected(second.client);
  await first.closed;
  expect(first.told.disconnect).toMatchObject({ reasonCode: 0x8e });
  expect(await publish(second.client, 'site/d', { text: 'x' })).toEqual({ code: 0 });
  expect((await status()).counters).toMatchObject({ messagesRejected: 7 });
});

test('a pause and a stop tell the clients, refuse others, and a resume has the same port', async () => {
  const controlPlane = createControlPlane();
  const { open, program } = await run(controlPlane);
  const reaches = { name: open.name, port: open.port, protocol: 'mqtt' };
  const { client, told, closed } = openClient(open);
  const old = openClient(open, { protocolVersion: 4 });
  await Promise.all([connected(client), connected(old.client)]);
  const sent = publish(client, 'site/d', { text: 'last' });
  expect(await sent).toEqual({ code: 0 });
  const paused = await controlPlane.command('PAUSE');
  expect(paused.endpoints?.map(({ name }) => name)).toEqual(['input-commands']);
  await Promise.all([closed, old.closed]);
  expect(told.disconnect).toEqual({
    reasonCode: 0x98,
    reason: 'The instance is paused; connect again later.',
  });
  expect(await listens(open.address, open.port)).toBe(false);
  const resumed = await controlPlane.command('RESUME');
  expect(resumed.endpoints).toContainEqual(expect.objectContaining(reaches));
  const again = openClient(open);
  await connected(again.client);
  expect(await publish(again.client, 'site/d', { text: 'again' })).toEqual({ code: 0 });
  await controlPlane.command('STOP');
  await again.closed;
  expect(again.told.disconnect).toMatchObject({ reasonCode: 0x8b });
  expect(await program.exit).toBe(0);
  expect(valuesOf(controlPlane).map(({ value }) => value)).toEqual(['last', 'again']);
});

test('what was acknowledged outlives a kill, and reaches the API in the next run', async () => {
  const controlPlane = createControlPlane();
  const folder = await temporaryFolder();
  controlPlane.refusal = undefined;
  const first = await run(controlPlane, folder);
  controlPlane.refusedValues = () => 'Not now.';
  const { client } = openClient(first.locked, password);
  await connected(client);
  const topics = Array.from({ length: 100 }, (_, n) => `devices/d-${n}/climate`);
  const acknowledged = topics.map(async (topic, n) => {
    await publish(client, topic, { temperature: n % 80 });
    if (n === 99) first.program.child.kill('SIGKILL');
  });
  await Promise.all(acknowledged);
  await first.program.exit;
  controlPlane.refusedValues = undefined;
  controlPlane.values.length = 0;
  await run(controlPlane, folder);
  await controlPlane.until(() => controlPlane.values.length === 100);
  expect(new Set(controlPlane.values.map(({ device }) => device)).size).toBe(100);
});

test('without room nothing is lost: 5 is told, 3.1.1 has no answer and sends it again', async () => {
  const controlPlane = createControlPlane();
  const { open, program } = await run(controlPlane);
  await mkdir(join(program.folder, 'outbox.db'));
  const five = openClient(open);
  await connected(five.client);
  expect(await publish(five.client, 'site/d', { text: 'x' })).toEqual({
    code: 0x97,
    reason: 'Values cannot be stored now; try again later.',
  });
  const three = openClient(open, { protocolVersion: 4 });
  await connected(three.client);
  let isAcknowledged = false;
  three.client.publish('site/d', '{"text":"x"}', { qos: 1 }, (error) => {
    isAcknowledged = !error;
  });
  await three.closed;
  expect(isAcknowledged).toBe(false);
  expect(five.client.connected).toBe(true);
});

test('a last will is a message, unless the client says goodbye or the listener closes', async () => {
  const controlPlane = createControlPlane();
  const { locked } = await run(controlPlane);
  const withWill = (device: string) => ({
    ...password,
    clientId: device,
    will: { topic: `devices/${device}/gone`, payload: Buffer.from('{"gone":true}') },
  });
  const polite = openClient(locked, withWill('polite'));
  const cut = openClient(locked, withWill('cut'));
  const paused = openClient(locked, withWill('paused'));
  await Promise.all([polite, cut, paused].map(({ client }) => connected(client)));
  await polite.client.endAsync();
  cut.client.stream.destroy();
  await controlPlane.until(() => controlPlane.values.length > 0);
  await controlPlane.command('PAUSE');
  expect(valuesOf(controlPlane)).toEqual([{ device: 'cut', field: 'gone', value: true }]);
});

/** A PUBLISH of this length that is announced, and not sent. */
const announced = (length: number) => {
  const coded = [];
  for (let left = length; coded.length === 0 || left > 0; left = Math.floor(left / 128)) {
    coded.push((left % 128) | (left >= 128 ? 0x80 : 0));
  }
  return Buffer.from([0x30, ...coded]);
};

test('bad packets end their connection alone, and take no memory', async () => {
  const { open, program, status } = await run(createControlPlane());
  const good = openClient(open);
  await connected(good.client);
  const first = [
    ['not CONNECT', announced(2)],
    ['HTTP', Buffer.from('GET / HTTP/1.1\r\nHost: a\r\n\r\n')],
    ['a length of five bytes', Buffer.from([0x10, 0xff, 0xff, 0xff, 0xff, 1])],
    ['a CONNECT of 256 MB', Buffer.from([0x10, 0xff, 0xff, 0xff, 0x7f])],
    ['a CONNECT of half a length', Buffer.from([0x10, 4, 0, 4, 0x4d, 0x51])],
    ['an empty CONNECT', Buffer.from([0x10, 0])],
    ['random bytes', Buffer.from('f3a1b2c3d4e5f60718293a4b5c6d7e8f', 'hex')],
  ] as const;
  for (const [name, sent] of first) {
    expect([...(await openSocket(open, sent).closed)], name).toEqual([]);
  }
  const packets: [string, Buffer, number][] = [
    ['a second CONNECT', connectPacket(), 0x82],
    ['an oversized PUBLISH', announced(1_000_000), 0x95],
    ['a topic longer than its packet', Buffer.from([0x30, 2, 0xff, 0xff]), 0x81],
    [
      'an alias',
      bytes({ cmd: 'publish', topic: 'a', payload: '', properties: { topicAlias: 1 } } as Packet),
      0x94,
    ],
    ['QoS 3', Buffer.from([0x36, 2, 0, 0]), 0x81],
    ['an empty SUBSCRIBE', Buffer.from([0x82, 3, 0, 1, 0]), 0x82],
    ['a PUBREL', bytes({ cmd: 'pubrel', messageId: 1, reasonCode: 0 } as Packet), 0x82],
  ];
  for (const [name, packet, code] of packets) {
    const sent = openSocket(open, Buffer.concat([connectPacket({ clientId: name }), packet]));
    const answer = await sent.closed;
    const at = answer.indexOf(0xe0, (answer[1] ?? 0) + 2);
    expect(answer[at + 2], name).toBe(code);
  }
  const drip = openSocket(open, Buffer.alloc(0));
  for (const byte of connectPacket({ clientId: 'drip' })) drip.socket.write(Buffer.from([byte]));
  drip.socket.write(
    bytes({
      cmd: 'publish',
      topic: 'site/drip',
      payload: '{"text":"x"}',
      qos: 1,
      messageId: 7,
    } as Packet),
  );
  drip.socket.write(bytes({ cmd: 'disconnect', reasonCode: 0 } as Packet));
  expect((await drip.closed).includes(Buffer.from([0x40, 2, 0, 7]))).toBe(true);
  expect(await publish(good.client, 'site/d', { text: 'x' })).toEqual({ code: 0 });
  const { counters } = await status();
  expect(counters).toMatchObject({
    messagesAccepted: 2,
    messagesRejected: first.length + packets.length,
  });
  const memory = await readFile(`/proc/${program.child.pid}/status`, 'utf8');
  expect(Number(/VmHWM:\s+(\d+) kB/.exec(memory)?.[1])).toBeLessThan(200_000);
});

test('a thousand connections, and one that does not read its answers', async () => {
  const controlPlane = createControlPlane();
  const { open } = await run(controlPlane);
  const sockets = Array.from({ length: 999 }, (_, n) =>
    openSocket(open, connectPacket({ clientId: `c-${n}` }, 4)),
  );
  const until = async (condition: () => boolean) => {
    while (!condition()) await new Promise((resolve) => setImmediate(resolve));
  };
  await until(() => sockets.every(({ received }) => received().length === 4));
  const deaf = openSocket(open, connectPacket({ clientId: 'deaf' }, 4));
  await until(() => deaf.received().length === 4);
  const over = openSocket(open, connectPacket({ clientId: 'over' }, 4));
  expect((await over.closed).length).toBe(0);
  deaf.socket.pause();
  const message = bytes(
    { cmd: 'publish', topic: 'site/deaf', payload: '{"text":"x"}', qos: 1, messageId: 1 } as Packet,
    4,
  );
  deaf.socket.write(Buffer.concat(Array.from({ length: 2_000 }, () => message)));
  sockets[0]?.socket.write(message);
  await until(() => (sockets[0]?.received().length ?? 0) === 8);
  const begun = Date.now();
  await controlPlane.command('PAUSE');
  expect(Date.now() - begun).toBeLessThan(5_000);
});

test.skipIf(!existsSync('/usr/bin/mosquitto_pub'))(
  'mosquitto_pub is taken, with 3.1.1 and 5',
  async () => {
    const controlPlane = createControlPlane();
    const { locked } = await run(controlPlane);
    const send = (endpoint: Endpoint, version: string, device: string, secret: string) =>
      promisify(execFile)('mosquitto_pub', [
        ...['-h', endpoint.address, '-p', String(endpoint.port), '-V', version, '-q', '1'],
        ...[
          '-u',
          'device',
          '-P',
          secret,
          '-t',
          `devices/${device}/climate`,
          '-m',
          '{"temperature":3}',
        ],
      ]);
    await send(locked, 'mqttv311', 'three', key);
    await send(locked, 'mqttv5', 'five', key);
    await expect(send(locked, 'mqttv5', 'five', 'wrong')).rejects.toThrow(/bad user name/i);
    await controlPlane.until(() => controlPlane.values.length === 2);
    expect(controlPlane.values.map(({ device }) => device)).toEqual(['three', 'five']);
  },
);
