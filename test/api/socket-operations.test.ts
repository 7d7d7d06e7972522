/** Ids of operations over a socket: used again as soon as they are free, and never twice at once. */
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import type { Database } from '../../src/store/database/database.ts';
import { until } from '../harness/eventually.ts';
import { openDatabase } from './api-server.ts';
import {
  type Client,
  connectClient,
  type StreamServer,
  startStreamServer,
} from './stream-server.ts';

const items = 'subscription { items { number } }';

let database: Database;
let api: StreamServer;
let client: Client;
beforeAll(async () => {
  database = await openDatabase();
  api = await startStreamServer(database);
});
afterEach(async () => {
  client.socket.terminate();
  await openAre(0);
});
afterAll(async () => {
  await api?.stop();
  await database?.close();
});

async function openAre(count: number): Promise<void> {
  await vi.waitUntil(async () => (await api.openSubscriptions()) === count, 10_000);
}

const complete = (id: string) => client.say({ type: 'complete', id });

/** All that the server was told so far has been dealt with. */
async function answered(id = 'q'): Promise<void> {
  client.subscribe(id, '{ hello }');
  await until('it is answered', () => client.of(id, 'complete').length > 0);
}

describe('an id that was completed', () => {
  test('of a subscription that joins is of the next alone', async () => {
    client = await connectClient(api);
    const release = api.holdJoins();
    client.subscribe('1', items);
    complete('1');
    client.subscribe('1', items);
    await until('it joins', () => api.heldJoins === 1);
    await answered();
    release();
    await until('both have joined', () => api.heldJoins === 0);
    await openAre(1);
    api.append('an event');
    await client.has('1', 1);
    await answered('later');
    expect(client.numbers('1')).toEqual([api.count]);
    complete('1');
    await openAre(0);
    api.append('for nobody');
    await answered('last');
    expect(client.of('1')).toHaveLength(1);
  });

  test('of a live subscription is of the next, which goes on', async () => {
    client = await connectClient(api);
    for (let times = 0; times < 3; times += 1) {
      client.subscribe('1', items);
      await answered(`q${times}`);
      complete('1');
      client.subscribe('1', items);
      await answered(`r${times}`);
      await openAre(1);
      api.append('an event');
      await client.has('1', times + 1);
      complete('1');
    }
    await openAre(0);
    expect(client.of('1', 'complete')).toEqual([]);
    expect(client.of('1')).toHaveLength(3);
  });

  test('is of nobody where the next was completed as well', async () => {
    client = await connectClient(api);
    const release = api.holdJoins();
    for (let times = 0; times < 5; times += 1) {
      client.subscribe('1', items);
      complete('1');
    }
    await until('it joins', () => api.heldJoins === 1);
    release();
    await openAre(0);
    api.append('for nobody');
    await answered();
    expect(client.messages.filter(({ id }) => id === '1')).toEqual([]);
    expect(client.closed).toBeNull();
  });

  test('waits no longer than its socket', async () => {
    client = await connectClient(api);
    const release = api.holdJoins();
    client.subscribe('1', items);
    complete('1');
    client.subscribe('1', items);
    await until('it joins', () => api.heldJoins === 1);
    await answered();
    client.socket.terminate();
    await until('its end is known', () => client.server.destroyed);
    release();
    await openAre(0);
  });

  test('of a query is of the next, which is answered', async () => {
    client = await connectClient(api);
    client.subscribe('1', '{ hello }');
    complete('1');
    client.subscribe('1', '{ text(bytes: 3) }');
    await until('it is answered', () => client.of('1', 'complete').length > 0);
    expect(client.of('1').map(({ payload }) => payload.data)).toEqual([{ text: 'xxx' }]);
  });
});

describe('an id that is in use', () => {
  const duplicate = { code: 4409, reason: expect.stringMatching(/^Subscriber /) };

  test.each([
    ['short', '1'],
    ['long', 'x'.repeat(300)],
    ['of several bytes a character', '😀'.repeat(60)],
  ])('%s: closes with 4409', async (_what, id) => {
    client = await connectClient(api);
    client.subscribe(id, items);
    client.subscribe(id, items);
    expect(await client.isClosed()).toEqual(duplicate);
  });

  test('by one that waits: closes with 4409', async () => {
    client = await connectClient(api);
    const release = api.holdJoins();
    client.subscribe('1', items);
    complete('1');
    client.subscribe('1', items);
    client.subscribe('1', items);
    expect(await client.isClosed()).toEqual(duplicate);
    release();
  });
});
