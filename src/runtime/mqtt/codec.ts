/** Packets of MQTT to bytes and back, for one connection: `mqtt-packet`, which parses whole packets here. */
import { generate, type IConnectPacket, type Packet, parser } from 'mqtt-packet';
import { codes, Ends } from './codes.ts';

/** Of a reason, in characters: a device has little memory. */
const maxReason = 1_000;

export class Codec {
  readonly #parser = parser();
  #parsed: Packet[] = [];
  #fault: unknown;
  #connect: IConnectPacket | undefined;

  constructor() {
    this.#parser.on('packet', (packet) => this.#parsed.push(packet));
    this.#parser.on('error', (error) => {
      this.#fault = error;
    });
  }

  /** Whether the client speaks MQTT 5, by its CONNECT. */
  get isVersion5(): boolean {
    return this.#connect?.protocolVersion === 5;
  }

  /** Throws an `Ends` where it is malformed. */
  decode(frame: Buffer): Packet {
    try {
      this.#parser.parse(frame);
    } catch (error) {
      this.#fault ??= error;
    }
    const [packet, ...others] = this.#parsed.splice(0);
    if (this.#fault !== undefined || packet === undefined || others.length > 0) {
      throw new Ends(codes.malformedPacket, 'A packet is malformed.');
    }
    if (packet.cmd === 'connect') this.#connect ??= packet;
    return packet;
  }

  /** `reason` is left out where the client cannot be told it. */
  encode(packet: Packet, reason?: string): Buffer {
    const { protocolVersion = 4, properties } = this.#connect ?? {};
    const maxBytes = properties?.maximumPacketSize ?? Number.POSITIVE_INFINITY;
    const takesReason =
      packet.cmd === 'connack' ||
      packet.cmd === 'disconnect' ||
      properties?.requestProblemInformation !== false;
    const plain = generate(packet, { protocolVersion });
    if (protocolVersion !== 5 || reason === undefined || !takesReason) return plain;
    const reasonString = textOf(reason);
    const before = 'properties' in packet ? packet.properties : {};
    const full = { ...packet, properties: { ...before, reasonString } } as Packet;
    const bytes = generate(full, { protocolVersion });
    return bytes.length <= maxBytes ? bytes : plain;
  }
}

/** MQTT takes neither control characters nor half a character. */
const textOf = (reason: string): string =>
  reason
    .replace(/[\p{Cc}\p{Surrogate}]/gu, ' ')
    .slice(0, maxReason)
    .replace(/\p{Surrogate}$/u, '');
