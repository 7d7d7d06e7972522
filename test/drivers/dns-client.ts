import { createSocket, type Socket as UdpSocket } from 'node:dgram';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import dnsPacket, { type DecodedPacket, type OptAnswer, type RecordType } from 'dns-packet';
import { onTestFinished } from 'vitest';
import type { AddressRecord } from '../../src/drivers/dns/provider.ts';
import {
  createNameServer,
  type NameServer,
  type NameServerOptions,
} from '../../src/drivers/name-server/name-server.ts';
import type { ZoneRecords } from '../../src/drivers/name-server/zone.ts';

export const zone = 'instances.test';
export const host = '127.0.0.1';

/** The store's part, in memory. */
export function memoryRecords(...records: AddressRecord[]) {
  const all = new Map(records.map((record) => [record.name, record]));
  return {
    all,
    async find(name: string) {
      return all.get(name) ?? null;
    },
    async hasDescendant(name: string) {
      return [...all.keys()].some((known) => known.endsWith(`.${name}`));
    },
    async save(record: AddressRecord) {
      all.set(record.name, record);
    },
    async remove(name: string) {
      all.delete(name);
    },
  };
}

export function aRecord(name: string, address = '127.1.2.3'): AddressRecord {
  return { name, address, ttlSeconds: 5 };
}

export async function startServer(
  records: ZoneRecords,
  options: Partial<NameServerOptions> = {},
): Promise<NameServer> {
  const server = createNameServer({ zone, host, port: 0, records, ...options });
  onTestFinished(() => server.stop());
  await server.start();
  return server;
}

export interface Asked {
  readonly id?: number;
  readonly flags?: number;
  readonly edns?: { readonly udpPayloadSize: number; readonly ednsVersion?: number };
}

/** The bytes of a query. `type` may be a number that dns-packet has no name for. */
export function query(name: string, type: string | number = 'A', asked: Asked = {}): Buffer {
  const opt: OptAnswer | null = asked.edns
    ? {
        type: 'OPT',
        name: '.',
        extendedRcode: 0,
        ednsVersion: 0,
        flags: 0,
        flag_do: false,
        options: [],
        ...asked.edns,
      }
    : null;
  const typed = (typeof type === 'number' ? `UNKNOWN_${type}` : type) as RecordType;
  return dnsPacket.encode({
    type: 'query',
    id: asked.id ?? 4711,
    flags: asked.flags ?? dnsPacket.RECURSION_DESIRED,
    questions: [{ name, type: typed, class: 'IN' }],
    additionals: opt ? [opt] : [],
  });
}

/** A UDP socket that is connected to the server and keeps what comes. */
export async function udpClient(server: NameServer) {
  const socket: UdpSocket = createSocket('udp4');
  onTestFinished(() => void socket.close());
  socket.connect(server.port, host);
  await once(socket, 'connect');
  const waiting: ((message: Buffer) => void)[] = [];
  const received: Buffer[] = [];
  socket.on('message', (message) => {
    const next = waiting.shift();
    if (next) next(message);
    else received.push(message);
  });
  return {
    received,
    send: (message: Buffer) =>
      new Promise<void>((resolve) => socket.send(message, () => resolve())),
    next: () =>
      new Promise<Buffer>((resolve) => {
        const message = received.shift();
        if (message) resolve(message);
        else waiting.push(resolve);
      }),
  };
}

/** Sends bytes over UDP and reads the one answer. */
export async function askRaw(server: NameServer, message: Buffer): Promise<Buffer> {
  const client = await udpClient(server);
  await client.send(message);
  return client.next();
}

export async function ask(
  server: NameServer,
  name: string,
  type: string | number = 'A',
  asked: Asked = {},
) {
  return read(await askRaw(server, query(name, type, asked)));
}

/** A TCP connection that splits what comes into messages; `closed` resolves when it ends. */
export async function tcpClient(server: NameServer) {
  const socket: Socket = connect({ host, port: server.port, allowHalfOpen: true });
  onTestFinished(() => void socket.destroy());
  socket.on('error', () => {});
  const closed = new Promise<void>((resolve) => {
    socket.once('close', () => resolve());
    socket.once('end', () => {
      socket.end();
      resolve();
    });
  });
  const messages: Buffer[] = [];
  let wake = () => {};
  let buffered = Buffer.alloc(0);
  socket.on('data', (chunk) => {
    buffered = Buffer.concat([buffered, chunk]);
    while (buffered.length >= 2 && buffered.length >= 2 + buffered.readUInt16BE(0)) {
      const end = 2 + buffered.readUInt16BE(0);
      messages.push(buffered.subarray(2, end));
      buffered = buffered.subarray(end);
    }
    wake();
  });
  await once(socket, 'connect');
  return {
    socket,
    closed,
    messages,
    async take(count: number): Promise<Buffer[]> {
      while (messages.length < count) await new Promise<void>((resolve) => (wake = resolve));
      return messages.splice(0, count);
    },
  };
}

/** A message as it travels over TCP. */
export function framed(message: Buffer): Buffer {
  const length = Buffer.alloc(2);
  length.writeUInt16BE(message.length);
  return Buffer.concat([length, message]);
}

const rcodeNames: Record<number, string> = {
  0: 'NOERROR',
  1: 'FORMERR',
  2: 'SERVFAIL',
  3: 'NXDOMAIN',
  4: 'NOTIMP',
  5: 'REFUSED',
};

/** Decodes an answer and names its code. */
export function read(message: Buffer): DecodedPacket & { code: string; bytes: number } {
  const packet = dnsPacket.decode(message);
  const code = rcodeNames[(packet.flags ?? 0) & 0xf] ?? 'OTHER';
  return { ...packet, code, bytes: message.length };
}
