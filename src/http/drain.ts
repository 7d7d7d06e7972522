/**
 * Closes a `node:http` or `node:https` server within a time limit. Complete requests are answered.
 * Closing a server ends Node's own check of request time-outs, so a body that stalls or arrives
 * byte by byte would keep it open without limit. It has `bodyMilliseconds`; then its reader refuses
 * it. After `answerMilliseconds` more, every connection is cut.
 */
import { type IncomingMessage, Server, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

export interface DrainLimits {
  /** Time for bodies that are being received. */
  readonly bodyMilliseconds: number;
  /** Additional time for answers that are being made or written. */
  readonly answerMilliseconds: number;
}

export interface Drain {
  /** Is the server closing? It accepts no more requests. */
  isClosing(): boolean;
  /**
   * Calls once the time for bodies is over, or at once if it is over already. Returns a function
   * that cancels it.
   */
  onBodiesOver(call: () => void): () => void;
  /** Stops listening; resolves when every connection is closed. `hurry` shortens the wait. */
  close(hurry?: AbortSignal): Promise<void>;
}

/**
 * Must be called before the server listens. The caller handles `checkContinue` as well as
 * `request`.
 */
export function createDrain(server: Server, limits: DrainLimits): Drain {
  /** Every connection, with TLS or before it, upgraded ones included. */
  const connections = new Set<Socket>();
  /** HTTP connections with the number of their open requests. */
  const requests = new Map<Socket, number>();
  const readers = new Set<() => void>();
  let isClosing = false;
  let areBodiesOver = false;

  server.on('connection', (socket: Socket) => {
    connections.add(socket);
    socket.once('close', () => connections.delete(socket));
  });
  server.on(server instanceof Server ? 'connection' : 'secureConnection', (socket: Socket) => {
    requests.set(socket, 0);
    socket.once('close', () => requests.delete(socket));
  });
  const begun = ({ socket }: IncomingMessage, response: ServerResponse) => {
    requests.set(socket, (requests.get(socket) ?? 0) + 1);
    response.once('close', () => {
      const left = (requests.get(socket) ?? 1) - 1;
      if (requests.has(socket)) requests.set(socket, left);
      if (isClosing && left === 0) socket.destroySoon();
    });
  };
  server.on('request', begun);
  server.on('checkContinue', begun);
  // Whoever took the connection over closes it.
  server.on('upgrade', ({ socket }: IncomingMessage) => requests.delete(socket));

  function endBodies(): void {
    areBodiesOver = true;
    for (const tell of readers) tell();
    readers.clear();
  }

  function cut(): void {
    for (const socket of connections) socket.destroy();
  }

  return {
    isClosing: () => isClosing,
    onBodiesOver(call) {
      if (areBodiesOver) call();
      else readers.add(call);
      return () => readers.delete(call);
    },
    async close(hurry) {
      isClosing = true;
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      for (const [socket, open] of requests) if (open === 0) socket.destroy();
      const timers: NodeJS.Timeout[] = [];
      const end = () => {
        endBodies();
        timers.push(setTimeout(cut, limits.answerMilliseconds));
      };
      timers.push(setTimeout(end, limits.bodyMilliseconds));
      if (hurry?.aborted) end();
      else hurry?.addEventListener('abort', end, { once: true });
      await closed;
      hurry?.removeEventListener('abort', end);
      for (const timer of timers) clearTimeout(timer);
    },
  };
}
