/** Load: a fixed number of tasks at once, each timed; and a client as thin as HTTP/1.1 allows. */
import { connect, type Socket } from 'node:net';

export interface Load {
  readonly perSecond: number;
  /** Of each task. */
  readonly milliseconds: readonly number[];
}

/** Runs `task` once for every item, `concurrency` of them at any time. */
export async function load<Item>(
  items: readonly Item[],
  concurrency: number,
  task: (item: Item, lane: number) => Promise<void>,
): Promise<Load> {
  const milliseconds: number[] = [];
  let next = 0;
  const began = performance.now();
  const lanes = Array.from({ length: concurrency }, async (_, lane) => {
    for (let at = next++; at < items.length; at = next++) {
      const from = performance.now();
      await task(items[at] as Item, lane);
      milliseconds.push(performance.now() - from);
    }
  });
  await Promise.all(lanes);
  return { perSecond: (items.length * 1000) / (performance.now() - began), milliseconds };
}

/** Rounds of one side put together: the median of the rates, all of the latencies. */
export function together(rounds: readonly Load[]): { rates: number[]; milliseconds: number[] } {
  return {
    rates: rounds.map(({ perSecond }) => perSecond),
    milliseconds: rounds.flatMap((round) => [...round.milliseconds]),
  };
}

/** One kept-alive connection that posts operations to `/graphql`, one after the other. */
export interface Poster {
  /** The body of the answer. @throws where the status is not 200 */
  post(query: string, variables: object): Promise<string>;
  close(): void;
}

/**
 * Opens a connection. `node:http` costs as much on the client's side as the server spends: on a
 * machine with few cores that would be measured along.
 */
export async function openPoster(url: string, token: string): Promise<Poster> {
  const { hostname, port, host } = new URL(url);
  const socket = await new Promise<Socket>((resolve, reject) => {
    const opening = connect(Number(port), hostname, () => resolve(opening));
    opening.once('error', reject);
  });
  socket.setNoDelay(true);
  let received = '';
  let waiting: { resolve(body: string): void; reject(error: Error): void } | null = null;
  const settle = (how: (each: NonNullable<typeof waiting>) => void) => {
    const each = waiting;
    waiting = null;
    if (each) how(each);
  };
  socket.setEncoding('utf8').on('data', (chunk: string) => {
    received += chunk;
    const answer = parseAnswer(received);
    if (!answer) return;
    received = '';
    const { status, body } = answer;
    settle(({ resolve, reject }) =>
      status === 200 ? resolve(body) : reject(new Error(`HTTP ${status}: ${body}`)),
    );
  });
  socket.on('error', (error) => settle(({ reject }) => reject(error)));
  socket.on('close', () => settle(({ reject }) => reject(new Error('The server hung up.'))));
  const head =
    `POST /graphql HTTP/1.1\r\nHost: ${host}\r\nAuthorization: Bearer ${token}\r\n` +
    'Content-Type: application/json\r\nAccept: application/json\r\nContent-Length: ';
  return {
    post(query, variables) {
      const body = JSON.stringify({ query, variables });
      return new Promise((resolve, reject) => {
        if (socket.destroyed) return reject(new Error('The server has hung up.'));
        waiting = { resolve, reject };
        socket.write(`${head}${Buffer.byteLength(body)}\r\n\r\n${body}`);
      });
    },
    close() {
      socket.destroy();
    },
  };
}

/** A whole answer, or null while some of it is missing. The answers here are ASCII. */
function parseAnswer(text: string): { status: number; body: string } | null {
  const end = text.indexOf('\r\n\r\n');
  if (end < 0) return null;
  const head = text.slice(0, end);
  const rest = text.slice(end + 4);
  const status = Number(head.slice(9, 12));
  const length = /\r\ncontent-length: *(\d+)/i.exec(head)?.[1];
  if (length === undefined) return rest.endsWith('0\r\n\r\n') ? { status, body: rest } : null;
  return rest.length >= Number(length) ? { status, body: rest } : null;
}
