import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { NameServerLimits } from '../../src/drivers/name-server/name-server.ts';
import { createRateLimit, sourceOf } from '../../src/drivers/name-server/rate-limit.ts';
import {
  aRecord,
  ask,
  framed,
  memoryRecords,
  query,
  read,
  startServer,
  tcpClient,
  udpClient,
  zone,
} from './dns-client.ts';

const name = `greenhouse-1.${zone}`;
const start = (limits: Partial<NameServerLimits> = {}) =>
  startServer(memoryRecords(aRecord(name)), { limits });
const generous = { queriesPerSecond: 1e6, burst: 1e6 };

describe('the rate limit', () => {
  test('a bucket of its own for each source, filled again by time', () => {
    let now = 0;
    const limit = createRateLimit({ perSecond: 10, burst: 2, maxSources: 9, now: () => now });
    const take = (source: string, times: number) =>
      Array.from({ length: times }, () => limit.take(source));
    expect(take('a', 3)).toEqual([true, true, false]);
    expect(take('b', 1)).toEqual([true]);
    now += 100;
    expect(take('a', 2)).toEqual([true, false]);
    now += 60_000;
    expect(take('a', 3)).toEqual([true, true, false]);
  });

  test('the table stays within its bound and forgets who asked longest ago', () => {
    const limit = createRateLimit({ perSecond: 1, burst: 1, maxSources: 3, now: () => 0 });
    for (let i = 0; i < 1000; i += 1) {
      limit.take(`source-${i}`);
      limit.take('busy');
      expect(limit.size).toBeLessThanOrEqual(3);
    }
    expect(limit.take('busy')).toBe(false);
    expect(limit.take('source-0')).toBe(true);
  });

  test.each([
    ['192.0.2.7', '192.0.2.7'],
    ['::ffff:192.0.2.7', '192.0.2.7'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2'],
    ['2001:db8::6', '2001:db8:0:0'],
    ['::1', '0:0:0:0'],
    ['fe80::1%eth0', 'fe80:0:0:0'],
  ])('%s counts as %s', (address, source) => {
    expect(sourceOf(address)).toBe(source);
  });

  test('over it, every other UDP question is sent to TCP and the rest dropped', async () => {
    const server = await start({ queriesPerSecond: 1e-6, burst: 3 });
    const client = await udpClient(server);
    for (let id = 1; id <= 7; id += 1) await client.send(query(name, 'A', { id }));
    const answers: ReturnType<typeof read>[] = [];
    for (let i = 0; i < 5; i += 1) answers.push(read(await client.next()));
    const cut = answers.filter((answer) => answer.flag_tc);
    expect(answers).toHaveLength(5);
    expect(cut.map((answer) => [answer.id, answer.answers])).toEqual([
      [5, []],
      [7, []],
    ]);

    const tcp = await tcpClient(server);
    tcp.socket.write(framed(query(name)));
    expect(read((await tcp.take(1))[0]!).answers).toHaveLength(1);
    for (let i = 0; i < 5; i += 1) tcp.socket.write(framed(query(name)));
    await tcp.closed;
  });
});

describe('caps on TCP', () => {
  test('pipelined queries are all answered, a bounded number at a time', async () => {
    let atOnce = 0;
    let most = 0;
    const find = async () => {
      atOnce += 1;
      most = Math.max(most, atOnce);
      await new Promise((resolve) => setImmediate(resolve));
      atOnce -= 1;
      return aRecord(name);
    };
    const server = await startServer({ find }, { limits: { maxPipelined: 4 } });
    const { socket, take } = await tcpClient(server);
    const ids = Array.from({ length: 100 }, (_, id) => id);
    // Half-closed at once: every answer comes nevertheless.
    socket.end(Buffer.concat(ids.map((id) => framed(query(name, 'A', { id })))));
    const answers = (await take(100)).map((message) => read(message).id ?? -1);
    expect(answers.toSorted((a, b) => a - b)).toEqual(ids);
    expect(most).toBe(4);
  });

  test('a query in single bytes is one query', async () => {
    const { socket, take } = await tcpClient(await start());
    socket.setNoDelay(true);
    for (const byte of framed(query(name))) socket.write(Buffer.from([byte]));
    expect(read((await take(1))[0]!).answers).toHaveLength(1);
  });

  test.each([
    ['one connection more than a source may have', { maxConnectionsPerSource: 2 }],
    ['one connection more than there may be', { maxConnections: 2 }],
  ])('%s is closed; a place comes free again', async (_, limits) => {
    const server = await start(limits);
    const open = [await tcpClient(server), await tcpClient(server)];
    for (const { socket, take } of open) {
      socket.write(framed(query(name)));
      await take(1);
    }
    await (await tcpClient(server)).closed;
    open[0]!.socket.end();
    await open[0]!.closed;
    const next = await tcpClient(server);
    next.socket.write(framed(query(name)));
    expect(read((await next.take(1))[0]!).code).toBe('NOERROR');
  });

  test.each([
    ['silence', Buffer.alloc(0)],
    ['half a length', Buffer.from([0])],
    ['half a query', framed(query(name)).subarray(0, 20)],
  ])('%s does not hold a connection', async (_, bytes) => {
    const server = await start({ idleSeconds: 0.05 });
    const { socket, closed } = await tcpClient(server);
    socket.write(bytes);
    await closed;
  });

  test('bytes that drip in do not put the end off', async () => {
    const { socket, closed } = await tcpClient(await start({ idleSeconds: 0.1 }));
    const drip = setInterval(() => socket.writable && socket.write(Buffer.from([0x0f])), 10);
    await closed.finally(() => clearInterval(drip));
  });

  test('who reads no answers is cut off', async () => {
    // A long name, so that the buffers of the kernel fill soon.
    const long = `${`${'a'.repeat(60)}.`.repeat(3)}${zone}`;
    const limits = { ...generous, idleSeconds: 0.2, maxPipelined: 64 };
    const server = await startServer(memoryRecords(aRecord(long)), { limits });
    const { socket, closed } = await tcpClient(server);
    socket.pause();
    const many = Buffer.concat(Array.from({ length: 100 }, () => framed(query(long))));
    const flood = () => {
      while (socket.writable && socket.write(many));
    };
    socket.on('drain', flood);
    flood();
    await closed;
  });

  test.each([
    ['a message longer than any query', Buffer.from([0xff, 0xff])],
    ['a message shorter than a header', Buffer.from([0, 11])],
    ['an answer', framed(Buffer.concat([Buffer.from([0, 1, 0x80, 0]), query(name).subarray(4)]))],
  ])('%s closes the connection', async (_, bytes) => {
    const { socket, closed, messages } = await tcpClient(await start());
    socket.write(bytes);
    await closed;
    expect(messages).toEqual([]);
  });

  test('stop closes open connections', async () => {
    const server = await start();
    const { closed } = await tcpClient(server);
    await server.stop();
    await closed;
  });
});

describe('malformed packets', () => {
  const mutated = fc
    .tuple(
      fc.constantFrom(
        query(name),
        query(zone, 'SOA', { edns: { udpPayloadSize: 1232 } }),
        query(name, 'ANY', { edns: { udpPayloadSize: 512 } }),
      ),
      fc.array(fc.tuple(fc.nat(80), fc.nat(255)), { minLength: 1, maxLength: 6 }),
      fc.nat(80),
      fc.uint8Array({ maxLength: 40 }),
    )
    .map(([valid, changes, cutAt, tail]) => {
      const bytes = Buffer.from(valid);
      for (const [at, value] of changes) bytes[at % bytes.length] = value;
      return Buffer.concat([bytes.subarray(0, cutAt > 60 ? bytes.length : cutAt), tail]);
    });
  const anything = fc.oneof(
    fc.uint8Array({ maxLength: 1500 }).map((bytes) => Buffer.from(bytes)),
    mutated,
  );

  test('over UDP: the server still answers, and each answer is well formed', async () => {
    const server = await start(generous);
    const client = await udpClient(server);
    await fc.assert(
      fc.asyncProperty(fc.array(anything, { minLength: 1, maxLength: 8 }), async (packets) => {
        client.received.length = 0;
        for (const packet of packets) {
          if (packet.length >= 2 && packet.readUInt16BE(0) === 0xbeef) continue;
          await client.send(packet);
        }
        await client.send(query(name, 'A', { id: 0xbeef }));
        for (;;) {
          const message = await client.next();
          expect(message.readUInt16BE(2) & 0x8000).toBe(0x8000);
          if (message.readUInt16BE(0) !== 0xbeef) continue;
          expect(read(message).answers).toHaveLength(1);
          return;
        }
      }),
      { numRuns: 400 },
    );
  });

  test('over TCP, framed and not: the server still answers', async () => {
    const server = await start({ ...generous, maxConnectionsPerSource: 100 });
    await fc.assert(
      fc.asyncProperty(anything, fc.boolean(), async (packet, withLength) => {
        const { socket, closed } = await tcpClient(server);
        socket.end(withLength ? framed(packet) : packet);
        await closed;
        expect((await ask(server, name)).answers).toHaveLength(1);
      }),
      { numRuns: 200 },
    );
  });
});
