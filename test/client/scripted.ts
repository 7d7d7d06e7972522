/** A server of `graphql-transport-ws` that says what a test tells it to, also what ours never would. */
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { onTestFinished } from 'vitest';
import { type WebSocket, WebSocketServer } from 'ws';

export interface Asked {
  readonly query: string;
  readonly variables?: Readonly<Record<string, unknown>>;
  /** One answer or event. */
  next(payload: object): void;
  error(...errors: object[]): void;
  complete(): void;
  /** All that is said meanwhile arrives in one piece. */
  together(say: () => void): void;
  /** Closes the socket that it came over. 1005: without a code; 1006: cuts it. */
  close(code: number): void;
}

/** Starts one; `answer` is called for each operation. */
export async function startScripted(
  answer: (asked: Asked) => void,
  port = 0,
): Promise<{
  readonly url: string;
  /** All operations, in the order in which they came. */
  readonly asked: readonly Asked[];
  readonly connections: number;
  /** Connections that are open. */
  readonly open: number;
}> {
  const server = new WebSocketServer({
    host: '127.0.0.1',
    port,
    handleProtocols: () => 'graphql-transport-ws',
  });
  await once(server, 'listening');
  onTestFinished(() => {
    for (const client of server.clients) client.terminate();
    server.close();
  });
  const asked: Asked[] = [];
  let connections = 0;
  server.on('connection', (socket: WebSocket, { socket: stream }: IncomingMessage) => {
    connections += 1;
    const say = (message: object) => socket.send(JSON.stringify(message));
    socket.on('message', (data) => {
      const { type, id, payload } = JSON.parse(String(data));
      if (type === 'connection_init') say({ type: 'connection_ack' });
      if (type === 'ping') say({ type: 'pong' });
      if (type !== 'subscribe') return;
      const operation: Asked = {
        ...payload,
        next: (result) => say({ type: 'next', id, payload: result }),
        error: (...errors) => say({ type: 'error', id, payload: errors }),
        complete: () => say({ type: 'complete', id }),
        together(speak) {
          stream.cork();
          speak();
          stream.uncork();
        },
        close(code) {
          if (code === 1005) socket.close();
          else if (code === 1006) socket.terminate();
          else socket.close(code, 'as told');
        },
      };
      asked.push(operation);
      answer(operation);
    });
  });
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked,
    get connections() {
      return connections;
    },
    get open() {
      return server.clients.size;
    },
  };
}
