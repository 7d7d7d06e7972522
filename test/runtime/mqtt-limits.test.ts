/** The time limits of an MQTT connection: the sockets are real, the clock is moved. */
import { generate, type Packet } from 'mqtt-packet';
import { afterEach, beforeEach, expect, onTestFinished, test, vi } from 'vitest';
import { codes } from '../../src/runtime/mqtt/codes.ts';
import { limits } from '../../src/runtime/mqtt/limits.ts';
import { openMqtt } from '../../src/runtime/mqtt/server.ts';
import type { Endpoint } from '../../src/runtime/protocol.ts';
import type { MqttListener } from '../../src/runtime/solution.ts';
import { openSocket } from './mqtt-client.ts';

beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] }));
afterEach(() => void vi.useRealTimers());

const listener: MqttListener = {
  ...{ name: 'open', protocol: 'mqtt', port: 0, topic: 'site/{device}' },
  ...{ guard: { key: null, allowedOrigins: [] }, messages: new Map() },
};

const endpointAt = (port: number): Endpoint => ({
  ...{ kind: 'MESSAGES', name: 'open', protocol: 'mqtt', address: '127.0.0.1', port, path: '' },
});

async function open() {
  const outcomes: (string | undefined)[] = [];
  const server = await openMqtt({
    ...{ address: '127.0.0.1', port: 0, listener },
    take: async () => 'ACCEPTED',
    onOutcome: (error) => outcomes.push(error),
    onFailure: (text) => outcomes.push(text),
  });
  onTestFinished(() => server.close(new AbortController().signal, 'STOPPING'));
  return { endpoint: endpointAt(server.port), outcomes };
}

const bytes = (packet: Packet) => generate(packet, { protocolVersion: 5 });
const connect = (keepalive: number, clientId = 'c') =>
  bytes({ cmd: 'connect', clientId, clean: true, protocolVersion: 5, keepalive });
/** Not `expect.poll`, which moves the clock. */
async function answered(socket: { received(): Buffer }, length = 1) {
  while (socket.received().length < length) await new Promise((resolve) => setImmediate(resolve));
}
/** The DISCONNECT that ends what was received has this reason code. */
const disconnected = (received: Buffer, code: number) =>
  expect(received.subarray(received.indexOf(0xe0))[2]).toBe(code);
/** Lets the listener see what was sent before its clock moves: a second client has its answer. */
async function settled(endpoint: Endpoint) {
  const other = openSocket(endpoint, connect(0, 'other'));
  await answered(other);
}

test('a client that sends no CONNECT', async () => {
  const { endpoint, outcomes } = await open();
  const silent = openSocket(endpoint, Buffer.alloc(0));
  await settled(endpoint);
  vi.advanceTimersByTime(limits.connectMilliseconds - 1);
  await settled(endpoint);
  expect(outcomes).toEqual([]);
  vi.advanceTimersByTime(1);
  expect((await silent.closed).length).toBe(0);
  expect(outcomes).toEqual(['No CONNECT came in time.']);
});

test('a client that is silent for one and a half times its keep alive', async () => {
  const { endpoint, outcomes } = await open();
  const client = openSocket(endpoint, connect(60));
  await answered(client);
  const connack = client.received().length;
  vi.advanceTimersByTime(80_000);
  client.socket.write(bytes({ cmd: 'pingreq' }));
  await answered(client, connack + 2);
  vi.advanceTimersByTime(89_999);
  client.socket.write(bytes({ cmd: 'pingreq' }));
  await answered(client, connack + 4);
  vi.advanceTimersByTime(90_000);
  disconnected((await client.closed).subarray(connack + 4), codes.keepAliveTimeout);
  expect(outcomes).toEqual(['Nothing came within the keep alive.']);
});

test('a client without a keep alive has the longest one', async () => {
  const { endpoint } = await open();
  const client = openSocket(endpoint, connect(0));
  await answered(client);
  const connack = client.received().length;
  vi.advanceTimersByTime(limits.keepAliveSeconds * 1_500 - 1);
  client.socket.write(bytes({ cmd: 'pingreq' }));
  await answered(client, connack + 2);
  vi.advanceTimersByTime(limits.keepAliveSeconds * 1_500);
  disconnected((await client.closed).subarray(connack + 2), codes.keepAliveTimeout);
});

test('half a packet', async () => {
  const { endpoint, outcomes } = await open();
  const client = openSocket(endpoint, connect(0));
  await answered(client);
  const connack = client.received().length;
  const publish = bytes({ cmd: 'publish', topic: 'site/c', payload: '{}', qos: 0 } as Packet);
  client.socket.write(Buffer.concat([bytes({ cmd: 'pingreq' }), publish.subarray(0, 5)]));
  await answered(client, connack + 2);
  vi.advanceTimersByTime(limits.packetMilliseconds - 1);
  await settled(endpoint);
  expect(outcomes).toEqual([]);
  vi.advanceTimersByTime(1);
  disconnected((await client.closed).subarray(connack + 2), codes.keepAliveTimeout);
  expect(outcomes).toEqual(['A packet did not arrive in time.']);
});
