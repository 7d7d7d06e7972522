/**
 * Cursors: encrypted positions. A client may keep one; only a node of the store can make or read one, and
 * it is valid only for its own organization and epoch.
 *
 *     version (1 byte) │ revision (6), place (2) and tag (8), one block of AES-256     23 characters base64url
 *
 * The tag is an HMAC-SHA256 of the organization, and both keys depend on the epoch. Equal positions have
 * equal cursors. A cursor of another epoch or organization, or with a changed byte, decrypts to a block with
 * a wrong tag, except with a probability of 2^-64.
 */
import {
  createCipheriv,
  createDecipheriv,
  createHmac,
  hkdfSync,
  timingSafeEqual,
} from 'node:crypto';
import type { LogPosition } from '../../store/log/log.ts';

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
        ? 'The cursor is not valid in this feed. Read a new snapshot with its feedPosition, and resume from that.'
        : 'The events after this cursor are deleted. Read a new snapshot with its feedPosition, or resume from oldestCursor and lose the events in between.',
    );
    this.code = code;
    this.oldestCursor = oldestCursor;
  }
}

/** A place after all rows of a revision. */
export const END_OF_REVISION = 0xffff;

/** The position after all rows of a revision. */
export function endOf(revision: number): LogPosition {
  return { revision, place: END_OF_REVISION };
}

/** Below zero where `a` is before `b`. */
export function comparePositions(a: LogPosition, b: LogPosition): number {
  return a.revision - b.revision || a.place - b.place;
}

/** The later of two positions. */
export function later(a: LogPosition, b: LogPosition): LogPosition {
  return comparePositions(a, b) < 0 ? b : a;
}

export interface Cursors {
  encode(organizationId: string, position: LogPosition): string;
  /** @throws {CursorError} CURSOR_INVALID: garbage, or of another organization or epoch */
  decode(organizationId: string, cursor: string): LogPosition;
}

const VERSION = 2;
const TAG_BYTES = 8;
const POSITION_BYTES = 8;
const BLOCK_BYTES = POSITION_BYTES + TAG_BYTES;
const CURSOR_BYTES = 1 + BLOCK_BYTES;
const CURSOR_CHARACTERS = Math.ceil((CURSOR_BYTES * 4) / 3);

/** The cursors of a store in one epoch of it. */
export function createCursors(store: { cursorSecret: string; epoch: string }): Cursors {
  const key = (use: string) =>
    Buffer.from(hkdfSync('sha256', store.cursorSecret, store.epoch, `cursor ${use}`, 32));
  const [tagKey, blockKey] = [key('tag'), key('block')];
  // Each cursor is one block, and no two blocks are equal, so ECB leaks nothing and one cipher serves all.
  const seal = createCipheriv('aes-256-ecb', blockKey, null).setAutoPadding(false);
  const open = createDecipheriv('aes-256-ecb', blockKey, null).setAutoPadding(false);
  const tags = new Map<string, Buffer>();

  function tagOf(organizationId: string): Buffer {
    const known = tags.get(organizationId);
    if (known) return known;
    const hmac = createHmac('sha256', tagKey).update(Buffer.of(VERSION)).update(organizationId);
    const tag = hmac.digest().subarray(0, TAG_BYTES);
    if (tags.size >= 1000) tags.clear();
    tags.set(organizationId, tag);
    return tag;
  }

  return {
    encode(organizationId, { revision, place }) {
      const block = Buffer.alloc(BLOCK_BYTES);
      block.writeUIntBE(revision, 0, 6);
      block.writeUInt16BE(Math.min(place, END_OF_REVISION), 6);
      tagOf(organizationId).copy(block, POSITION_BYTES);
      const sealed = Buffer.alloc(CURSOR_BYTES, VERSION);
      seal.update(block).copy(sealed, 1);
      return sealed.toString('base64url');
    },
    decode(organizationId, cursor) {
      const bytes = Buffer.from(cursor.slice(0, CURSOR_CHARACTERS + 1), 'base64url');
      // `Buffer.from` ignores characters that are not base64url, so the result is encoded again and compared.
      if (bytes.toString('base64url') !== cursor || bytes.length !== CURSOR_BYTES)
        throw new CursorError('CURSOR_INVALID');
      const block = open.update(bytes.subarray(1));
      const isOurs = timingSafeEqual(block.subarray(POSITION_BYTES), tagOf(organizationId));
      if (bytes[0] !== VERSION || !isOurs) throw new CursorError('CURSOR_INVALID');
      return { revision: block.readUIntBE(0, 6), place: block.readUInt16BE(6) };
    },
  };
}
