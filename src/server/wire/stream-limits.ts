/** Limits of the sockets and event streams of a node. */

export interface StreamLimits {
  /** Nothing more is pushed while so many bytes wait. */
  readonly laggingBytes: number;
  /** With more bytes waiting a socket is closed rather than written to. */
  readonly bufferBytes: number;
  /** Closed where nothing was read for so long. */
  readonly laggingSeconds: number;
  /** Bytes that may wait in all sockets and event streams of the node that lag. */
  readonly totalBufferBytes: number;
  /** Time between two pings; who has not answered one by the next is gone. */
  readonly pingSeconds: number;
}

export const defaultStreamLimits: StreamLimits = {
  laggingBytes: 64 * 1024,
  bufferBytes: 1024 * 1024,
  laggingSeconds: 30,
  totalBufferBytes: 256 * 1024 * 1024,
  pingSeconds: 12,
};
