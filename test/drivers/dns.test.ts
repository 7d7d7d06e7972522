import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer } from 'node:net';
import dnsPacket from 'dns-packet';
import { describe, expect, onTestFinished, test } from 'vitest';
import { createNameServer } from '../../src/drivers/name-server/name-server.ts';
import {
  aRecord,
  ask,
  askRaw,
  framed,
  host,
  memoryRecords,
  query,
  read,
  startServer,
  tcpClient,
  udpClient,
  zone,
} from './dns-client.ts';

const name = `greenhouse-1.${zone}`;
const records = () => memoryRecords(aRecord(name), aRecord(`a.b.${zone}`, '127.9.9.9'));

describe('answers of the zone', () => {
  test('an A record, authoritative, with its own TTL', async () => {
    const answer = await ask(await startServer(records()), name);
    expect(answer).toMatchObject({
      id: 4711,
      flag_qr: true,
      flag_aa: true,
      flag_rd: true,
      flag_ra: false,
      code: 'NOERROR',
      questions: [{ name, type: 'A', class: 'IN' }],
      answers: [{ name, type: 'A', ttl: 5, data: '127.1.2.3' }],
      authorities: [],
    });
  });

  test('a change of the store shows in the next answer', async () => {
    const store = records();
    const server = await startServer(store);
    expect((await ask(server, name)).code).toBe('NOERROR');
    await store.remove(name);
    expect((await ask(server, name)).code).toBe('NXDOMAIN');
  });

  test('SOA and NS of the apex, with the address of the name server beside the NS', async () => {
    const server = await startServer(records());
    const soa = await ask(server, zone, 'SOA');
    expect(soa.answers).toMatchObject([{ type: 'SOA', name: zone, data: { mname: `ns.${zone}` } }]);
    const ns = await ask(server, zone, 'NS');
    expect(ns.answers).toMatchObject([{ type: 'NS', name: zone, data: `ns.${zone}` }]);
    expect(ns.additionals).toMatchObject([{ type: 'A', name: `ns.${zone}`, data: host }]);
    expect((await ask(server, `ns.${zone}`)).answers).toMatchObject([{ type: 'A', data: host }]);
  });

  test('the serial never goes back', async () => {
    const server = await startServer(records());
    const serials: number[] = [];
    for (let i = 0; i < 5; i += 1) {
      const [soa] = (await ask(server, zone, 'SOA')).answers ?? [];
      serials.push(soa?.type === 'SOA' ? (soa.data.serial ?? 0) : 0);
    }
    expect(serials[0]).toBeGreaterThan(1_700_000_000);
    expect(serials).toEqual(serials.toSorted((a, b) => a - b));
  });

  test.each([
    ['a known name, another type', name, 'AAAA', 'NOERROR'],
    ['a known name, a type of the future', name, 65_000, 'NOERROR'],
    ['an empty non-terminal', `b.${zone}`, 'A', 'NOERROR'],
    ['the apex, A', zone, 'A', 'NOERROR'],
    ['the apex, TXT', zone, 'TXT', 'NOERROR'],
    ['the name server, AAAA', `ns.${zone}`, 'AAAA', 'NOERROR'],
    ['an unknown name', `nobody.${zone}`, 'A', 'NXDOMAIN'],
    ['a name below a known one', `x.${name}`, 'A', 'NXDOMAIN'],
    ['a name no record can have', `*.${zone}`, 'A', 'NXDOMAIN'],
  ])('%s: no answer, the SOA in the authority section', async (_, asked, type, code) => {
    const answer = await ask(await startServer(records()), asked, type);
    expect(answer).toMatchObject({ code, flag_aa: true, answers: [] });
    expect(answer.authorities).toMatchObject([{ type: 'SOA', name: zone, ttl: 5 }]);
  });

  test.each([
    ['another zone', 'example.org', 'A'],
    ['the parent', 'test', 'NS'],
    ['the root', '.', 'NS'],
    ['a zone that only ends alike', `other${zone}`, 'A'],
    ['a transfer', zone, 'AXFR'],
  ])('%s: REFUSED', async (_, asked, type) => {
    const answer = await ask(await startServer(records()), asked, type);
    expect(answer).toMatchObject({ code: 'REFUSED', flag_aa: false, answers: [], authorities: [] });
  });

  test('a dot inside a label does not make a name of the zone', async () => {
    const header = query(name).subarray(0, 12);
    const oneLabel = Buffer.from('\x0einstances.test\0\0\x01\0\x01', 'latin1');
    const answer = await askRaw(await startServer(records()), Buffer.concat([header, oneLabel]));
    expect(read(answer).code).toBe('REFUSED');
  });

  test('another class: REFUSED', async () => {
    const message = query(name);
    message.writeUInt16BE(3, message.length - 2);
    expect(read(await askRaw(await startServer(records()), message)).code).toBe('REFUSED');
  });

  test('ANY gets one record set', async () => {
    const server = await startServer(records());
    expect((await ask(server, name, 'ANY')).answers).toMatchObject([{ type: 'A' }]);
    expect((await ask(server, zone, 'ANY')).answers).toMatchObject([{ type: 'SOA' }]);
  });

  test('upper and lower case: the same name, the question echoed byte for byte', async () => {
    const asked = query('gReenHOUSE-1.INSTANCES.tesT');
    const bytes = await askRaw(await startServer(records()), asked);
    expect(bytes.subarray(12, asked.length)).toEqual(asked.subarray(12));
    expect(read(bytes).answers).toMatchObject([{ data: '127.1.2.3' }]);
  });

  test('a store that fails: SERVFAIL, one line in the log', async () => {
    const lines: string[] = [];
    const find = () => Promise.reject(new Error('no connection'));
    const log = { warn: (_: object, line: string) => void lines.push(line) };
    const server = await startServer({ find }, { log });
    for (let i = 0; i < 3; i += 1) {
      expect(await ask(server, name)).toMatchObject({ code: 'SERVFAIL', flag_aa: false });
    }
    expect(lines).toHaveLength(1);
    expect((await ask(server, zone, 'SOA')).code).toBe('NOERROR');
  });

  test('a store that hangs, a record that is no address: SERVFAIL', async () => {
    const find = () => new Promise<never>(() => {});
    const hung = await startServer({ find }, { limits: { lookupSeconds: 0.01 } });
    expect((await ask(hung, name)).code).toBe('SERVFAIL');
    const wrong = await startServer(memoryRecords(aRecord(name, 'not-an-address')));
    expect((await ask(wrong, name)).code).toBe('SERVFAIL');
  });
});

describe('sizes and headers', () => {
  const labels = ['a'.repeat(63), 'b'.repeat(63), 'c'.repeat(63), 'd'.repeat(40)];
  const longName = `${labels.join('.')}.${zone}`;

  test('an answer beyond 512 bytes: TC over UDP, whole with EDNS, whole over TCP', async () => {
    const server = await startServer(memoryRecords(aRecord(longName)));
    const cut = await ask(server, longName);
    expect(cut).toMatchObject({ flag_tc: true, flag_aa: true, code: 'NOERROR', answers: [] });
    expect(cut.questions).toMatchObject([{ name: longName }]);
    expect(cut.bytes).toBeLessThanOrEqual(512);

    const whole = await ask(server, longName, 'A', { edns: { udpPayloadSize: 4096 } });
    expect(whole).toMatchObject({ flag_tc: false, answers: [{ data: '127.1.2.3' }] });
    expect(whole.additionals).toMatchObject([{ type: 'OPT', udpPayloadSize: 1232 }]);

    const tcp = await tcpClient(server);
    tcp.socket.write(framed(query(longName)));
    const [over] = await tcp.take(1);
    expect(read(over!)).toMatchObject({ flag_tc: false, answers: [{ data: '127.1.2.3' }] });
  });

  test.each([
    [0, true],
    [100, true],
    [512, true],
    [600, false],
    [65_535, false],
  ])('EDNS size %i: cut is %s', async (udpPayloadSize, cut) => {
    const server = await startServer(memoryRecords(aRecord(longName)));
    // dns-packet writes 4096 for 0, so the size is put in afterwards.
    const message = query(longName, 'A', { edns: { udpPayloadSize: 4096 } });
    message.writeUInt16BE(udpPayloadSize, message.length - 8);
    expect(read(await askRaw(server, message)).flag_tc).toBe(cut);
  });

  test('EDNS of a later version: BADVERS', async () => {
    const edns = { udpPayloadSize: 1232, ednsVersion: 1 };
    const answer = await ask(await startServer(records()), name, 'A', { edns });
    expect(answer).toMatchObject({ code: 'NOERROR', answers: [] });
    expect(answer.additionals).toMatchObject([{ type: 'OPT', extendedRcode: 1, ednsVersion: 0 }]);
  });

  test.each([1, 2, 3, 4, 5, 6, 15])('opcode %i: NOTIMP', async (opcode) => {
    const answer = await ask(await startServer(records()), name, 'A', { flags: opcode << 11 });
    expect(answer).toMatchObject({ id: 4711, code: 'NOTIMP', flag_aa: false, answers: [] });
  });

  const header = (questions: number) => {
    const bytes = query(name).subarray(0, 12);
    bytes.writeUInt16BE(questions, 4);
    return bytes;
  };
  test.each([
    ['no question', header(0)],
    ['a question that is missing', header(1)],
    [
      'two questions',
      Buffer.concat([header(2), query(name).subarray(12), query(name).subarray(12)]),
    ],
    ['a name without an end', Buffer.concat([header(1), Buffer.from('\x05green')])],
    [
      'a name that points at itself',
      Buffer.concat([header(1), Buffer.from('c00c00010001', 'hex')]),
    ],
    [
      'a record that is missing',
      Buffer.concat([query(name).subarray(0, 11), Buffer.from([1]), query(name).subarray(12)]),
    ],
    ['OPT as the type', query(name, 'OPT')],
  ])('%s: FORMERR', async (_, message) => {
    const answer = await askRaw(await startServer(records()), message);
    expect(answer.readUInt16BE(0)).toBe(4711);
    expect(answer.readUInt16BE(2) & 0x800f).toBe(0x8001);
  });

  test('answers and fragments get silence', async () => {
    const client = await udpClient(await startServer(records()));
    await client.send(
      dnsPacket.encode({ type: 'response', id: 1, questions: [{ type: 'A', name }] }),
    );
    await client.send(query(name).subarray(0, 11));
    await client.send(Buffer.alloc(0));
    await client.send(query(name, 'A', { id: 99 }));
    expect(read(await client.next()).id).toBe(99);
    expect(client.received).toHaveLength(0);
  });
});

describe('listening', () => {
  test('port 0 is one port for both protocols; it is free again after stop', async () => {
    const server = await startServer(records());
    expect(server).toMatchObject({ address: host });
    expect(server.port).toBeGreaterThan(0);
    const { port } = server;
    await server.stop();
    await server.stop();
    const again = await startServer(records(), { port });
    expect(again.port).toBe(port);
    expect((await ask(again, name)).code).toBe('NOERROR');
  });

  test('stops while it starts, and starts again', async () => {
    const server = createNameServer({ zone, host, port: 0, records: records() });
    onTestFinished(() => server.stop());
    await Promise.all([server.start(), server.stop()]);
    expect(server.port).toBe(0);
    await server.start();
    expect((await ask(server, name)).code).toBe('NOERROR');
  });

  test('a port that TCP or UDP has taken: the error names DNS_PORT and what to do', async () => {
    const tcp = createServer().listen(0, host);
    onTestFinished(() => void tcp.close());
    await once(tcp, 'listening');
    const udp = createSocket('udp4');
    onTestFinished(() => void udp.close());
    udp.bind(0, host);
    await once(udp, 'listening');
    const tcpAddress = tcp.address();
    const tcpPort = typeof tcpAddress === 'object' && tcpAddress ? tcpAddress.port : 0;
    for (const port of [tcpPort, udp.address().port]) {
      const server = createNameServer({ zone, host, port, records: records() });
      await expect(server.start()).rejects.toMatchObject({
        code: 'DNS_PORT_TAKEN',
        message: expect.stringMatching(`DNS_PORT ${port}.*set DNS_PORT to a free port`),
      });
    }
  });

  test('an address of another machine, a port out of range, a zone that is none', async () => {
    const elsewhere = createNameServer({ zone, host: '192.0.2.1', port: 0, records: records() });
    await expect(elsewhere.start()).rejects.toMatchObject({ code: 'DNS_LISTEN_FAILED' });
    const outOfRange = createNameServer({ zone, host, port: 70_000, records: records() });
    await expect(outOfRange.start()).rejects.toThrow('DNS_PORT');
    const noZone = { zone: 'Instances..test', host, port: 0, records: records() };
    expect(() => createNameServer(noZone)).toThrow('DNS_ZONE');
  });
});
