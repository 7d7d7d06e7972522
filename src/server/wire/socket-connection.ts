/**
 * The network side of the sockets of a node: unsent bytes, lag, pings. A socket that does not read
 * is closed, so that its client reconnects and nobody else waits for it.
 *
 * The rules: docs/feed.md, "Slow consumers".
 */
import type { Duplex } from 'node:stream';
import type { WebSocket } from 'ws';
import type { SlowConsumer, SlowConsumers } from './slow-consumers.ts';
import type { StreamLimits } from './stream-limits.ts';

/** One socket. */
export class SocketConnection implements SlowConsumer {
  readonly #client: WebSocket;
  readonly #duplex: Duplex;
  readonly #watch: Watch;
  #drains: (() => void)[] = [];
  #isAlive = true;
  /** Bytes of the largest message since nothing waited. */
  #largestWaiting = 0;
  laggingSince: number | null = null;

  constructor(client: WebSocket, duplex: Duplex, watch: Watch) {
    this.#client = client;
    this.#duplex = duplex;
    this.#watch = watch;
  }

  /** The TCP stream for whole frames; null while the socket is closing. */
  get stream(): Duplex | null {
    return this.#client.readyState === this.#client.OPEN ? this.#duplex : null;
  }

  get waitingBytes(): number {
    return this.#duplex.writableLength;
  }

  /** Is so much unsent that only answers should still be written? */
  isFull(): boolean {
    // Below its high-water mark the stream emits no `drain`.
    const { writableNeedDrain } = this.#duplex;
    return writableNeedDrain && this.waitingBytes > this.#watch.limits.laggingBytes;
  }

  /**
   * May so many bytes be written? If too much is unsent already, the socket is closed instead. A single
   * message may be larger than the limit, which then holds for what follows it: the message would be no
   * smaller after a reconnect.
   */
  admits(bytes: number): boolean {
    const { waitingBytes } = this;
    if (waitingBytes === 0) this.#largestWaiting = 0;
    if (waitingBytes - this.#largestWaiting <= this.#watch.limits.bufferBytes) {
      this.#largestWaiting = Math.max(this.#largestWaiting, bytes);
      return true;
    }
    this.giveUp();
    return false;
  }

  /** Calls once when everything unsent has been passed to the network. */
  onDrain(call: () => void): void {
    this.#drains.push(call);
    if (this.#drains.length > 1) return;
    if (!this.#duplex.writableNeedDrain) {
      setImmediate(() => this.#drained());
      return;
    }
    this.laggingSince = performance.now();
    this.#watch.slowConsumers.add(this);
    this.#duplex.once('drain', () => this.#drained());
  }

  #drained(): void {
    this.#watch.slowConsumers.delete(this);
    this.laggingSince = null;
    for (const call of this.#drains.splice(0)) call();
  }

  /** Something was received: the peer is alive. */
  heard(): void {
    this.#isAlive = true;
  }

  /** Terminates a socket that has not answered the previous ping. */
  ping(): void {
    if (!this.#isAlive) {
      this.#client.terminate();
      return;
    }
    this.#isAlive = false;
    this.#client.ping();
  }

  giveUp(): void {
    this.#watch.slowConsumers.delete(this);
    this.close(tryAgainLater, 'The client reads too slowly. Reconnect with the last cursor.');
  }

  /** Closes with a code, and terminates the socket if it does not close in time. */
  close(code: number, reason: string): void {
    if (this.#client.readyState !== this.#client.OPEN) return;
    this.#client.close(code, reason);
    const cut = setTimeout(() => this.#client.terminate(), goneMs).unref();
    this.#client.once('close', () => clearTimeout(cut));
  }

  /** It has closed. */
  gone(): void {
    this.#watch.slowConsumers.delete(this);
    this.#drains = [];
  }
}

interface Watch {
  readonly limits: StreamLimits;
  readonly slowConsumers: SlowConsumers;
}

export interface SocketConnections {
  /** Watches a socket until it is closed. */
  open(client: WebSocket, socket: Duplex): SocketConnection;
  close(connection: SocketConnection): void;
  /** Closes all of them. */
  stop(code: number, reason: string): void;
}

const tickMs = 1000;
/** Time between the close frame and the termination of the connection. */
export const goneMs = 2_000;
const tryAgainLater = 1013;

/** Pings all sockets with one timer. */
export function createSocketConnections(
  limits: StreamLimits,
  slowConsumers: SlowConsumers,
): SocketConnections {
  const count = Math.max(1, Math.round((limits.pingSeconds * 1000) / tickMs));
  const slots = Array.from({ length: count }, () => new Set<SocketConnection>());
  const slotOf = new WeakMap<SocketConnection, Set<SocketConnection>>();
  let opened = 0;
  let tick = 0;
  const timer = setInterval(() => {
    tick += 1;
    for (const connection of slots[tick % count] ?? []) connection.ping();
  }, tickMs).unref();

  return {
    open(client, socket) {
      const connection = new SocketConnection(client, socket, { limits, slowConsumers });
      const slot = slots[opened % count];
      opened += 1;
      slot?.add(connection);
      if (slot) slotOf.set(connection, slot);
      return connection;
    },
    close(connection) {
      slotOf.get(connection)?.delete(connection);
      connection.gone();
    },
    stop(code, reason) {
      clearInterval(timer);
      for (const slot of slots) for (const connection of slot) connection.close(code, reason);
    },
  };
}
