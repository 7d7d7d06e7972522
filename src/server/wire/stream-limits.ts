/** Limits of the sockets and event streams of a node. */

export interface StreamLimits {
  /** Nothing more is pushed above this many unsent bytes. */
  readonly laggingBytes: number;
  /** Above this many unsent bytes a socket is closed instead of written to. */
  readonly bufferBytes: number;
  /** A lagging subscriber that reads nothing for this long is closed. */
  readonly laggingSeconds: number;
  /** Unsent bytes of all lagging sockets and event streams of the node. */
  readonly totalBufferBytes: number;
  /** Interval of pings. A socket that has not answered one by the next is closed. */
  readonly pingSeconds: number;
}

export const defaultStreamLimits: StreamLimits = {
  laggingBytes: 64 * 1024,
  bufferBytes: 1024 * 1024,
  laggingSeconds: 30,
  totalBufferBytes: 256 * 1024 * 1024,
  pingSeconds: 12,
};
