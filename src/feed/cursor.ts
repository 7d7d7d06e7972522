/**
 * Cursors: where a reader is, sealed. Anyone may keep one, nobody but the store can make or read
 * one, and it is of use to its own organization alone.
 *
 *     version (1 byte) │ tag (12) │ revision (6) and place (2), encrypted     28 characters base64url
 *
 * The tag is an HMAC-SHA256 over version, organization and position, under a key that the epoch is
 * part of; it is also the nonce of the encryption. So equal positions have equal cursors, and another
 * epoch, another organization and a changed byte all fail the same check.
 */
import { createCipheriv, createHmac, hkdfSync, timingSafeEqual } from 'node:crypto';
import type { LogPosition } from '../store/log.ts';

/** Why a cursor cannot be followed. Never retryable with the same cursor. */
export class CursorError extends Error {
  override readonly name = 'CursorError';
  readonly retryable = false;
  readonly code: 'CURSOR_INVALID' | 'CURSOR_EXPIRED';
  /** CURSOR_EXPIRED: the oldest cursor that can be followed. */
  readonly oldestCursor: string | null;

  constructor(code: CursorError['code'], oldestCursor: string | null = null) {
    super(
      code === 'CURSOR_INVALID'
        ? 'The cursor is not one of this feed. Query the present state and its feedPosition, and go on from there.'
        : 'The log no longer goes back to this cursor. Query the present state and its feedPosition, or go on from oldestCursor and do without what lies between.',
    );
    this.code = code;
    this.oldestCursor = oldestCursor;
  }
}

/** The place behind all rows of a revision. */
export const END_OF_REVISION = 0xffff;

/** The position behind all rows of a revision. */
export function endOf(revision: number): LogPosition {
  return { revision, place: END_OF_REVISION };
}

/** Below zero where `a` is before `b`. */
export function comparePositions(a: LogPosition, b: LogPosition): number {
  return a.revision - b.revision || a.place - b.place;
}

export interface Cursors {
  encode(organizationId: string, position: LogPosition): string;
  /** @throws {CursorError} CURSOR_INVALID: garbage, or of another organization or epoch */
  decode(organizationId: string, cursor: string): LogPosition;
}

const VERSION = 1;
const TAG_BYTES = 12;
const POSITION_BYTES = 8;
const CURSOR_CHARACTERS = ((1 + TAG_BYTES + POSITION_BYTES) * 4) / 3;

/** The cursors of a store in one epoch of it. */
export function createCursors(store: { cursorSecret: string; epoch: string }): Cursors {
  const key = (use: string) =>
    Buffer.from(hkdfSync('sha256', store.cursorSecret, store.epoch, `cursor ${use}`, 32));
  const [tagKey, positionKey] = [key('tag'), key('position')];

  function tagOf(organizationId: string, plain: Buffer): Buffer {
    const hmac = createHmac('sha256', tagKey).update(Buffer.of(VERSION)).update(plain);
    return hmac.update(organizationId).digest().subarray(0, TAG_BYTES);
  }

  /** Encrypts and decrypts. */
  function crypt(tag: Buffer, text: Buffer): Buffer {
    const nonce = Buffer.concat([tag, Buffer.alloc(16 - TAG_BYTES)]);
    return createCipheriv('aes-256-ctr', positionKey, nonce).update(text);
  }

  return {
    encode(organizationId, { revision, place }) {
      const plain = Buffer.alloc(POSITION_BYTES);
      plain.writeUIntBE(revision, 0, 6);
      plain.writeUInt16BE(Math.min(place, END_OF_REVISION), 6);
      const tag = tagOf(organizationId, plain);
      return Buffer.concat([Buffer.of(VERSION), tag, crypt(tag, plain)]).toString('base64url');
    },
    decode(organizationId, cursor) {
      const bytes = Buffer.from(cursor.slice(0, CURSOR_CHARACTERS + 1), 'base64url');
      // Decoding forgives what is not base64url; encoding again tells.
      if (bytes.toString('base64url') !== cursor || bytes.length !== (CURSOR_CHARACTERS * 3) / 4)
        throw new CursorError('CURSOR_INVALID');
      const tag = bytes.subarray(1, 1 + TAG_BYTES);
      const plain = crypt(tag, bytes.subarray(1 + TAG_BYTES));
      if (bytes[0] !== VERSION || !timingSafeEqual(tag, tagOf(organizationId, plain)))
        throw new CursorError('CURSOR_INVALID');
      return { revision: plain.readUIntBE(0, 6), place: plain.readUInt16BE(6) };
    },
  };
}
