/** graphql-transport-ws: doors, limits, faults that stay where they are, ends that clients survive. */
import { once } from 'node:events';
import { connect } from 'node:net';
import { createClient } from 'graphql-ws';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { createRunKey } from '../../src/store/access-keys.ts';
import type { Database } from '../../src/store/database/database.ts';
import { until } from '../harness/eventually.ts';
import {
  type ApiServer,
  adminToken,
  anyRun,
  openDatabase,
  post,
  send,
  signIn,
  startApiServer,
} from './api-server.ts';

let database: Database;
let api: ApiServer;
const open: Peer[] = [];

beforeAll(async () => {
  database = await openDatabase();
  api = await startApiServer(database);
});
afterEach(() => {
  for (const peer of open.splice(0)) peer.socket.terminate();
});
afterAll(async () => {
  await api.stop();
  await database.close();
});

interface Message {
  readonly type: string;
  readonly id?: string;
  // biome-ignore lint/suspicious/noExplicitAny: what a server sends, read by assertions
  readonly payload?: any;
}

/** A client that speaks the protocol by hand. */
class Peer {
  readonly messages: Message[] = [];
  readonly closed: Promise<{ code: number; reason: string }>;
  readonly socket: WebSocket;

  constructor(socket: WebSocket) {
    this.socket = socket;
    socket.on('message', (data) => this.messages.push(JSON.parse(String(data))));
    socket.on('error', () => {});
    this.closed = once(socket, 'close').then(([code, reason]) => ({ code, reason: `${reason}` }));
  }

  say(message: object): void {
    this.socket.send(JSON.stringify(message));
  }

  subscribe(id: string, query: string, variables?: object): void {
    this.say({ type: 'subscribe', id, payload: { query, variables } });
  }

  async next(id: string | undefined, type: string): Promise<Message> {
    const find = () => this.messages.find((each) => each.id === id && each.type === type);
    await until(`${type} of ${id}`, () => find() !== undefined);
    return find() as Message;
  }
}

async function peer(
  options: { headers?: Record<string, string>; protocol?: string; to?: ApiServer } = {},
): Promise<Peer> {
  const { headers = {}, protocol = 'graphql-transport-ws', to = api } = options;
  const made = new Peer(new WebSocket(`ws://127.0.0.1:${to.port}/graphql`, protocol, { headers }));
  open.push(made);
  await once(made.socket, 'open');
  return made;
}

async function signedIn(token = adminToken, to = api): Promise<Peer> {
  const made = await peer({ to });
  made.say({ type: 'connection_init', payload: { authorization: `Bearer ${token}` } });
  await made.next(undefined, 'connection_ack');
  return made;
}

/** Status of an upgrade that is refused. */
function refused(headers: Record<string, string>, path = '/graphql'): Promise<number> {
  const socket = new WebSocket(`ws://127.0.0.1:${api.port}${path}`, 'graphql-transport-ws', {
    headers,
  });
  return new Promise((resolve, reject) => {
    socket.on('unexpected-response', (request, response) => {
      request.destroy();
      resolve(response.statusCode ?? 0);
    });
    socket.on('open', () => reject(new Error('the upgrade was taken')));
    socket.on('error', () => {});
  });
}

describe('the door', () => {
  test('takes a token, over which queries, mutations and subscriptions run', async () => {
    const socket = await signedIn();
    socket.subscribe('q', '{ name transport }');
    expect((await socket.next('q', 'next')).payload.data).toEqual({
      name: 'ADMIN admin',
      transport: 'WEBSOCKET',
    });
    socket.subscribe('m', 'mutation { touch(name: "by socket") }');
    expect((await socket.next('m', 'next')).payload.data).toEqual({ touch: 'by socket' });
    socket.subscribe('s', 'subscription { ticks(count: 2) { number } }');
    await socket.next('s', 'complete');
    const events = socket.messages.filter(({ id, type }) => id === 's' && type === 'next');
    expect(events.map(({ payload }) => payload)).toEqual([
      { data: { ticks: { number: 1 } }, extensions: { cursor: 'c1' } },
      { data: { ticks: { number: 2 } }, extensions: { cursor: 'c2' } },
    ]);
  });

  test('closes on a wrong token with 4403, on none with 4401', async () => {
    const wrong = await peer();
    wrong.say({ type: 'connection_init', payload: { authorization: 'Bearer wrong' } });
    expect(await wrong.closed).toMatchObject({
      code: 4403,
      reason: expect.stringMatching(/^UNAUTHENTICATED: /),
    });
    const none = await peer();
    none.say({ type: 'connection_init' });
    expect((await none.closed).code).toBe(4401);
    const early = await peer();
    early.subscribe('q', '{ hello }');
    expect((await early.closed).code).toBe(4401);
  });

  test.each([
    ['authorization', {}],
    ['Authorization', {}],
    ['AUTHORIZATION', {}],
    ['authorization', { inHeaders: true }],
    ['Authorization', { inHeaders: true }],
  ])('takes %s in the payload of connection_init %o, as clients write it', async (name, place) => {
    const header = { [name]: `Bearer ${adminToken}` };
    const client = createClient({
      url: `ws://127.0.0.1:${api.port}/graphql`,
      webSocketImpl: WebSocket,
      connectionParams: 'inHeaders' in place ? { headers: header } : header,
      retryAttempts: 0,
    });
    const { value } = await client.iterate({ query: '{ name }' }).next();
    expect(value).toEqual({ data: { name: 'ADMIN admin' } });
    await client.dispose();
  });

  test('refuses two tokens that differ and takes one that is shown twice', async () => {
    const right = `Bearer ${adminToken}`;
    const twice = await peer();
    twice.say({
      type: 'connection_init',
      payload: { authorization: right, headers: { Authorization: right } },
    });
    await twice.next(undefined, 'connection_ack');
    for (const payload of [
      { authorization: right, headers: { Authorization: 'Bearer other' } },
      { Authorization: right, authorization: 'Bearer other' },
    ]) {
      const two = await peer();
      two.say({ type: 'connection_init', payload });
      expect(await two.closed).toEqual({
        code: 4403,
        reason: 'UNAUTHENTICATED: connection_init shows two different tokens. Show one.',
      });
    }
    const wrong = await peer();
    wrong.say({ type: 'connection_init', payload: { headers: { Authorization: 'Bearer wrong' } } });
    expect((await wrong.closed).code).toBe(4403);
    for (const payload of [
      { headers: null },
      { headers: 'x' },
      { headers: {} },
      { Token: right },
    ]) {
      const none = await peer();
      none.say({ type: 'connection_init', payload });
      expect((await none.closed).code).toBe(4401);
    }
  });

  test('takes a session of its own pages alone', async () => {
    const cookie = await signIn(api);
    const page = await peer({ headers: { cookie, origin: `http://127.0.0.1:${api.port}` } });
    page.say({ type: 'connection_init' });
    await page.next(undefined, 'connection_ack');
    page.subscribe('q', '{ name }');
    expect((await page.next('q', 'next')).payload.data.name).toBe('SESSION admin');
    const program = await peer({ headers: { cookie } });
    program.say({ type: 'connection_init' });
    expect((await program.closed).code).toBe(4401);
  });

  test('refuses foreign origins, foreign names and other paths before the upgrade', async () => {
    expect(await refused({ origin: 'http://evil.test' })).toBe(403);
    expect(await refused({ origin: `http://127.0.0.1:${api.port + 1}` })).toBe(403);
    expect(await refused({ origin: 'null' })).toBe(403);
    expect(await refused({ host: 'evil.test' })).toBe(421);
    expect(await refused({}, '/other')).toBe(404);
  });

  test('holds no connection that it refused, even where its client keeps its side open', async () => {
    const stopping = await startApiServer(database);
    const head =
      'GET /other HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
      'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n';
    const halfOpen = connect({ port: stopping.port, host: '127.0.0.1', allowHalfOpen: true });
    halfOpen.on('error', () => {});
    halfOpen.write(head);
    let answer = '';
    halfOpen.on('data', (data) => {
      answer += data;
    });
    await once(halfOpen, 'end');
    expect(answer).toMatch(/^HTTP\/1.1 404 Not Found\r\n/);
    await stopping.stop(); // It waits for every connection.
    halfOpen.destroy();
  });

  test('closes another protocol with 4406', async () => {
    const made = new WebSocket(`ws://127.0.0.1:${api.port}/graphql`);
    const [code] = await once(made, 'close');
    expect(code).toBe(4406);
  });

  test('waits five seconds for connection_init', async () => {
    const began = performance.now();
    const silent = await peer();
    expect((await silent.closed).code).toBe(4408);
    expect(performance.now() - began).toBeLessThan(8_000);
  });
});

describe('faults', () => {
  test.each([
    ['a syntax error', '{ hello', 'GRAPHQL_PARSE_FAILED'],
    ['an unknown field', '{ nothing }', 'GRAPHQL_VALIDATION_FAILED'],
    ['an unknown enum value', '{ color(color: BLUE) }', 'GRAPHQL_VALIDATION_FAILED'],
    ['10,000 aliases', `{ ${'a: hello '.repeat(10_000)} }`, 'QUERY_TOO_COMPLEX'],
    ['a depth of 50', `{ node ${'{ child '.repeat(48)}{ id${' }'.repeat(50)}`, 'QUERY_TOO_COMPLEX'],
    ['11 mutations', `mutation { ${m(11)} }`, 'QUERY_TOO_COMPLEX'],
    ['two operations', 'query A { hello } query B { hello }', 'BAD_REQUEST'],
  ])('%s is answered, and the socket goes on', async (_what, query, code) => {
    const socket = await signedIn();
    socket.subscribe('bad', query);
    const { payload } = await socket.next('bad', 'error');
    expect(payload[0].extensions.code).toBe(code);
    expect(JSON.stringify(payload)).not.toContain('"http"');
    socket.subscribe('good', '{ hello }');
    expect((await socket.next('good', 'next')).payload.data).toEqual({ hello: 'world' });
  });

  test('unexpected errors are masked, in answers and in streams', async () => {
    const socket = await signedIn();
    socket.subscribe('q', '{ boom }');
    const answer = (await socket.next('q', 'next')).payload;
    expect(answer.errors[0].extensions).toEqual({
      code: 'INTERNAL',
      requestId: expect.any(String),
    });
    socket.subscribe('s', 'subscription { fails(after: 1) { number } }');
    expect((await socket.next('s', 'error')).payload[0].extensions.code).toBe('INTERNAL');
    expect(JSON.stringify(socket.messages)).not.toMatch(/hunter2|the secret/);
    expect(api.logLines.join('')).toContain('the secret of the stream');
  });

  test('a broken frame closes that socket alone', async () => {
    const neighbour = await signedIn();
    neighbour.subscribe('s', 'subscription { waits { number } }');
    const raw = connect(api.port, '127.0.0.1');
    raw.write(
      'GET /graphql HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
        'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n' +
        'Sec-WebSocket-Protocol: graphql-transport-ws\r\n\r\n',
    );
    await once(raw, 'data');
    raw.write(Buffer.from([0xff, 0xff, 0xff, 0xff, 0x00, 0x01, 0x02]));
    raw.on('error', () => {});
    await once(raw, 'close');
    for (const text of ['no JSON', '{}', '[]', '{"type":"unknown"}', '{"type":"subscribe"}']) {
      const broken = await signedIn();
      broken.socket.send(text);
      expect((await broken.closed).code).toBe(4400);
    }
    neighbour.subscribe('q', '{ hello }');
    expect((await neighbour.next('q', 'next')).payload.data).toEqual({ hello: 'world' });
    expect((await post(api, '{ hello }')).status).toBe(200);
  });

  test('a message of more than 1 MiB closes with 1009', async () => {
    const socket = await signedIn();
    socket.subscribe('q', `{ hello } #${'x'.repeat(20 * 1024 * 1024)}`);
    expect((await socket.closed).code).toBe(1009);
  });

  test('operations of one socket are counted', async () => {
    const socket = await signedIn();
    for (let n = 1; n <= 5; n += 1) socket.subscribe(`${n}`, 'subscription { waits { number } }');
    socket.subscribe('6', 'subscription { waits { number } }');
    expect((await socket.next('6', 'error')).payload[0].extensions.code).toBe('RATE_LIMITED');
    socket.say({ type: 'complete', id: '1' });
    socket.subscribe('7', '{ hello }');
    await socket.next('7', 'next');
  });
});

function m(count: number): string {
  return Array.from({ length: count }, (_, n) => `a${n}: touch(name: "x")`).join(' ');
}

describe('ends', () => {
  test('complete and close reach the source at once', async () => {
    await until('those of others ended', () => api.seen.openStreams === 0);
    const socket = await signedIn();
    socket.subscribe('a', 'subscription { waits { number } }');
    socket.subscribe('b', 'subscription { waits { number } }');
    await until('both open', () => api.seen.openStreams === 2);
    socket.say({ type: 'complete', id: 'a' });
    await until('one ended', () => api.seen.openStreams === 1);
    socket.socket.terminate();
    await until('both ended', () => api.seen.openStreams === 0);
    await until('its signal', () => api.seen.signals.at(-1)?.aborted === true);
  });

  test('a session that signs out loses its sockets at once', async () => {
    const cookie = await signIn(api);
    const headers = { cookie, origin: `http://127.0.0.1:${api.port}` };
    const page = await peer({ headers });
    page.say({ type: 'connection_init' });
    await page.next(undefined, 'connection_ack');
    expect((await send(api, '/session', { method: 'DELETE', headers })).status).toBe(204);
    expect((await page.closed).code).toBe(4403);
  });

  test('a key that is revoked in the store, or whose run ended, loses its sockets in 5 s', async () => {
    const bystander = await signedIn();
    const run = await anyRun(database);
    const { key } = await createRunKey(api.store, run);
    const runtime = await signedIn(key);
    runtime.subscribe('s', 'subscription { runtimeCommands { number } }');
    const cookie = await signIn(api);
    const page = await peer({ headers: { cookie, origin: `http://127.0.0.1:${api.port}` } });
    page.say({ type: 'connection_init' });
    await page.next(undefined, 'connection_ack');
    const began = performance.now();
    await database.query('update runs set ended_at = clock_timestamp() where id = $1::uuid', [
      run.runId,
    ]);
    await database.query("update access_keys set revoked_at = now() where kind = 'SESSION'");
    expect((await runtime.closed).code).toBe(4403);
    expect((await page.closed).code).toBe(4403);
    expect(performance.now() - began).toBeLessThan(5_000);
    bystander.subscribe('q', '{ hello }');
    await bystander.next('q', 'next');
  });

  test('the key of a run is held to its operations here too', async () => {
    const { key } = await createRunKey(api.store, await anyRun(database));
    const runtime = await signedIn(key);
    for (const query of [
      '{ hello }',
      'subscription { waits { number } }',
      '{ __schema { types { name } } }',
    ]) {
      runtime.subscribe(query, query);
      const { payload } = await runtime.next(query, 'error');
      expect(payload[0].extensions.code).toBe('FORBIDDEN');
    }
  });

  test('a graceful stop closes with 1001 and clients come back', async () => {
    const first = await startApiServer(database);
    const client = createClient({
      url: `ws://127.0.0.1:${first.port}/graphql`,
      webSocketImpl: WebSocket,
      connectionParams: { authorization: `Bearer ${adminToken}` },
      retryAttempts: 50,
      retryWait: () => new Promise((resolve) => setTimeout(resolve, 50)),
    });
    const received: unknown[] = [];
    const codes: number[] = [];
    client.on('closed', (event) => codes.push((event as { code: number }).code));
    const dispose = client.subscribe(
      { query: 'subscription { waits { number } }' },
      { next: (value) => received.push(value), error: (e) => received.push(e), complete() {} },
    );
    await until('it is open', () => first.seen.openStreams === 1);
    const began = performance.now();
    await first.stop();
    expect(performance.now() - began).toBeLessThan(4_000);
    await until('it was closed', () => codes.length > 0);
    expect(codes[0]).toBe(1001);
    expect(first.seen.openStreams).toBe(0);
    const second = await startApiServer(database, { port: first.port });
    await until('it is back', () => second.seen.openStreams === 1);
    expect(received).toEqual([]);
    dispose();
    await client.dispose();
    await second.stop();
  });
});
