/**
 * DNS messages as this server reads and writes them. `dns-packet` handles the records. The question
 * is parsed here, because it must be echoed byte for byte: its case is a nonce of the client, and
 * the text form of dns-packet loses dots inside labels and bytes that are not UTF-8.
 */
import dnsPacket, { type Answer, type OptAnswer } from 'dns-packet';

export const rcodes = {
  NOERROR: 0,
  FORMERR: 1,
  SERVFAIL: 2,
  NXDOMAIN: 3,
  NOTIMP: 4,
  REFUSED: 5,
  BADVERS: 16,
} as const;
export type Rcode = (typeof rcodes)[keyof typeof rcodes];

/** The numbers of the types that this server handles specially. */
export const types = {
  A: 1,
  NS: 2,
  SOA: 6,
  AAAA: 28,
  OPT: 41,
  IXFR: 251,
  AXFR: 252,
  ANY: 255,
} as const;
export const classIn = 1;

/** What every name server accepts over UDP, with or without EDNS. */
const smallestUdpBytes = 512;
/** Avoids fragmentation on today's paths (DNS flag day 2020). */
export const largestUdpBytes = 1232;
export const largestTcpBytes = 65_535;

const headerBytes = 12;
const isResponse = 0x8000;
const authoritativeAnswer = 0x0400;
const truncatedResponse = 0x0200;
const recursionDesired = 0x0100;
const checkingDisabled = 0x0010;
const dnssecOk = 0x8000;

export interface Question {
  /** As asked, upper and lower case kept. Only for names that are `plain`. */
  readonly name: string;
  /** Lower case, from left to right. */
  readonly labels: readonly string[];
  /** Letters, digits, hyphens and underscores only: the text form equals the name. */
  readonly plain: boolean;
  readonly type: number;
  readonly class: number;
  /** The bytes of the whole question, echoed unchanged. */
  readonly bytes: Buffer;
}

interface Edns {
  readonly version: number;
  readonly udpPayloadBytes: number;
  readonly dnssecOk: boolean;
}

export interface Query {
  readonly id: number;
  /** The flags that an answer repeats: opcode, RD, CD. */
  readonly flags: number;
  readonly question: Question | null;
  readonly edns: Edns | null;
}

/** An answer without what the query determines: id, question, EDNS. */
export interface Reply {
  readonly rcode: Rcode;
  readonly authoritative: boolean;
  readonly answers?: readonly Answer[];
  readonly authorities?: readonly Answer[];
  readonly additionals?: readonly Answer[];
}

export type Received =
  /** A question to answer. */
  | { readonly kind: 'question'; readonly query: Query; readonly question: Question }
  /** Nothing to look up: the header alone requires this code. */
  | { readonly kind: 'refusal'; readonly query: Query; readonly rcode: Rcode }
  /** Not a query (too short, or itself an answer): no reply. */
  | { readonly kind: 'noise' };

/** Reads one message from the network, whatever it contains. Never throws. */
export function receive(message: Buffer): Received {
  if (message.length < headerBytes) return { kind: 'noise' };
  const flags = message.readUInt16BE(2);
  if (flags & isResponse) return { kind: 'noise' };

  const opcode = (flags >> 11) & 0xf;
  const kept = (opcode << 11) | (flags & (recursionDesired | checkingDisabled));
  const bare: Query = { id: message.readUInt16BE(0), flags: kept, question: null, edns: null };
  if (opcode !== 0) return { kind: 'refusal', query: bare, rcode: rcodes.NOTIMP };

  const formErr: Received = { kind: 'refusal', query: bare, rcode: rcodes.FORMERR };
  if (message.readUInt16BE(4) !== 1) return formErr;
  const question = readQuestion(message);
  if (!question || question.type === types.OPT) return formErr;
  const edns = readEdns(message);
  if (edns === 'broken') return formErr;
  const query: Query = { ...bare, question, edns };
  if (edns && edns.version > 0) return { kind: 'refusal', query, rcode: rcodes.BADVERS };
  return { kind: 'question', query, question };
}

function readQuestion(message: Buffer): Question | null {
  const labels: string[] = [];
  let at = headerBytes;
  for (;;) {
    const length = message[at];
    // A pointer (0xc0) has no target yet; the other high bits are not in use.
    if (length === undefined || length > 63 || at + 1 + length > message.length) return null;
    at += 1;
    if (length === 0) break;
    labels.push(message.toString('latin1', at, at + length));
    at += length;
    if (at - headerBytes > 254) return null;
  }
  if (at + 4 > message.length) return null;
  return {
    name: labels.join('.'),
    labels: labels.map((label) => label.replace(/[A-Z]+/g, (run) => run.toLowerCase())),
    plain: labels.every((label) => /^[\w-]+$/.test(label)),
    type: message.readUInt16BE(at),
    class: message.readUInt16BE(at + 2),
    bytes: message.subarray(headerBytes, at + 4),
  };
}

function readEdns(message: Buffer): Edns | null | 'broken' {
  try {
    const additionals = dnsPacket.decode(message).additionals ?? [];
    const options = additionals.filter((record): record is OptAnswer => record.type === 'OPT');
    const [option] = options;
    if (!option) return null;
    if (options.length > 1 || option.name !== '.') return 'broken';
    return {
      version: option.ednsVersion,
      udpPayloadBytes: option.udpPayloadSize,
      dnssecOk: option.flag_do,
    };
  } catch {
    return 'broken';
  }
}

/** The largest answer to this query over UDP, in bytes. */
export function udpLimit(query: Query): number {
  const asked = query.edns?.udpPayloadBytes ?? smallestUdpBytes;
  return Math.min(largestUdpBytes, Math.max(smallestUdpBytes, asked));
}

/**
 * Writes the answer to a query; one larger than `limitBytes` is empty, with the TC bit.
 * @throws if dns-packet finds that a record contains what its type cannot carry
 */
export function encodeReply(query: Query, reply: Reply, limitBytes: number): Buffer {
  const whole = encode(query, reply, 0);
  return whole.length <= limitBytes ? whole : encodeTruncated(query, reply);
}

/** The empty answer that makes the client retry over TCP. Hardly larger than the query. */
export function encodeTruncated(query: Query, reply?: Reply): Buffer {
  const { rcode, authoritative } = reply ?? { rcode: rcodes.NOERROR, authoritative: false };
  return encode(query, { rcode, authoritative }, truncatedResponse);
}

function encode(query: Query, reply: Reply, extraFlags: number): Buffer {
  const options: OptAnswer[] = query.edns ? [optRecord(query.edns, reply.rcode)] : [];
  const message = dnsPacket.encode({
    type: 'response',
    id: query.id,
    flags:
      query.flags |
      extraFlags |
      (reply.authoritative ? authoritativeAnswer : 0) |
      (reply.rcode & 0xf),
    answers: [...(reply.answers ?? [])],
    authorities: [...(reply.authorities ?? [])],
    additionals: [...(reply.additionals ?? []), ...options],
  });
  if (!query.question) return message;
  // dns-packet writes no pointers, so inserting the question afterwards shifts no offsets.
  message.writeUInt16BE(1, 4);
  return Buffer.concat([
    message.subarray(0, headerBytes),
    query.question.bytes,
    message.subarray(headerBytes),
  ]);
}

function optRecord(edns: Edns, rcode: Rcode): OptAnswer {
  return {
    type: 'OPT',
    name: '.',
    udpPayloadSize: largestUdpBytes,
    extendedRcode: rcode >> 4,
    ednsVersion: 0,
    flags: edns.dnssecOk ? dnssecOk : 0,
    flag_do: edns.dnssecOk,
    options: [],
  };
}
