/** Signatures of DNS messages with a shared secret (TSIG, RFC 8945). */
import { createHmac, timingSafeEqual } from 'node:crypto';
import type { TsigAlgorithm } from './tsig-algorithms.ts';
import {
  classes,
  encodeName,
  encodeRecord,
  readName,
  types,
  type UpdateReply,
  uint16,
} from './update-message.ts';

export interface TsigKey {
  readonly name: string;
  readonly algorithm: TsigAlgorithm;
  readonly secret: Buffer;
}

/** What the server says about the signature of a request that it refuses (NOTAUTH). */
export const tsigErrors = { BADSIG: 16, BADKEY: 17, BADTIME: 18 } as const;

const fudgeSeconds = 300;

interface Signed {
  readonly message: Buffer;
  readonly mac: Buffer;
}

/** Appends the signature to a message. `now`: Unix seconds. */
export function sign(message: Buffer, key: TsigKey, now: number): Signed {
  const facts = { time: uint48(now), fudge: fudgeSeconds, error: 0, other: Buffer.alloc(0) };
  const mac = macOf(key, [message, variablesOf(key, facts)]);
  const data = Buffer.concat([
    ...[encodeName(key.algorithm), facts.time, uint16(facts.fudge)],
    ...[uint16(mac.length), mac, message.subarray(0, 2), uint16(0), uint16(0)],
  ]);
  const record = { name: key.name, type: types.TSIG, class: classes.ANY, data };
  const signed = Buffer.concat([message, encodeRecord(record)]);
  signed.writeUInt16BE(signed.readUInt16BE(10) + 1, 10);
  return { message: signed, mac };
}

export interface Verified {
  /** Did somebody who knows the secret sign the reply to this request? */
  readonly isGenuine: boolean;
  /** One of `tsigErrors`; 0: none. */
  readonly error: number;
  /** Unix seconds of the server, which it tells with BADTIME. */
  readonly serverTime: number | null;
}

/** Checks the signature of a reply to a request that was signed with `requestMac`. */
export function verify(
  reply: Buffer,
  { signature }: UpdateReply,
  { key, requestMac }: { key: TsigKey; requestMac: Buffer },
): Verified {
  if (signature === null) return { isGenuine: false, error: 0, serverTime: null };
  const { mac, id, ...facts } = readData(signature.data);
  const serverTime = facts.other.length === 6 ? facts.other.readUIntBE(0, 6) : null;
  const unsigned = Buffer.from(reply.subarray(0, signature.at));
  id.copy(unsigned);
  unsigned.writeUInt16BE(unsigned.readUInt16BE(10) - 1, 10);
  const request = Buffer.concat([uint16(requestMac.length), requestMac]);
  const expected = macOf(key, [request, unsigned, variablesOf(key, facts)]);
  const isGenuine =
    signature.name.toLowerCase() === key.name.toLowerCase() &&
    mac.length === expected.length &&
    timingSafeEqual(mac, expected);
  return { isGenuine, error: facts.error, serverTime };
}

interface Facts {
  readonly time: Buffer;
  readonly fudge: number;
  readonly error: number;
  readonly other: Buffer;
}

function readData(data: Buffer): Facts & { mac: Buffer; id: Buffer } {
  const { end } = readName(data, 0);
  const macEnd = end + 10 + data.readUInt16BE(end + 8);
  return {
    time: data.subarray(end, end + 6),
    fudge: data.readUInt16BE(end + 6),
    mac: data.subarray(end + 10, macEnd),
    id: data.subarray(macEnd, macEnd + 2),
    error: data.readUInt16BE(macEnd + 2),
    other: data.subarray(macEnd + 6, macEnd + 6 + data.readUInt16BE(macEnd + 4)),
  };
}

/** What is signed beside the message (RFC 8945, 4.3.3). */
function variablesOf(key: TsigKey, { time, fudge, error, other }: Facts): Buffer {
  return Buffer.concat([
    ...[encodeName(key.name), uint16(classes.ANY), Buffer.alloc(4), encodeName(key.algorithm)],
    ...[time, uint16(fudge), uint16(error), uint16(other.length), other],
  ]);
}

function macOf({ algorithm, secret }: TsigKey, parts: readonly Buffer[]): Buffer {
  const hmac = createHmac(algorithm.slice('hmac-'.length), secret);
  for (const part of parts) hmac.update(part);
  return hmac.digest();
}

function uint48(value: number): Buffer {
  const bytes = Buffer.alloc(6);
  bytes.writeUIntBE(value, 0, 6);
  return bytes;
}
