/** `graphql-transport-ws`, message by message as its specification defines it, against the real server. */
import { once } from 'node:events';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { WebSocket } from 'ws';
import { eventually } from '../harness/eventually.ts';
import { type Client, createClient } from '../integration/client.ts';
import { type Server, startServer } from '../integration/server.ts';
import { openSubscriptions } from './open-subscriptions.ts';
import type { Data } from './streams.ts';

let server: Server;
let api: Client;
let hosts = 0;

beforeAll(async () => {
  server = await startServer();
  api = createClient(server);
});
afterAll(() => server?.dispose(), 120_000);

/** A client that does nothing by itself. */
interface Peer {
  /** What came, in its order; at last `{ closed }`, with the code. */
  readonly messages: Data[];
  readonly protocol: string;
  say(message: object | string): void;
  subscribe(id: string, query: string, more?: object): void;
  /** Waits until so many messages have come; all of them. */
  heard(count: number): Promise<Data[]>;
  closed(): Promise<number>;
}

async function connect(protocols: string | string[] = 'graphql-transport-ws'): Promise<Peer> {
  const socket = new WebSocket(`${server.url.replace('http', 'ws')}/graphql`, protocols);
  onTestFinished(() => socket.terminate());
  const messages: Data[] = [];
  socket.on('message', (data) => messages.push(JSON.parse(String(data))));
  socket.on('close', (closed) => messages.push({ closed }));
  await once(socket, 'open');
  const say = (message: object | string) =>
    socket.send(typeof message === 'string' ? message : JSON.stringify(message));
  return {
    messages,
    protocol: socket.protocol,
    say,
    subscribe: (id, query, more = {}) =>
      say({ id, type: 'subscribe', payload: { query, ...more } }),
    async heard(count) {
      await eventually(() => expect(messages.length).toBeGreaterThanOrEqual(count));
      return messages;
    },
    async closed() {
      await eventually(() => expect(messages.at(-1)).toHaveProperty('closed'));
      return messages.at(-1)?.closed;
    },
  };
}

const init = () => ({
  type: 'connection_init',
  payload: { authorization: `Bearer ${server.token}` },
});

/** One that has been acknowledged, and has forgotten that. */
async function acknowledged(): Promise<Peer> {
  const peer = await connect();
  peer.say(init());
  expect(await peer.heard(1)).toEqual([{ type: 'connection_ack' }]);
  peer.messages.length = 0;
  return peer;
}

const changes = 'subscription { changes { __typename ... on ResourceChange { kind } } }';

/** Something that everyone who follows the changes is told. */
async function change(): Promise<void> {
  hosts += 1;
  await api.mutate('createHost', { key: `host-${hosts}`, subscription: 'trial' });
}

/** Until the server has begun so many subscriptions. */
async function untilOpen(count: number): Promise<void> {
  await eventually(async () => expect(await openSubscriptions(server)).toBe(count));
}

test('of several protocols the one that it speaks is taken; with no such one 4406', async () => {
  expect((await connect(['graphql-ws', 'graphql-transport-ws'])).protocol).toBe(
    'graphql-transport-ws',
  );
  const socket = new WebSocket(`${server.url.replace('http', 'ws')}/graphql`, 'graphql-ws');
  // This client wants the protocol that it asked for, and none is said.
  const [failure] = await Promise.race([once(socket, 'error'), once(socket, 'close')]);
  expect(String(failure)).toMatch(/4406|subprotocol/);
  const none = await connect([]);
  expect(await none.closed()).toBe(4406);
});

test('no connection_init: 4408', async () => {
  expect(await (await connect()).closed()).toBe(4408);
});

test('a second connection_init: 4429, before the answer to the first and behind it', async () => {
  const twice = await connect();
  twice.say(init());
  twice.say(init());
  expect(await twice.closed()).toBe(4429);
  const later = await acknowledged();
  later.say(init());
  expect(await later.closed()).toBe(4429);
});

test('subscribe before the acknowledgement: 4401', async () => {
  const early = await connect();
  early.subscribe('1', '{ viewer { name } }');
  expect(await early.closed()).toBe(4401);
});

test('ping is answered, with its payload, at any time; a pong that nobody asked for is taken', async () => {
  const peer = await connect();
  peer.say({ type: 'ping' });
  peer.say({ type: 'ping', payload: { at: 1 } });
  peer.say({ type: 'pong' });
  expect(await peer.heard(2)).toEqual([{ type: 'pong' }, { type: 'pong', payload: { at: 1 } }]);
  peer.say(init());
  peer.say({ type: 'pong', payload: { any: 'thing' } });
  expect((await peer.heard(3))[2]).toEqual({ type: 'connection_ack' });
  peer.say({ type: 'ping' });
  expect((await peer.heard(4))[3]).toEqual({ type: 'pong' });
});

test.each([
  'no JSON',
  'null',
  '"text"',
  '[]',
  '{}',
  '{"type":"start","id":"1","payload":{"query":"{ __typename }"}}',
  '{"type":"subscribe","payload":{"query":"{ __typename }"}}',
  '{"type":"subscribe","id":"","payload":{"query":"{ __typename }"}}',
  '{"type":"subscribe","id":7,"payload":{"query":"{ __typename }"}}',
  '{"type":"subscribe","id":"1"}',
  '{"type":"subscribe","id":"1","payload":{}}',
  '{"type":"subscribe","id":"1","payload":{"query":7}}',
  '{"type":"subscribe","id":"1","payload":{"query":"{ __typename }","variables":"a"}}',
  '{"type":"subscribe","id":"1","payload":{"query":"{ __typename }","operationName":7}}',
  '{"type":"complete"}',
  '{"type":"ping","payload":"a"}',
  '{"type":"connection_init","payload":7}',
])('an invalid message closes with 4400: %s', async (text) => {
  const peer = await acknowledged();
  peer.say(text);
  expect(await peer.closed()).toBe(4400);
});

test('a query and a mutation: next, then complete, and their ids may be used again', async () => {
  const peer = await acknowledged();
  const next = { id: '1', type: 'next', payload: { data: { viewer: { name: 'admin' } } } };
  for (let time = 0; time < 2; time += 1) {
    peer.subscribe('1', 'query Who { viewer { name } }', { operationName: 'Who', variables: null });
    expect(await peer.heard(2)).toEqual([next, { id: '1', type: 'complete' }]);
    peer.messages.length = 0;
  }
  const input = { key: `host-of-a-socket`, subscription: 'trial' };
  peer.subscribe(
    '1',
    'mutation ($input: CreateHostInput!) { createHost(input: $input) { __typename } }',
    { variables: { input } },
  );
  expect(await peer.heard(2)).toEqual([
    { id: '1', type: 'next', payload: { data: { createHost: { __typename: 'HostSaved' } } } },
    { id: '1', type: 'complete' },
  ]);
});

test.each([
  ['a syntax error', '{'],
  ['an unknown field', '{ nothing }'],
  ['a subscription with an unknown field', 'subscription { nothing }'],
])('%s: an error, no complete, and the id is free', async (_what, query) => {
  const peer = await acknowledged();
  peer.subscribe('1', query);
  await peer.heard(1);
  peer.subscribe('1', '{ viewer { name } }');
  const [error, ...rest] = await peer.heard(3);
  expect(error).toMatchObject({
    ...{ id: '1', type: 'error' },
    payload: [{ message: expect.any(String), extensions: { code: expect.any(String) } }],
  });
  expect(rest.map(({ type }) => type)).toEqual(['next', 'complete']);
});

test('events until the client completes, none behind; the id may be used again', async () => {
  await untilOpen(0); // Those of other tests are gone.
  const peer = await acknowledged();
  peer.subscribe('s', changes);
  await untilOpen(1);
  await change();
  const [event] = await peer.heard(1);
  expect(event).toEqual({
    ...{ id: 's', type: 'next' },
    payload: {
      data: { changes: { __typename: 'ResourceChange', kind: 'CREATED' } },
      extensions: { cursor: expect.any(String) },
    },
  });
  peer.say({ id: 's', type: 'complete' });
  await untilOpen(0);
  await change();
  peer.say({ type: 'ping' });
  expect((await peer.heard(2)).slice(1)).toEqual([{ type: 'pong' }]);
  peer.subscribe('s', changes);
  await untilOpen(1);
  await change();
  expect((await peer.heard(3))[2]).toMatchObject({ id: 's', type: 'next' });
  // Whoever is not there any more is completed in vain.
  peer.say({ id: 'unknown', type: 'complete' });
  peer.say({ type: 'ping' });
  expect((await peer.heard(4))[3]).toEqual({ type: 'pong' });
});

test('a complete that crosses its subscribe leaves nothing behind', async () => {
  await untilOpen(0); // Those of other tests are gone.
  const peer = await acknowledged();
  peer.subscribe('s', changes);
  peer.say({ id: 's', type: 'complete' });
  peer.subscribe('t', changes);
  await untilOpen(1);
  await change();
  expect(await peer.heard(1)).toMatchObject([{ id: 't', type: 'next' }]);
});

test('several operations at a time; an id that is in use closes with 4409, and ends all', async () => {
  await untilOpen(0); // Those of other tests are gone.
  const peer = await acknowledged();
  peer.subscribe('a', changes);
  peer.subscribe('b', changes);
  peer.subscribe('c', '{ viewer { name } }');
  await untilOpen(2);
  await peer.heard(2);
  await change();
  const ids = (await peer.heard(4)).map(({ id, type }) => `${id} ${type}`);
  expect(ids.sort()).toEqual(['a next', 'b next', 'c complete', 'c next']);
  peer.subscribe('a', changes);
  expect(await peer.closed()).toBe(4409);
  await untilOpen(0);
});

test('a stream that is over is completed by the server', async () => {
  const peer = await acknowledged();
  const { operation } = await api.acceptHost('deployHost', 'host-1');
  peer.subscribe('o', 'subscription ($id: ID!) { operationUpdates(operation: $id) { status } }', {
    variables: { id: operation?.id },
  });
  await eventually(() => expect(peer.messages.at(-1)?.type).toBe('complete'));
  expect(peer.messages.at(-1)).toEqual({ id: 'o', type: 'complete' });
  expect(peer.messages.at(-2)?.payload.data.operationUpdates.status).toBe('SUCCEEDED');
});

test('a stream that cannot begin says why, and is over', async () => {
  const peer = await acknowledged();
  peer.subscribe('s', 'subscription { changes(after: "garbage") { __typename } }');
  await eventually(() => expect(peer.messages.at(-1)?.type).toMatch(/complete|error/));
  const [first] = peer.messages;
  const errors = first?.type === 'error' ? first.payload : first?.payload.errors;
  expect(errors[0].extensions.code).toBe('CURSOR_INVALID');
  peer.subscribe('s', '{ viewer { name } }');
  await eventually(() => expect(peer.messages.at(-2)?.payload.data).toBeTruthy());
});
