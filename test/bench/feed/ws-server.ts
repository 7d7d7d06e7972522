/** What fan-out is held against: a bare `ws` server that sends a string to each of its sockets. */
import { type WebSocket, WebSocketServer } from 'ws';
import { answerWith } from './process.ts';

let server: WebSocketServer | null = null;
const sockets: WebSocket[] = [];

const tasks = {
  /** Resolves with the address. */
  start(): Promise<string> {
    return new Promise((resolve) => {
      const opened = new WebSocketServer({ port: 0, host: '127.0.0.1' }, () => {
        const address = opened.address();
        resolve(`http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`);
      });
      opened.on('connection', (socket) => sockets.push(socket));
      server = opened;
    });
  },
  /** Sends the text so many times to the first so many sockets, one after the other. */
  send(text: string, times: number, first: number): void {
    for (let sent = 0; sent < times; sent += 1)
      for (let at = 0; at < first; at += 1) sockets[at]?.send(text);
  },
  connected: (): number => server?.clients.size ?? 0,
  collect(): void {
    globalThis.gc?.();
    globalThis.gc?.();
  },
};

export type WsServer = typeof tasks;

answerWith(tasks);
