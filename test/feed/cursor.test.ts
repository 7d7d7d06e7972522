import { randomUUID } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { CursorError, createCursors, END_OF_REVISION } from '../../src/feed/channel/cursor.ts';

const [organization, other] = [randomUUID(), randomUUID()];
const store = { cursorSecret: 'secret', epoch: randomUUID() };
const cursors = createCursors(store);
const position = fc.record({
  revision: fc.nat({ max: 2 ** 48 - 1 }),
  place: fc.nat({ max: END_OF_REVISION }),
});
const reads = (attempt: () => unknown): boolean => {
  try {
    attempt();
    return true;
  } catch (error) {
    expect(error).toBeInstanceOf(CursorError);
    expect(error).toMatchObject({ code: 'CURSOR_INVALID', retryable: false });
    return false;
  }
};

test('a cursor is short, says nothing, and gives its position back', () => {
  fc.assert(
    fc.property(position, (at) => {
      const cursor = cursors.encode(organization, at);
      expect(cursor).toMatch(/^[\w-]{23}$/);
      expect(cursors.decode(organization, cursor)).toEqual(at);
      expect(createCursors(store).encode(organization, at)).toBe(cursor);
      expect(cursors.encode(other, at).slice(2)).not.toBe(cursor.slice(2));
    }),
  );
  const [one, next] = [1, 2].map((revision) =>
    Buffer.from(cursors.encode(organization, { revision, place: 0 }), 'base64url'),
  );
  const changed = one?.filter((byte, index) => byte !== next?.[index]).length;
  expect(changed).toBeGreaterThan(12); // Neighbours have nothing in common but the version.
});

test('another organization, epoch or secret and a changed bit are refused', () => {
  fc.assert(
    fc.property(position, fc.nat({ max: 17 * 8 - 1 }), (at, bit) => {
      const cursor = cursors.encode(organization, at);
      const bytes = Buffer.from(cursor, 'base64url');
      bytes.writeUInt8(bytes.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
      const changed = bytes.toString('base64url');
      expect(reads(() => cursors.decode(organization, changed))).toBe(false);
      expect(reads(() => cursors.decode(other, cursor))).toBe(false);
      for (const another of [{ epoch: randomUUID() }, { cursorSecret: 'another' }]) {
        const theirs = createCursors({ ...store, ...another });
        expect(reads(() => theirs.decode(organization, cursor))).toBe(false);
      }
    }),
  );
});

test('garbage is refused, whatever it is', () => {
  fc.assert(
    fc.property(
      fc.oneof(fc.string(), fc.base64String(), fc.string({ minLength: 23 })),
      (garbage) => {
        expect(reads(() => cursors.decode(organization, garbage))).toBe(false);
      },
    ),
  );
  const cursor = cursors.encode(organization, { revision: 1, place: 0 });
  for (const garbage of [
    ` ${cursor}`,
    `${cursor} `,
    `${cursor}=`,
    cursor.repeat(2),
    cursor.slice(1),
  ])
    expect(reads(() => cursors.decode(organization, garbage))).toBe(false);
});
