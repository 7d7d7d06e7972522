/** Splits a stream of bytes into the packets of MQTT, whatever way they arrive, in bounded memory. */

/** The stream is not MQTT, or announces a packet that is too long. */
export class BadFrame extends Error {
  override readonly name = 'BadFrame';
  readonly isTooLong: boolean;

  constructor(message: string, isTooLong: boolean) {
    super(message);
    this.isTooLong = isTooLong;
  }
}

const maxLengthBytes = 4;
/** Chunks that are kept apart: a packet may arrive byte by byte. */
const maxChunks = 64;

export class Frames {
  #chunks: Buffer[] = [];
  #bytes = 0;

  push(chunk: Buffer): void {
    this.#chunks.push(chunk);
    this.#bytes += chunk.length;
    if (this.#chunks.length > maxChunks) this.#joined();
  }

  /** Whether a packet has begun and is not complete; valid when `next` returned undefined. */
  get isPartial(): boolean {
    return this.#bytes > 0;
  }

  /** The first byte of the packet that begins. */
  get firstByte(): number | undefined {
    return this.#chunks[0]?.[0];
  }

  /**
   * The next complete packet. Throws a `BadFrame` as soon as the length is known to be over the limit.
   */
  next(maxBytes: number): Buffer | undefined {
    if (this.#bytes < 2) return undefined;
    const length = this.#frameBytes();
    if (length === undefined) return undefined;
    if (length > maxBytes) throw new BadFrame(`A packet has ${maxBytes} bytes at most.`, true);
    if (this.#bytes < length) return undefined;
    const all = this.#joined();
    const rest = all.subarray(length);
    this.#chunks = rest.length > 0 ? [rest] : [];
    this.#bytes = rest.length;
    return all.subarray(0, length);
  }

  /** Of the packet that begins, with its header; undefined: not known yet. */
  #frameBytes(): number | undefined {
    const first = this.#chunks[0];
    const all = first && first.length > maxLengthBytes ? first : this.#joined();
    let length = 0;
    for (let index = 0; index < maxLengthBytes; index += 1) {
      const byte = all[1 + index];
      if (byte === undefined) return undefined;
      length += (byte & 0x7f) * 128 ** index;
      if (byte < 0x80) return 2 + index + length;
    }
    throw new BadFrame('The length of a packet has four bytes at most.', false);
  }

  #joined(): Buffer {
    const [first] = this.#chunks;
    const all = first && this.#chunks.length === 1 ? first : Buffer.concat(this.#chunks);
    this.#chunks = [all];
    return all;
  }
}
