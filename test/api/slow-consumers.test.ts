/** Clients that do not read, over real sockets: what is kept for them, and when they are cut. */
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { parseConfig } from '../../src/config.ts';
import { defaultStreamLimits } from '../../src/server/wire/stream-limits.ts';
import type { Database } from '../../src/store/database/database.ts';
import { until } from '../harness/eventually.ts';
import { openDatabase } from './api-server.ts';
import {
  type Client,
  connectClient,
  openEvents,
  type StreamServer,
  startStreamServer,
} from './stream-server.ts';

const items = 'subscription ($after: String) { items(after: $after) { number } }';
const texts = 'subscription ($after: String) { i: items(after: $after) { t: text } }';
const { laggingBytes } = defaultStreamLimits;
const kB = 1000;

let database: Database;
let api: StreamServer;
beforeAll(async () => {
  database = await openDatabase();
});
afterEach(() => api?.stop());
afterAll(() => database?.close());

type Options = Parameters<typeof startStreamServer>[1];
const start = async (options?: Options) => {
  api = await startStreamServer(database, options);
};

/** A client that follows, and the server knows it. */
async function follower(query = texts, id = 's'): Promise<Client> {
  const client = await connectClient(api);
  client.subscribe(id, query);
  client.subscribe('q', '{ hello }');
  await client.has('q', 1);
  return client;
}

const upTo = (count: number, from = 1) =>
  Array.from({ length: count - from + 1 }, (_, n) => n + from);

describe('one that stops reading', () => {
  test('is pushed nothing more, and has everything in order once it reads', async () => {
    await start();
    const [slow, other] = [await follower(), await follower(items)];
    slow.socket.pause();
    await api.fill(slow.server, 50 * kB);
    await until('it is full', () => {
      api.append('x'.repeat(50 * kB));
      return slow.server.writableLength > laggingBytes;
    });
    const waiting = slow.server.writableLength;
    expect(waiting).toBeLessThan(laggingBytes + 128 * 1024);
    for (let n = 0; n < 100; n += 1) {
      api.append(...upTo(10).map(() => 'y'.repeat(5 * kB)));
      if (n % 10 === 0) await other.has('s', api.count);
    }
    await other.has('s', api.count);
    expect(slow.server.writableLength).toBe(waiting);
    slow.socket.resume();
    await slow.has('s', api.count);
    api.append('last');
    await slow.has('s', api.count);
    expect(slow.numbers('s')).toEqual(upTo(api.count));
    expect(other.numbers('s')).toEqual(upTo(api.count));
    expect(slow.closed).toBeNull();
  });

  test('a limit below what the kernel is asked for at once works as well', async () => {
    await start({ streamLimits: { laggingBytes: 1024 } });
    const slow = await follower();
    slow.socket.pause();
    await until('it is full', () => {
      api.append('x'.repeat(3 * kB));
      for (let n = 0; n < 100 && slow.server.writableLength === 0; n += 1)
        api.append('x'.repeat(3 * kB));
      return slow.server.writableLength > 1024;
    });
    for (let n = 0; n < 20; n += 1) api.append('z');
    slow.socket.resume();
    await slow.has('s', api.count);
    expect(slow.numbers('s')).toEqual(upTo(api.count));
  });

  test('is closed with 1013 after its time', async () => {
    await start({ streamLimits: { laggingSeconds: 1 } });
    const slow = await follower();
    slow.socket.pause();
    await api.fill(slow.server, 100 * kB);
    api.append('x'.repeat(100 * kB));
    const waiting = slow.server.writableLength;
    const began = performance.now();
    // The close frame waits behind the rest.
    await until('it is told', () => slow.server.writableLength !== waiting);
    expect(performance.now() - began).toBeLessThan(3_000);
    slow.socket.resume();
    expect(await slow.isClosed()).toEqual({
      code: 1013,
      reason: 'The client reads too slowly. Reconnect with the last cursor.',
    });
  });

  test('is closed with 1013 when its answers are over the limit of bytes', async () => {
    await start();
    const slow = await follower();
    slow.socket.pause();
    for (let n = 0; n < 30; n += 1) slow.subscribe(`q${n}`, '{ text(bytes: 500000) }');
    await until('it is told', () => slow.server.writableLength > defaultStreamLimits.bufferBytes);
    const waiting = slow.server.writableLength;
    expect(waiting).toBeLessThan(defaultStreamLimits.bufferBytes + 1024 * 1024);
    slow.socket.resume();
    expect((await slow.isClosed()).code).toBe(1013);
  });

  test('one large answer, a large burst and many catching up at once close nobody', async () => {
    await start();
    const client = await follower();
    client.socket.pause();
    client.subscribe('large', '{ text(bytes: 12000000) }');
    await until('it waits', () => client.server.writableLength > 10_000_000);
    client.socket.resume();
    await client.has('large', 1);
    api.append(...upTo(150).map(() => 'b'.repeat(100 * kB)));
    await client.has('s', 150);
    client.socket.pause();
    for (let n = 0; n < 30; n += 1) client.subscribe(`late${n}`, texts, { after: 'c140' });
    client.subscribe('after', '{ hello }');
    await until('it is full', () => client.server.writableLength > laggingBytes);
    client.socket.resume();
    for (let n = 0; n < 30; n += 1) await client.has(`late${n}`, 10);
    expect(client.numbers('late29')).toEqual(upTo(150, 141));
    expect(client.numbers('s')).toEqual(upTo(150));
    expect(client.closed).toBeNull();
  });

  test('answers behind a large one close nobody, as long as they themselves are within the limit', async () => {
    await start();
    const client = await follower();
    client.socket.pause();
    client.subscribe('large', '{ text(bytes: 12000000) }');
    await until('it waits', () => client.server.writableLength > 10_000_000);
    for (let n = 0; n < 10; n += 1) client.subscribe(`small${n}`, '{ text(bytes: 1000) }');
    await until('the last is answered', () => client.server.bytesWritten > 12_010_000);
    client.socket.resume();
    await client.has('large', 1);
    await client.has('small9', 1);
    client.subscribe('after', '{ hello }');
    await client.has('after', 1);
    expect(client.closed).toBeNull();
  });

  test('over the budget of the node the furthest behind goes first', async () => {
    await start({ streamLimits: { totalBufferBytes: 300 * kB } });
    const [first, second] = [await follower(), await follower()];
    first.socket.pause();
    await api.fill(first.server, 200 * kB);
    api.append('x');
    second.socket.pause();
    await api.fill(second.server, 200 * kB);
    api.append('x');
    const waiting = first.server.writableLength;
    await until('one is told', () => first.server.writableLength !== waiting);
    first.socket.resume();
    expect((await first.isClosed()).code).toBe(1013);
    second.socket.resume();
    await second.has('s', api.count);
    expect(second.numbers('s')).toEqual(upTo(api.count));
    expect(second.closed).toBeNull();
  });
});

describe('pings', () => {
  test('a peer that answers none is cut within two ping times, one that does stays', async () => {
    await start({ streamLimits: { pingSeconds: 1 } });
    const [dead, alive] = [await follower(), await follower()];
    dead.socket.pause();
    const began = performance.now();
    await until('it is cut', () => dead.server.destroyed);
    expect(performance.now() - began).toBeLessThan(3_500);
    expect(alive.closed).toBeNull();
    alive.subscribe('still', '{ hello }');
    await alive.has('still', 1);
  });

  test('by default, and by any setting, that is 30 s at most', () => {
    expect(parseConfig({}).streamLimits.pingSeconds * 2).toBeLessThanOrEqual(30);
    expect(() => parseConfig({ STREAM_PING_SECONDS: '16' })).toThrow();
  });
});

describe.each(['TCP', 'TLS'])('frames over %s', (transport) => {
  test('of all sizes and ids, between answers, are whole', async () => {
    await start();
    if (transport === 'TLS') {
      const { dataDir } = api;
      const tlsKeyFile = join(dataDir, 'key.pem');
      const tlsCertFile = join(dataDir, 'cert.pem');
      execFileSync('openssl', [
        ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'],
        ...['-subj', '/CN=localhost', '-days', '2', '-keyout', tlsKeyFile, '-out', tlsCertFile],
      ]);
      const plain = api;
      api = await startStreamServer(database, { config: { tlsKeyFile, tlsCertFile } });
      await plain.stop();
    }
    const client = await follower(texts, '1');
    const ids = ['"', 'a "quoted" \\ one', '😀', 'é\n\u2028', 'x'.repeat(200), '2'];
    for (const id of ids) client.subscribe(id, texts);
    client.subscribe('ready', '{ hello }');
    await client.has('ready', 1);
    api.append('');
    await client.has('1', 1);
    const empty = client.of('1')[0]!.bytes;
    const sizes = [100, 125, 126, 127, 65_535, 65_536, 65_537, 200 * kB, 101, 128];
    let asked = 0;
    for (let round = 0; round < 4; round += 1) {
      // Some of it while the client does not read, so that frames are taken in parts.
      if (round === 1) client.socket.pause();
      for (const bytes of sizes) {
        api.append('t'.repeat(bytes - empty));
        for (const size of [10, 70 * kB]) {
          asked += 1;
          client.subscribe(`q${asked}`, `{ text(bytes: ${size}) }`);
        }
        if (round % 2 === 0) await new Promise((resolve) => setImmediate(resolve));
        else api.append('é😀"\\'.repeat(30), '');
      }
      if (round === 2) client.socket.resume();
    }
    for (let n = 1; n <= asked; n += 1) await client.has(`q${n}`, 1);
    for (const id of ['1', ...ids]) {
      await client.has(id, api.count);
      expect(client.numbers(id)).toEqual(upTo(api.count));
    }
    // Cursors of one digit: the sizes are exact.
    expect(
      client
        .of('1')
        .slice(1, 9)
        .map(({ bytes }) => bytes),
    ).toEqual(sizes.slice(0, 8));
    const [first, ...others] = ['1', ...ids].map((id) =>
      client.of(id).map(({ payload }) => payload),
    );
    for (const other of others) expect(other).toEqual(first);
    expect(client.closed).toBeNull();
  });
});

describe('Server-Sent Events', () => {
  test('one that stops reading has everything in order once it reads', async () => {
    await start();
    const slow = await openEvents(api, texts);
    const other = await follower(items);
    api.append('first');
    await until('it is there', () => slow.cursors().length === 1);
    slow.response.pause();
    await api.fill(slow.server, 50 * kB);
    for (let n = 0; n < 20; n += 1) {
      api.append(...upTo(40).map(() => 'y'.repeat(5 * kB)));
      await other.has('s', api.count);
    }
    expect(slow.server.writableLength).toBeLessThan(256 * 1024);
    slow.response.resume();
    await until('it has all', () => slow.cursors().length >= api.count);
    expect(slow.cursors()).toEqual(upTo(api.count).map((number) => `c${number}`));
    slow.request.destroy();
  });

  test('a limit below what the kernel is asked for at once works as well', async () => {
    await start({ streamLimits: { laggingBytes: 1024, pingSeconds: 15 } });
    const slow = await openEvents(api, texts);
    api.append('first');
    await until('it is there', () => slow.cursors().length === 1);
    slow.response.pause();
    // In small writes, until the kernel takes no more and less waits than is asked for at once.
    while (slow.server.writableLength <= 1024) {
      api.append('x'.repeat(700));
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(slow.server.writableLength).toBeLessThan(16 * 1024);
    for (let n = 0; n < 20; n += 1) api.append('z');
    await new Promise((resolve) => setImmediate(resolve));
    slow.response.resume();
    await until('it has all', () => slow.cursors().length >= api.count);
    expect(slow.cursors()).toEqual(upTo(api.count).map((number) => `c${number}`));
    slow.request.destroy();
  });

  test('over the budget of the node it goes before a socket that is less far behind', async () => {
    await start({ streamLimits: { totalBufferBytes: 300 * kB } });
    const stream = await openEvents(api, texts);
    const socket = await follower();
    stream.response.pause();
    await api.fill(stream.server, 200 * kB);
    api.append('x');
    socket.socket.pause();
    await api.fill(socket.server, 200 * kB);
    api.append('x');
    await until('it is cut', () => stream.server.destroyed);
    socket.socket.resume();
    await socket.has('s', api.count);
    expect(socket.numbers('s')).toEqual(upTo(api.count));
    expect(socket.closed).toBeNull();
  });

  test('one that does not read is cut after its time', async () => {
    await start({ streamLimits: { laggingSeconds: 1, pingSeconds: 1 } });
    const slow = await openEvents(api, texts);
    slow.response.pause();
    await api.fill(slow.server, 100 * kB);
    for (let n = 0; n < 10; n += 1) api.append('x'.repeat(100 * kB));
    await until('it is cut', () => slow.server.destroyed);
  });
});
