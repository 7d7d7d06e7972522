import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import dnsPacket from 'dns-packet';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { DnsProvider } from '../../src/drivers/dns/provider.ts';
import { createServerDnsProvider } from '../../src/drivers/dns/server-provider.ts';
import { aRecord, host, memoryRecords, startServer, zone } from './dns-client.ts';

const name = `greenhouse-1.${zone}`;
const longName = `${'a'.repeat(63)}.${'b'.repeat(63)}.${'c'.repeat(63)}.${'d'.repeat(40)}.${zone}`;
const { signal } = new AbortController();

const addressesOf = async (dns: DnsProvider, asked: string) =>
  (await dns.resolve(asked, signal)).flatMap(({ addresses }) => addresses);

async function setUp() {
  const records = memoryRecords();
  const server = await startServer(records);
  return { records, server, dns: createServerDnsProvider({ server, zone, records }) };
}

/** A server that answers each packet with what `replies` says about it. */
async function scripted(replies: (query: Buffer, count: number) => Buffer[]) {
  const socket = createSocket('udp4');
  onTestFinished(() => void socket.close());
  let count = 0;
  socket.on('message', (query, from) => {
    count += 1;
    for (const reply of replies(query, count)) socket.send(reply, from.port, from.address);
  });
  socket.bind(0, host);
  await once(socket, 'listening');
  const server = { address: host, port: socket.address().port };
  const dns = createServerDnsProvider({
    server,
    zone,
    records: memoryRecords(),
    trySeconds: 0.1,
  });
  return { dns, asked: () => count };
}

function answer(query: Buffer, address: string, change: { id?: number; name?: string } = {}) {
  const { id, questions } = dnsPacket.decode(query);
  return dnsPacket.encode({
    type: 'response',
    id: change.id ?? id,
    questions: change.name ? [{ type: 'A', name: change.name }] : questions,
    answers: [{ type: 'A', name: change.name ?? name, data: address }],
  });
}

describe('publish, resolve, withdraw', () => {
  test('what is published is what the name server says, until it is withdrawn', async () => {
    const { dns } = await setUp();
    expect(dns.kind).toBe('NAME_SERVER');
    expect(await addressesOf(dns, name)).toEqual([]);
    await dns.publish(aRecord(name, '127.0.0.7'), signal);
    expect(await addressesOf(dns, name)).toEqual(['127.0.0.7']);
    await dns.publish(aRecord(name, '127.0.0.8'), signal);
    expect(await addressesOf(dns, name.toUpperCase())).toEqual(['127.0.0.8']);
    await dns.publish(aRecord(name, 'fd00:0::8'), signal);
    expect(await addressesOf(dns, name)).toEqual(['fd00::8']);
    await dns.withdraw(name, signal);
    await dns.withdraw(name, signal);
    expect(await addressesOf(dns, name)).toEqual([]);
  });

  test('an answer too large is fetched over TCP', async () => {
    const { dns, records } = await setUp();
    records.all.set(longName, aRecord(longName));
    expect(await addressesOf(dns, longName)).toEqual(['127.1.2.3']);
  });

  test('a record that cannot be served is refused with every reason, nothing saved', async () => {
    const { dns, records } = await setUp();
    const publishing = dns.publish(aRecord('Green_house.example.org', 'localhost'), signal);
    await expect(publishing).rejects.toMatchObject({
      code: 'DNS_RECORD_INVALID',
      message: expect.stringMatching(/lower case.*hyphens.*outside the zone.*IP address/s),
    });
    expect(records.all.size).toBe(0);
  });

  test('another zone is DNS_REFUSED, a failing store DNS_SERVER_FAILED', async () => {
    const { dns } = await setUp();
    await expect(dns.resolve('example.org', signal)).rejects.toMatchObject({
      code: 'DNS_REFUSED',
      retryable: false,
    });
    const server = await startServer({ find: () => Promise.reject(new Error('down')) });
    const failing = createServerDnsProvider({ server, zone, records: memoryRecords() });
    await expect(failing.resolve(name, signal)).rejects.toMatchObject({
      code: 'DNS_SERVER_FAILED',
      retryable: true,
    });
  });
});

describe('a network that misbehaves', () => {
  test('answers to other questions and noise are passed over', async () => {
    const { dns } = await scripted((query) => [
      Buffer.from('noise'),
      query,
      answer(query, '10.0.0.1', { id: (query.readUInt16BE(0) + 1) % 0x10000 }),
      answer(query, '10.0.0.2', { name: `other.${zone}` }),
      answer(query, '10.0.0.3'),
    ]);
    expect(await addressesOf(dns, name)).toEqual(['10.0.0.3']);
  });

  test('a lost answer is asked for again, three times in all', async () => {
    const third = await scripted((query, count) => (count < 3 ? [] : [answer(query, '10.0.0.1')]));
    expect(await addressesOf(third.dns, name)).toEqual(['10.0.0.1']);
    const silent = await scripted(() => []);
    await expect(silent.dns.resolve(name, signal)).rejects.toMatchObject({
      code: 'DNS_SILENT',
      retryable: true,
      message: expect.stringContaining(name),
    });
    expect(silent.asked()).toBe(3);
  });

  test('nobody listens', async () => {
    const { server, dns } = await setUp();
    const { port, address } = server;
    await server.stop();
    const records = memoryRecords();
    const gone = createServerDnsProvider({ server: { address, port }, zone, records });
    await expect(gone.resolve(name, signal)).rejects.toMatchObject({ code: 'DNS_SILENT' });
    // Stopped, the server says port 0 again.
    await expect(dns.resolve(name, signal)).rejects.toMatchObject({ code: 'DNS_SILENT' });
  });

  test('an aborted signal ends it with its reason', async () => {
    const controller = new AbortController();
    const reason = new Error('lease lost');
    const { dns, asked } = await scripted(() => {
      controller.abort(reason);
      return [];
    });
    await expect(dns.resolve(name, controller.signal)).rejects.toBe(reason);
    expect(asked()).toBe(1);
    await expect(dns.publish(aRecord(name), controller.signal)).rejects.toBe(reason);
    await expect(dns.withdraw(name, controller.signal)).rejects.toBe(reason);
  });
});
