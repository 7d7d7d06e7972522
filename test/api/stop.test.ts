/** The stop of the API's server is bounded, whatever its clients do. */
import { connect as connectTcp, type Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import type { Database } from '../../src/store/database/database.ts';
import { type ApiServer, adminToken, openDatabase, send, startApiServer } from './api-server.ts';

/** The server's own bounds add up to less; the rest is for a busy machine. */
const boundMilliseconds = 10_000;

let database: Database;
const sockets: Socket[] = [];
beforeAll(async () => {
  database = await openDatabase();
});
afterAll(async () => {
  for (const socket of sockets) socket.destroy();
  await database.close();
});

interface Client {
  readonly socket: Socket;
  /** Everything that was received, once the connection is closed. */
  readonly closed: Promise<string>;
  /** Resolves when this text has been received. */
  received(text: string): Promise<void>;
}

async function open({ port }: ApiServer): Promise<Client> {
  const socket = connectTcp(port, '127.0.0.1');
  sockets.push(socket);
  socket.on('error', () => undefined);
  let text = '';
  const waiting = new Set<() => void>();
  socket.on('data', (chunk) => {
    text += String(chunk);
    for (const check of waiting) check();
  });
  const closed = new Promise<string>((resolve) => socket.once('close', () => resolve(text)));
  await new Promise((resolve) => socket.once('connect', resolve));
  return {
    socket,
    closed,
    received: (wanted) =>
      new Promise((resolve) => {
        const check = () => {
          if (!text.includes(wanted)) return;
          waiting.delete(check);
          resolve();
        };
        waiting.add(check);
        check();
      }),
  };
}

const head = (api: ApiServer, more: string) =>
  `POST /graphql HTTP/1.1\r\nHost: localhost:${api.port}\r\n` +
  `Authorization: Bearer ${adminToken}\r\nContent-Type: application/json\r\n${more}\r\n`;

/** A POST that the server has begun to read: it answered 100 to the headers. */
async function begin(api: ApiServer, body: string, bytes = body.length): Promise<Client> {
  const client = await open(api);
  client.socket.write(head(api, `Expect: 100-continue\r\nContent-Length: ${bytes}\r\n`));
  await client.received('100 Continue');
  client.socket.write(body);
  return client;
}

/** Starts a server, lets `occupy` open its clients, and stops it within the bound. */
async function stopped<T>(
  occupy: (api: ApiServer) => Promise<T>,
): Promise<{ api: ApiServer; of: T }> {
  const api = await startApiServer(database);
  const of = await occupy(api);
  const startedAt = performance.now();
  await api.stop();
  expect(performance.now() - startedAt).toBeLessThan(boundMilliseconds);
  return { api, of };
}

// A stop waits most of its time.
describe.concurrent('a stop is bounded and answers', () => {
  test('a body that stalls: 503, the connection closed, nothing executed', async () => {
    const mutation = JSON.stringify({ query: 'mutation { touch(name: "stalled") }' });
    const { api, of } = await stopped((each) => begin(each, mutation, mutation.length + 1));
    const answer = (await of.closed).toLowerCase();
    expect(answer).toContain('http/1.1 503');
    expect(answer).toContain('connection: close');
    expect(answer).toContain('"code":"unavailable"');
    expect(api.seen.mutations).toEqual([]);
  });

  test('a body that drips: 503', async () => {
    const { of } = await stopped(async (api) => {
      const client = await begin(api, '{', 10_000);
      const timer = setInterval(() => client.socket.write(' '), 100);
      client.socket.once('close', () => clearInterval(timer));
      return client;
    });
    expect(await of.closed).toContain('HTTP/1.1 503');
  });

  test('a chunked body without an end: 503', async () => {
    const { of } = await stopped(async (api) => {
      const client = await open(api);
      client.socket.write(head(api, 'Expect: 100-continue\r\nTransfer-Encoding: chunked\r\n'));
      await client.received('100 Continue');
      client.socket.write('1\r\n{\r\n');
      return client;
    });
    expect(await of.closed).toContain('HTTP/1.1 503');
  });

  test('a body that is whole in time: 200', async () => {
    const query = JSON.stringify({ query: '{ hello }' });
    const api = await startApiServer(database);
    const client = await begin(api, query.slice(0, 5), query.length);
    const stop = api.stop();
    await refused(api);
    client.socket.write(query.slice(5));
    await stop;
    const answer = await client.closed;
    expect(answer).toContain('HTTP/1.1 200');
    expect(answer).toContain('"hello":"world"');
  });
});

describe('a stop does not wait for', () => {
  test('silent connections, half headers, and connections that are kept alive', async () => {
    const { of } = await stopped(async (api) => {
      const [silent, half, idle] = await Promise.all([open(api), open(api), open(api)]);
      half?.socket.write('POST /graphql HTTP/1.1\r\nHost: lo');
      idle?.socket.write(`GET /healthz HTTP/1.1\r\nHost: localhost:${api.port}\r\n\r\n`);
      await idle?.received('ok\n');
      return [silent, half, idle];
    });
    await Promise.all(of.map((client) => client?.closed));
  });

  test('a sign-in whose body stalls', async () => {
    const { of } = await stopped(async (api) => {
      const client = await open(api);
      client.socket.write(
        `POST /session HTTP/1.1\r\nHost: localhost:${api.port}\r\nContent-Type: application/json\r\n` +
          `Origin: http://localhost:${api.port}\r\nContent-Length: 100\r\n\r\n{`,
      );
      await send(api, '/healthz', {});
      return client;
    });
    expect(await of.closed).toContain('HTTP/1.1 503');
  });

  test('an event stream that is not read', async () => {
    const { of } = await stopped(async (api) => {
      const client = await open(api);
      const body = JSON.stringify({ query: 'subscription { ticks(count: 1000000) { cursor } }' });
      client.socket.write(
        `${head(api, `Accept: text/event-stream\r\nContent-Length: ${body.length}\r\n`)}${body}`,
      );
      await client.received('event: next');
      client.socket.pause();
      return client;
    });
    of.socket.destroy();
  });

  test('a WebSocket that answers no close frame', async () => {
    const { of } = await stopped(async (api) => {
      const socket = new WebSocket(
        `${api.url.replace('http', 'ws')}/graphql`,
        'graphql-transport-ws',
      );
      socket.on('error', () => undefined);
      await new Promise((resolve) => socket.once('open', resolve));
      socket.pause();
      return socket;
    });
    of.terminate();
  });
});

/** Resolves when the server takes no connections any more. */
async function refused({ port }: ApiServer): Promise<void> {
  const accepts = () =>
    new Promise<boolean>((resolve) => {
      const socket = connectTcp(port, '127.0.0.1');
      socket.once('connect', () => resolve(true) ?? socket.destroy());
      socket.once('error', () => resolve(false));
    });
  while (await accepts());
}
