/** One WebSocket of `graphql-transport-ws`, by hand, so that a test may also misuse it. */
import { WebSocket } from 'ws';
import type { Answer, Target } from './answers.ts';

export interface Socket {
  /** The first result, or the errors, of one operation. */
  run(query: string): Promise<Answer<object>>;
  /** Sends a text as a message. */
  send(text: string): void;
  /** Sends bytes in the place of a frame. */
  writeRaw(bytes: Buffer): void;
  /** The code that it was closed with. */
  readonly closed: Promise<number>;
  close(): void;
}

interface Message {
  readonly type: string;
  readonly id?: string;
  readonly payload?: unknown;
}

/** Connects and is acknowledged. Rejects with the code where it is closed instead. */
export async function openSocket({ url, token }: Target): Promise<Socket> {
  const socket = new WebSocket(`${url.replace('http', 'ws')}/graphql`, 'graphql-transport-ws');
  const waiting = new Map<string, (answer: Answer<object>) => void>();
  let acknowledged = (): void => undefined;
  const ready = new Promise<void>((resolve) => {
    acknowledged = resolve;
  });
  const closed = new Promise<number>((resolve) => socket.once('close', resolve));
  socket.on('error', () => undefined); // `closed` tells.
  socket.on('open', () =>
    socket.send(
      JSON.stringify({
        type: 'connection_init',
        payload: { authorization: `Bearer ${token}` },
      }),
    ),
  );
  socket.on('message', (data) => {
    const message = JSON.parse(String(data)) as Message;
    if (message.type === 'connection_ack') acknowledged();
    if (message.type === 'ping') socket.send(JSON.stringify({ type: 'pong' }));
    const answer = waiting.get(message.id ?? '');
    if (message.type === 'next') answer?.(message.payload as Answer<object>);
    if (message.type === 'error') {
      answer?.({ data: null, errors: message.payload as Answer<object>['errors'] });
    }
  });
  const refused = closed.then((code) => Promise.reject(new Error(`closed with ${code}`)));
  refused.catch(() => undefined);
  await Promise.race([ready, refused]);
  let count = 0;
  return {
    closed,
    close: () => socket.close(),
    send: (text) => socket.send(text),
    writeRaw(bytes) {
      // ws keeps the stream for itself; there is no other way to send what is no frame.
      (socket as unknown as { _socket: NodeJS.WritableStream })._socket.write(bytes);
    },
    run(query) {
      count += 1;
      const id = String(count);
      const answer = new Promise<Answer<object>>((resolve) => waiting.set(id, resolve));
      socket.send(JSON.stringify({ type: 'subscribe', id, payload: { query } }));
      return Promise.race([answer, refused]).finally(() => waiting.delete(id));
    },
  };
}
