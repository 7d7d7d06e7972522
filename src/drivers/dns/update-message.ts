/**
 * Messages of dynamic updates as bytes (RFC 2136). `dns-packet` writes neither records without data
 * nor the class NONE, of which prerequisites and deletions consist.
 */
import { isIPv4 } from 'node:net';
import dnsPacket from 'dns-packet';

const headerBytes = 12;
const updateOpcode = 5;

export const types = { A: 1, SOA: 6, TXT: 16, AAAA: 28, TSIG: 250, ANY: 255 } as const;
export const classes = { IN: 1, NONE: 254, ANY: 255 } as const;

export interface UpdateRecord {
  /** Without the final dot. */
  readonly name: string;
  readonly type: number;
  readonly class: number;
  readonly ttlSeconds?: number;
  readonly data?: Buffer;
}

export interface Update {
  readonly zone: string;
  /** All must hold, or nothing is changed. */
  readonly prerequisites: readonly UpdateRecord[];
  readonly changes: readonly UpdateRecord[];
}

export const uint16 = (value: number): Buffer => Buffer.from([value >> 8, value & 0xff]);

/** A name in its canonical form: lower case, not compressed. */
export function encodeName(name: string): Buffer {
  const labels = name === '' ? [] : name.toLowerCase().split('.');
  return Buffer.concat([
    ...labels.flatMap((label) => [Buffer.from([label.length]), Buffer.from(label, 'latin1')]),
    Buffer.from([0]),
  ]);
}

export function encodeRecord(record: UpdateRecord): Buffer {
  const { name, type, ttlSeconds = 0, data = Buffer.alloc(0) } = record;
  const ttl = Buffer.alloc(4);
  ttl.writeUInt32BE(ttlSeconds);
  const head = [encodeName(name), uint16(type), uint16(record.class), ttl];
  return Buffer.concat([...head, uint16(data.length), data]);
}

export function encodeUpdate(id: number, { zone, prerequisites, changes }: Update): Buffer {
  const counts = [1, prerequisites.length, changes.length, 0];
  return Buffer.concat([
    ...[id, updateOpcode << 11, ...counts].map(uint16),
    ...[encodeName(zone), uint16(types.SOA), uint16(classes.IN)],
    ...[...prerequisites, ...changes].map(encodeRecord),
  ]);
}

/** The data of a TXT record with one text of at most 255 bytes. */
export function encodeText(text: string): Buffer {
  return Buffer.concat([Buffer.from([text.length]), Buffer.from(text, 'latin1')]);
}

/** The data of an A or AAAA record. */
export function addressBytes(address: string): Buffer {
  const type = isIPv4(address) ? 'A' : 'AAAA';
  const message = dnsPacket.encode({ answers: [{ type, name: '.', data: address }] });
  return message.subarray(isIPv4(address) ? -4 : -16);
}

export interface UpdateReply {
  readonly rcode: number;
  /** The signature, which is the last record; `at`: the offset of its first byte. */
  readonly signature: { readonly at: number; readonly name: string; readonly data: Buffer } | null;
}

/** Reads the reply to the update with this id. Null: the message is none. */
export function readReply(message: Buffer, id: number): UpdateReply | null {
  if (message.length < headerBytes || message.readUInt16BE(0) !== id) return null;
  const flags = message.readUInt16BE(2);
  if (!(flags & 0x8000) || ((flags >> 11) & 0xf) !== updateOpcode) return null;
  try {
    return { rcode: flags & 0xf, signature: readSignature(message) };
  } catch (error) {
    if (error instanceof RangeError) return null;
    throw error;
  }
}

/** @throws RangeError if the message ends too early */
function readSignature(message: Buffer): UpdateReply['signature'] {
  const count = (section: number) => message.readUInt16BE(4 + 2 * section);
  let at = headerBytes;
  for (let zone = 0; zone < count(0); zone += 1) at = readName(message, at).end + 4;
  let last: UpdateReply['signature'] = null;
  for (let left = count(1) + count(2) + count(3); left > 0; left -= 1) {
    const { name, end } = readName(message, at);
    const data = { from: end + 10, to: end + 10 + message.readUInt16BE(end + 8) };
    if (data.to > message.length) throw new RangeError('the record ends behind the message');
    const isSignature = left === 1 && message.readUInt16BE(end) === types.TSIG;
    last = isSignature ? { at, name, data: message.subarray(data.from, data.to) } : null;
    at = data.to;
  }
  return last;
}

/** Reads a name; `end`: the offset behind it. Throws a RangeError if the message ends too early. */
export function readName(message: Buffer, from: number): { name: string; end: number } {
  const labels: string[] = [];
  let at = from;
  let end: number | null = null;
  for (let steps = 0; steps < 128; steps += 1) {
    const length = message.readUInt8(at);
    if (length === 0) return { name: labels.join('.'), end: end ?? at + 1 };
    if (length >= 0xc0) {
      end ??= at + 2;
      at = message.readUInt16BE(at) & 0x3fff;
    } else {
      labels.push(message.toString('latin1', at + 1, at + 1 + length));
      at += 1 + length;
    }
  }
  throw new RangeError('the name does not end');
}
