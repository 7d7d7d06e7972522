/** The database is away for a moment: what is asked meanwhile, and who waits for it. */
import { once } from 'node:events';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { createMigratedDatabase, type TestDatabase } from '../harness/database.ts';
import { eventually } from '../harness/eventually.ts';
import { createClient } from '../integration/client.ts';
import { startServer } from '../integration/server.ts';
import { startNetwork } from './network.ts';
import { clientOf, follow } from './streams.ts';

let database: TestDatabase;

beforeAll(async () => {
  database = await createMigratedDatabase();
});
afterAll(() => database?.drop());

const query = `subscription ($after: Cursor) {
  changes(after: $after) { ... on ResourceChange { kind resource { key } } } }`;
const snapshot = { query: '{ feedPosition instances { nodes { id key sequence } } }' };
const update = `mutation { updateInstance(input: { instance: "greenhouse-1", name: "Another" }) {
  __typename } }`;

test('all is answered as UNAVAILABLE, and a view that is opened meanwhile waits', async () => {
  const network = await startNetwork(database);
  const address = new URL(database.url);
  address.host = new URL(network.url).host;
  const server = await startServer({
    environment: { DATABASE_URL: address.href, SAMPLE_DATA: 'on' },
  });
  try {
    const api = createClient(server);
    network.refuse();
    network.cut();
    const read = await api.ask(snapshot.query);
    expect(read.errors?.[0]).toMatchObject({
      message: expect.stringContaining('Ask again'),
      extensions: { code: 'UNAVAILABLE', requestId: expect.any(String) },
    });
    const changed = await api.ask(update);
    expect(changed.errors?.[0]).toMatchObject({
      message: expect.stringContaining('idempotencyKey'),
      extensions: { code: 'UNAVAILABLE', requestId: expect.any(String) },
    });
    // A session's key is looked up, the administrator's is not.
    const authorization = `Bearer ims_${'a'.repeat(43)}`;
    const unknown = await fetch(`${server.url}/graphql?query={__typename}`, {
      headers: { authorization },
    });
    expect(unknown.status).toBe(503);
    expect(await unknown.text()).toContain('"code":"UNAVAILABLE"');
    const socket = new WebSocket(`${server.url}/graphql`, 'graphql-transport-ws');
    await once(socket, 'open');
    socket.send(JSON.stringify({ type: 'connection_init', payload: { authorization } }));
    expect((await once(socket, 'close'))[0]).toBe(1013);

    const told = follow(clientOf(server), { query, snapshot });
    const failed = () => server.output().split('"path":"feedPosition"').length;
    const before = failed();
    await eventually(() => expect(failed()).toBeGreaterThan(before + 1));
    expect(told.errors).toEqual([]);
    network.mend();
    await eventually(() => expect(told.resets).toMatchObject([{ reason: 'INITIAL' }]));
    await eventually(async () => expect((await api.ask(update)).errors).toBeUndefined());
    await eventually(() => expect(told.events).toHaveLength(1));
    expect(told.errors).toEqual([]);
  } finally {
    network.mend();
    await server.dispose();
  }
});
