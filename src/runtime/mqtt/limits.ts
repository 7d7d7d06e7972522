/** The limits of an MQTT listener and of its clients. */
export const limits = {
  payloadBytes: 65_536,
  /** A PUBLISH with its topic and its properties. */
  packetBytes: 65_536 + 4_096,
  /** Read from anyone, before the key is known. */
  connectBytes: 8_192,
  connectMilliseconds: 10_000,
  /** From the first byte of a packet to its last. */
  packetMilliseconds: 20_000,
  /** A client that asks for a longer one, or for none, has this one. */
  keepAliveSeconds: 3_600,
  /** Messages that a client may send before it has an answer to the first. */
  receiveMaximum: 32,
  /** For a client that does not read its answers. */
  drainMilliseconds: 10_000,
  /** From the last answer to the cut. */
  lingerMilliseconds: 1_000,
} as const;
