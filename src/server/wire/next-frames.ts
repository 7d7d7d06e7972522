/**
 * Outgoing results, serialized once for a whole group. `next` messages of a group differ only in
 * their id. So a frame is made once, with the id last; for each socket the id is replaced and the
 * bytes are written. If the kernel takes all of them at once, the same buffer serves the next
 * socket.
 *
 * The rules: docs/feed.md, "Fan-out". Whole frames are written, and ws is used without compression
 * and without fragments, so they cannot land in the middle of a message of ws.
 */
import type { Writable } from 'node:stream';
import type { ExecutionResult } from 'graphql';
import { toPlainError } from './request-error.ts';

const before = '{"type":"next","payload":';
const behind = ',"id":';

/** A result as JSON, with the cursor that it carries. */
export class Payload {
  readonly json: string;
  readonly cursor: string | null;
  #bytes = 0;

  readonly hasErrors: boolean;

  constructor(json: string, cursor: string | null, hasErrors = false) {
    this.json = json;
    this.cursor = cursor;
    this.hasErrors = hasErrors;
  }

  /** The JSON without the cursor, which is its last part. */
  get content(): string {
    return this.cursor === null
      ? this.json
      : this.json.slice(0, -cursorPart(this.cursor).length - 1);
  }

  /** Bytes of the `next` message before the id of the subscription. */
  get prefixBytes(): number {
    this.#bytes ||= before.length + Buffer.byteLength(this.json) + behind.length;
    return this.#bytes;
  }

  /** Writes the `next` message up to the id; returns the offset of the id. */
  writePrefix(bytes: Buffer, offset: number): number {
    let at = offset + bytes.write(before, offset, 'latin1');
    at += bytes.write(this.json, at);
    return at + bytes.write(behind, at, 'latin1');
  }
}

const cursorPart = (cursor: string): string => `"extensions":{"cursor":${JSON.stringify(cursor)}}`;

/** A result as it is sent. The cursor is in its extensions, whether it was selected or not. */
export function serializeResult(
  { errors, data, extensions }: ExecutionResult,
  cursor: string | null = null,
): Payload {
  const carried = cursor ?? extensions?.cursor;
  const known = typeof carried === 'string' ? carried : null;
  const parts: string[] = [];
  if (errors) parts.push(`"errors":${JSON.stringify(errors.map(toPlainError))}`);
  if (data !== undefined) parts.push(`"data":${JSON.stringify(data)}`);
  if (known !== null) parts.push(cursorPart(known));
  return new Payload(`{${parts.join(',')}}`, known, errors !== undefined);
}

/** Payloads that are written together. */
export class NextFrames {
  readonly payloads: readonly Payload[];
  #bytes = 0;
  #events: Uint8Array | null = null;
  /** For ids of the last length; ids of a group rarely differ in length. */
  #template: Template | null = null;

  constructor(payloads: readonly Payload[]) {
    this.payloads = payloads;
  }

  /** Of all of them, without their ids. */
  get bytes(): number {
    this.#bytes ||= this.payloads.reduce((sum, { prefixBytes }) => sum + prefixBytes, 0);
    return this.#bytes;
  }

  /**
   * Writes `next` messages as WebSocket frames. `id` is the id of the subscription, as JSON, in
   * ASCII.
   */
  writeTo(stream: Writable, id: string): void {
    let template = this.#template;
    if (template?.idLength !== id.length) template = this.#templateOf(id.length);
    for (const at of template.idsAt) template.bytes.write(id, at, 'latin1');
    stream.write(template.bytes);
    // A buffer with unsent bytes belongs to this stream.
    this.#template = stream.writableLength > 0 ? null : template;
  }

  /** As Server-Sent Events, with the cursor as id: the same bytes for all. */
  get events(): Uint8Array {
    this.#events ??= Buffer.from(
      this.payloads
        .map(({ json, cursor }) => {
          const id = cursor === null ? '' : `id: ${cursor}\n`;
          return `event: next\n${id}data: ${json}\n\n`;
        })
        .join(''),
    );
    return this.#events;
  }

  #templateOf(idLength: number): Template {
    const lengths = this.payloads.map(({ prefixBytes }) => prefixBytes + idLength + 1);
    const total = lengths.reduce((sum, length) => sum + headerBytes(length) + length, 0);
    const bytes = Buffer.allocUnsafe(total);
    const idsAt: number[] = [];
    let at = 0;
    for (const [index, payload] of this.payloads.entries()) {
      at = payload.writePrefix(bytes, writeHeader(bytes, at, lengths[index] ?? 0));
      idsAt.push(at);
      at += idLength;
      at = bytes.writeUInt8(closingBrace, at);
    }
    return { idLength, bytes, idsAt };
  }
}

interface Template {
  readonly idLength: number;
  readonly bytes: Buffer;
  readonly idsAt: readonly number[];
}

const closingBrace = 0x7d;
/** FIN, and opcode text. */
const wholeText = 0x81;

const headerBytes = (length: number) => (length < 126 ? 2 : length < 65_536 ? 4 : 10);

/** Writes the header of an unmasked frame of RFC 6455; returns the offset of the payload. */
function writeHeader(bytes: Buffer, offset: number, length: number): number {
  const at = bytes.writeUInt8(wholeText, offset);
  if (length < 126) return bytes.writeUInt8(length, at);
  if (length < 65_536) return bytes.writeUInt16BE(length, bytes.writeUInt8(126, at));
  return bytes.writeBigUInt64BE(BigInt(length), bytes.writeUInt8(127, at));
}

/** JSON of a text, in ASCII. */
export function asciiJson(text: string): string {
  return JSON.stringify(text).replace(
    /[\u0080-\uffff]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
