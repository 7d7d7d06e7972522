/** DNS over TCP (RFC 7766): connections, their limits, and the framing of messages. */
import { createServer, type Server, type Socket } from 'node:net';
import { sourceOf } from './rate-limit.ts';

export interface TcpLimits {
  /** Open connections, in total and per source. One more is closed at once. */
  readonly maxConnections: number;
  readonly maxConnectionsPerSource: number;
  /** A connection without a whole query or an answer for this long is closed. */
  readonly idleSeconds: number;
  /**
   * Queries of one connection processed concurrently. The rest waits in the buffer of the sender.
   */
  readonly maxPipelined: number;
  /** A longer query closes the connection: no sensible query comes near it. */
  readonly maxMessageBytes: number;
}

export interface TcpListener {
  readonly server: Server;
  /** Closes the server and every connection, and resolves when all are gone. */
  close(): Promise<void>;
}

interface TcpHandlers {
  /** May this source send one more query now? */
  allow(source: string): boolean;
  /** The answer to one message, or null for no reply. Never rejects. */
  respond(message: Buffer): Promise<Buffer | null>;
}

const lengthBytes = 2;
const shortestMessageBytes = 12;

/** DNS over TCP (RFC 7766): messages with a length before each, answered in any order. */
export function createTcpListener(limits: TcpLimits, handlers: TcpHandlers): TcpListener {
  const connections = new Set<Socket>();
  const perSource = new Map<string, number>();

  // Half-open: a client that sends a query and shuts down its side still gets the answer.
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    const source = sourceOf(socket.remoteAddress ?? '');
    const open = perSource.get(source) ?? 0;
    socket.on('error', () => socket.destroy());
    if (connections.size >= limits.maxConnections || open >= limits.maxConnectionsPerSource) {
      socket.destroy();
      return;
    }
    connections.add(socket);
    perSource.set(source, open + 1);
    socket.once('close', () => {
      connections.delete(socket);
      const left = (perSource.get(source) ?? 1) - 1;
      if (left > 0) perSource.set(source, left);
      else perSource.delete(source);
    });
    serve(socket, limits, { ...handlers, allow: () => handlers.allow(source) });
  });

  return {
    server,
    async close() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      for (const socket of connections) socket.destroy();
      await closed;
    },
  };
}

function serve(
  socket: Socket,
  limits: TcpLimits,
  handlers: { allow(): boolean; respond: TcpHandlers['respond'] },
): void {
  let received: Buffer = Buffer.alloc(0);
  let pending = 0;
  let ended = false;
  // Only whole queries and whole answers extend the deadline, so neither a query that arrives byte
  // by byte nor an answer that is not read keeps the connection open.
  const deadline = setTimeout(() => socket.destroy(), limits.idleSeconds * 1000);
  socket.once('close', () => clearTimeout(deadline));

  socket.on('data', (chunk) => {
    received = received.length === 0 ? chunk : Buffer.concat([received, chunk]);
    work();
  });
  socket.once('end', () => {
    ended = true;
    work();
  });

  function work(): void {
    while (!socket.destroyed && pending < limits.maxPipelined) {
      if (received.length < lengthBytes) break;
      const length = received.readUInt16BE(0);
      if (length < shortestMessageBytes || length > limits.maxMessageBytes) {
        socket.destroy();
        return;
      }
      if (received.length < lengthBytes + length) break;
      const message = received.subarray(lengthBytes, lengthBytes + length);
      received = received.subarray(lengthBytes + length);
      if (!handlers.allow()) {
        socket.destroy();
        return;
      }
      pending += 1;
      deadline.refresh();
      void answer(message);
    }
    if (socket.destroyed) return;
    if (pending >= limits.maxPipelined) socket.pause();
    else socket.resume();
    if (ended && pending === 0) socket.end();
  }

  async function answer(message: Buffer): Promise<void> {
    const reply = await handlers.respond(message);
    if (socket.destroyed) return;
    if (!reply) {
      socket.destroy();
      return;
    }
    const length = Buffer.alloc(lengthBytes);
    length.writeUInt16BE(reply.length);
    socket.write(Buffer.concat([length, reply]), () => {
      pending -= 1;
      if (socket.destroyed) return;
      deadline.refresh();
      work();
    });
  }
}
