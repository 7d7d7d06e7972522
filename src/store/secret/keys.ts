/**
 * Sealing of secrets before they are stored: AES-256-GCM. A sealed value names its key, and is bound to its
 * place: copied to another row or field it does not open.
 */
import { createCipheriv, createDecipheriv, createHash, randomBytes } from 'node:crypto';

/** A value as it is stored: `im1.<id of the key>.<base64url of nonce, ciphertext and tag>`. */
export interface Sealed {
  readonly sealed: string;
}

/** The keys of this server: the first seals, every one opens what it sealed. */
export interface SecretKeys {
  /** The id of the key that seals; null: there is none. */
  readonly id: string | null;
  /** The ids of all keys. */
  readonly ids: readonly string[];
  /**
   * @param place what the value belongs to: `instances/<id>/settings/<name>`
   * @throws SecretError without a key
   */
  seal(value: unknown, place: string): Sealed;
  /**
   * The value, or `stored` itself where it is in clear: it was stored before there was a key.
   *
   * @throws SecretError where its key is missing, or it is not what was sealed for this place
   */
  open(stored: unknown, place: string): unknown;
}

/** A secret cannot be stored or read; the message says what to do. */
export class SecretError extends Error {
  override readonly name = 'SecretError';
  readonly code: 'SECRETS_KEY_MISSING' | 'SECRET_DAMAGED';

  constructor(code: 'SECRETS_KEY_MISSING' | 'SECRET_DAMAGED', message: string) {
    super(message);
    this.code = code;
  }
}

const algorithm = 'aes-256-gcm';
const keyBytes = 32;
const nonceBytes = 12;
const tagBytes = 16;
/** The form of a sealed value, in JavaScript and in PostgreSQL. */
export const sealedPattern = '^im1\\.([0-9a-f]{16})\\.([A-Za-z0-9_-]+)$';
const sealedText = new RegExp(sealedPattern);

/** How a key is made; part of messages. */
export const makeKey = 'openssl rand -base64 32';

/** A new key, as SECRETS_KEY takes it. */
export const newKey = (): string => randomBytes(keyBytes).toString('base64');

/** Is it a key as SECRETS_KEY takes it? */
export const isKeyText = (text: string): boolean =>
  /^[A-Za-z0-9+/_-]{43}=?$/.test(text) && Buffer.from(text, 'base64').length === keyBytes;

/** The keys of these texts, of which `isKeyText` is true; none: nothing can be sealed. */
export function secretKeys(texts: readonly string[]): SecretKeys {
  const keys = new Map(texts.map((text) => keyOf(text)));
  const [first] = keys;
  return {
    id: first?.[0] ?? null,
    ids: [...keys.keys()],
    seal(value, place) {
      if (!first) {
        throw new SecretError(
          'SECRETS_KEY_MISSING',
          `It is a secret, and this server has no key to seal it with: set SECRETS_KEY on every server (${makeKey} makes one) and restart them.`,
        );
      }
      const [id, key] = first;
      const nonce = randomBytes(nonceBytes);
      const cipher = createCipheriv(algorithm, key, nonce).setAAD(Buffer.from(place));
      const text = cipher.update(JSON.stringify(value), 'utf8');
      const parts = [nonce, text, cipher.final(), cipher.getAuthTag()];
      return { sealed: `im1.${id}.${Buffer.concat(parts).toString('base64url')}` };
    },
    open(stored, place) {
      const [, id = '', data = ''] = sealedParts(stored) ?? [];
      if (!id) return stored;
      const key = keys.get(id);
      if (!key) throw keyMissing(id);
      return opened(Buffer.from(data, 'base64url'), { key, place });
    },
  };
}

/** The id of the key that sealed a stored value; null: it is in clear. */
export const keyIdOf = (stored: unknown): string | null => sealedParts(stored)?.[1] ?? null;

function sealedParts(stored: unknown): RegExpExecArray | null {
  if (typeof stored !== 'object' || stored === null || !('sealed' in stored)) return null;
  return typeof stored.sealed === 'string' ? sealedText.exec(stored.sealed) : null;
}

function keyOf(text: string): [id: string, key: Buffer] {
  const key = Buffer.from(text, 'base64');
  return [createHash('sha256').update(key).digest('hex').slice(0, 16), key];
}

function keyMissing(id: string): SecretError {
  return new SecretError(
    'SECRETS_KEY_MISSING',
    `It was sealed with the key ${id}, which this server does not have: add that key to SECRETS_KEY and restart the server, or set the secret anew.`,
  );
}

function opened(bytes: Buffer, { key, place }: { key: Buffer; place: string }): unknown {
  try {
    const decipher = createDecipheriv(algorithm, key, bytes.subarray(0, nonceBytes));
    decipher.setAAD(Buffer.from(place)).setAuthTag(bytes.subarray(-tagBytes));
    const text = decipher.update(bytes.subarray(nonceBytes, -tagBytes));
    return JSON.parse(Buffer.concat([text, decipher.final()]).toString('utf8'));
  } catch {
    throw new SecretError(
      'SECRET_DAMAGED',
      'The stored secret was changed, or moved here from elsewhere, and does not open: set it anew.',
    );
  }
}
