/** Who may subscribe, and who has to go: limits of a token, a busy server, keys that are revoked. */
import { request } from 'node:http';
import { performance } from 'node:perf_hooks';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { createRunKey } from '../../src/store/access-keys.ts';
import type { Database } from '../../src/store/database/database.ts';
import { until } from '../harness/eventually.ts';
import { type ApiServer, adminToken, anyRun, openDatabase, signIn } from './api-server.ts';
import {
  connectClient,
  openEvents,
  type StreamServer,
  startStreamServer,
} from './stream-server.ts';

const items = 'subscription { items { number } }';

let database: Database;
let api: StreamServer;
beforeAll(async () => {
  database = await openDatabase();
});
afterEach(() => api?.stop());
afterAll(() => database?.close());

test('a socket too many of one token is closed with 4429 and why', async () => {
  api = await startStreamServer(database, { limits: { socketsPerToken: 2 } });
  const [first] = [await connectClient(api), await connectClient(api)];
  const third = await connectClient(api);
  expect(await third.isClosed()).toEqual({
    code: 4429,
    reason: '2 sockets are open with this token.',
  });
  // Another token has its own, and one that was closed makes room.
  const { key } = await createRunKey(api.store, await anyRun(database));
  expect((await connectClient(api, key)).closed).toBeNull();
  first.socket.close();
  await first.isClosed();
  await until('there is room', () => api.sockets[0]?.destroyed === true);
  expect((await connectClient(api)).closed).toBeNull();
});

test('a subscription too many of one token is refused, over whichever transport', async () => {
  api = await startStreamServer(database, { limits: { subscriptionsPerToken: 2 } });
  const client = await connectClient(api);
  client.subscribe('1', items);
  const events = await openEvents(api, items);
  api.append('first');
  await Promise.all([client.has('1', 1), until('it came', () => events.cursors().length > 0)]);
  client.subscribe('2', items);
  await until('it is refused', () => client.of('2', 'complete').length > 0);
  expect(client.of('2')[0]?.payload.errors[0]).toMatchObject({
    message: expect.stringContaining('2 subscriptions are open with this token'),
    extensions: { code: 'RATE_LIMITED' },
  });
  const refused = await openEvents(api, items);
  await until('it is over', refused.isOver);
  expect(refused.text()).toContain('"code":"RATE_LIMITED"');
  // Those that end make room: one that is completed, one whose client goes.
  client.say({ type: 'complete', id: '1' });
  events.request.destroy();
  await until('its end is known', () => events.server.destroyed);
  client.subscribe('3', items);
  client.subscribe('4', items);
  client.subscribe('q', '{ hello }');
  await client.has('q', 1);
  api.append('second');
  await Promise.all([client.has('3', 1), client.has('4', 1)]);
  expect(client.of('1')).toHaveLength(1);
});

describe('a busy event loop', () => {
  afterEach(() => {
    vi.restoreAllMocks();
    vi.useRealTimers();
  });

  test('turns users away with 1013, runtimes never, and goes on with who is there', async () => {
    const utilization = vi.spyOn(performance, 'eventLoopUtilization');
    const used = (share: number) =>
      utilization.mockReturnValue({ idle: 1 - share, active: share, utilization: share });
    used(0.5);
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
    api = await startStreamServer(database, { config: { busyPercent: 85 } });
    const there = await connectClient(api);
    there.subscribe('s', items);
    there.subscribe('q', '{ hello }');
    await there.has('q', 1);
    used(0.9);
    vi.advanceTimersByTime(12_000);
    const user = await connectClient(api);
    user.subscribe('q', '{ hello }');
    await user.has('q', 1);
    user.subscribe('s', items);
    expect(await user.isClosed()).toEqual({
      code: 1013,
      reason: 'The server is too busy. Reconnect with the last cursor.',
    });
    expect([...user.of('s', 'error'), ...user.of('s')]).toEqual([]);
    const events = await openEvents(api, items);
    await until('it is over', events.isOver);
    // Neither completed nor with an id of its own: an EventSource comes back with its last one.
    expect(events.text()).toContain('"code":"RATE_LIMITED"');
    expect(events.text()).not.toMatch(/^(id|event: complete)/m);
    // Whoever is served is not cut off for one more.
    there.subscribe('t', items);
    const { key } = await createRunKey(api.store, await anyRun(database));
    const runtime = await connectClient(api, key);
    runtime.subscribe('c', 'subscription { runtimeCommands { number } }');
    await runtime.has('c', 1);
    api.append('still');
    await Promise.all([there.has('s', 1), there.has('t', 1)]);
    expect(there.closed).toBeNull();
    used(0.5);
    vi.advanceTimersByTime(12_000);
    const back = await connectClient(api);
    back.subscribe('s', items);
    back.subscribe('q', '{ hello }');
    await back.has('q', 1);
    api.append('again');
    await back.has('s', 1);
  });
});

test('a session that is revoked has lost its streams in 5 s, others of its groups go on', async () => {
  api = await startStreamServer(database);
  const cookie = await signIn(api as unknown as ApiServer);
  const page = { cookie, origin: `http://127.0.0.1:${api.port}` };
  const theirs = await openEvents(api, items, page);
  const ours = await openEvents(api, items);
  const client = await connectClient(api);
  client.subscribe('s', items);
  client.subscribe('q', '{ hello }');
  await client.has('q', 1);
  api.append('first');
  await until('it came', () => theirs.cursors().length > 0 && ours.cursors().length > 0);
  const began = performance.now();
  await database.query("update access_keys set revoked_at = now() where kind = 'SESSION'");
  await until('it is over', theirs.isOver);
  expect(performance.now() - began).toBeLessThan(5_000);
  expect(theirs.text()).not.toContain('event: complete');
  api.append('second');
  await client.has('s', 2);
  await until('ours goes on', () => ours.cursors().length === 2);
  expect(theirs.cursors()).toEqual(['c1']);
  ours.request.destroy();
});

test('an event stream whose client goes before it has joined is over', async () => {
  api = await startStreamServer(database);
  const release = api.holdJoins();
  const sent = request({
    ...{ host: '127.0.0.1', port: api.port, path: '/graphql', method: 'POST', agent: false },
    headers: {
      ...{ authorization: `Bearer ${adminToken}`, accept: 'text/event-stream' },
      'content-type': 'application/json',
    },
  });
  sent.on('error', () => {});
  sent.end(JSON.stringify({ query: items }));
  await until('it joins', () => api.heldJoins === 1);
  expect(await api.openSubscriptions()).toBe(1);
  sent.destroy();
  await until('its end is known', () => api.sockets[0]?.destroyed === true);
  release();
  await until('it has joined', () => api.heldJoins === 0);
  const other = await openEvents(api, items);
  api.append('an event');
  await until('it came', () => other.cursors().length === 1);
  expect(await api.openSubscriptions()).toBe(1);
  other.request.destroy();
});

test('an event stream that joins while the server stops is ended, so that its client comes back', async () => {
  api = await startStreamServer(database);
  const release = api.holdJoins();
  const joining = openEvents(api, items);
  await until('it joins', () => api.heldJoins === 1);
  const [stopped, events] = await Promise.all([api.server.stop(), joining]);
  await until('it is over', events.isOver);
  expect(stopped).toBeUndefined();
  expect(events.response.complete).toBe(true);
  expect(events.text()).toBe('retry: 1000\n\n');
  release();
  await until('it has joined', () => api.heldJoins === 0);
});
