/** Our client over the real server: restarts, cuts and stalls, compared with the log. */
import postgres from 'postgres';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { createMigratedDatabase, type TestDatabase } from '../harness/database.ts';
import { eventually } from '../harness/eventually.ts';
import { type Client, createClient, rowOf } from '../integration/client.ts';
import { randomNumbers } from '../integration/load.ts';
import { type Server, startServer } from '../integration/server.ts';
import { type Network, startNetwork } from './network.ts';
import { openSubscriptions } from './open-subscriptions.ts';
import { clientOf, type Data, follow, type Told } from './streams.ts';

const key = 'greenhouse-1';
let database: TestDatabase;
let sql: postgres.Sql;
let server: Server;
let api: Client;

beforeAll(async () => {
  database = await createMigratedDatabase();
  sql = postgres(database.url, { max: 1, onnotice: () => undefined });
  server = await startServer({ environment: { DATABASE_URL: database.url, SAMPLE_DATA: 'on' } });
  api = createClient(server);
  await api.accept('deployInstance', key);
  await api.until(key, 'RUNNING');
  await api.untilSettled();
});

afterAll(async () => {
  await server?.dispose();
  await sql?.end();
  await database?.drop();
});

const row = 'id cursor sequence fromState toState resource { id key }';
const query = `subscription ($after: Cursor, $filter: ChangeFilter, $bookmarkSeconds: Int) {
  changes(after: $after, filter: $filter, bookmarkSeconds: $bookmarkSeconds) {
    __typename ... on Transition { ${row} } ... on ResourceChange { cursor } } }`;
const snapshot = {
  query: `{ feedPosition instances { nodes { id key state sequence } }
    hosts { nodes { id key state sequence } } }`,
};

/** Pauses and resumes, so often: four transitions each time. */
async function work(times: number): Promise<void> {
  for (let time = 0; time < times; time += 1) {
    await api.accept('pauseInstance', key);
    await api.until(key, 'PAUSED');
    await api.accept('resumeInstance', key);
    await api.until(key, 'RUNNING');
  }
}

/** Works until it is told to stop, whatever the server does meanwhile; then the instance runs. */
function keepWorking(): { stop(): Promise<void> } {
  let over = false;
  const working = (async () => {
    while (!over) {
      await api.command('pauseInstance', key).catch(() => undefined);
      await api.command('resumeInstance', key).catch(() => undefined);
    }
  })();
  return {
    async stop() {
      over = true;
      await working;
      await api.untilSettled();
      const { state } = await api.instance(key);
      if (state === 'PAUSED') await api.accept('resumeInstance', key);
      await api.until(key, 'RUNNING');
    },
  };
}

const transitionsOf = ({ events }: Told) =>
  events.map(({ data }) => data?.changes).filter((change) => change.sequence !== undefined);

/** Everything since its last snapshot was told, in the order of the log, and nothing twice. */
async function expectWhole(told: Told): Promise<void> {
  await api.untilSettled();
  const { data } = told.resets.at(-1)!;
  const shown = new Map<string, number>(
    [...data.instances.nodes, ...data.hosts.nodes].map((each: Data) => [each.key, each.sequence]),
  );
  const expected = (await api.log())
    .filter(({ resource, sequence }) => sequence > (shown.get(resource.key) ?? 0))
    .map((each) => each.row);
  await eventually(() =>
    expect(transitionsOf(told).map((each) => rowOf(each as never))).toEqual(expected),
  );
  expect(told.errors).toEqual([]);
  expect(told.completed).toBe(0);
}

/** A stream of everything, through a network of its own. */
async function through(options = {}, request = {}): Promise<{ network: Network; told: Told }> {
  const network = await startNetwork(server);
  const client = clientOf({ url: network.url, token: server.token }, options);
  const told = follow(client, { query, snapshot, ...request });
  await eventually(() => expect(told.resets).toHaveLength(1));
  return { network, told };
}

test('restarts of the server, asked for and by kill -9', async () => {
  const { network, told } = await through();
  const working = keepWorking();
  for (const how of ['stop', 'kill9'] as const) {
    const before = told.events.length;
    await eventually(() => expect(told.events.length).toBeGreaterThan(before));
    await server[how]();
    await server.start();
  }
  await eventually(() => expect(network.open).toBe(1));
  await working.stop();
  await work(1);
  await expectWhole(told);
  expect(told.resets.map(({ reason }) => reason)).toEqual(['INITIAL']);
});

test('cuts in the middle of frames, again and again', async () => {
  const { network, told } = await through();
  const random = randomNumbers(7);
  await work(1);
  network.cut();
  for (let cut = 0; cut < 15; cut += 1) {
    // Behind the handshake, the acknowledgement, and some bytes of events.
    network.cutBehind(200 + Math.floor(random() * 1500));
    await work(1);
  }
  network.cutBehind(null);
  network.cut();
  await expectWhole(told);
  expect(network.connections).toBeGreaterThan(10);
  expect(told.resets).toHaveLength(1);
});

test('a connection that stalls is given up; what it brings later is not told again', async () => {
  /** How long the server had not been heard when the loss was told. */
  const silences: number[] = [];
  const onStatus = (status: string, heardAt: Date) => {
    if (status === 'DISCONNECTED') silences.push(Date.now() - heardAt.getTime());
  };
  const { network, told } = await through({ keepAliveSeconds: 0.3, onStatus });
  await work(1);
  network.stall();
  await work(1);
  await eventually(() => expect(network.connections).toBe(2));
  expect(silences).toEqual([expect.any(Number)]);
  expect(silences[0], 'milliseconds without a sign').toBeGreaterThanOrEqual(140);
  await expectWhole(told);
  const before = told.events.length;
  network.mend();
  await eventually(() => expect(network.open).toBe(1));
  await work(1);
  await expectWhole(told);
  expect(transitionsOf(told)).toHaveLength(12);
  expect(told.events.length).toBeGreaterThan(before);
});

test('a network that is not there at first', async () => {
  const network = await startNetwork(server);
  network.refuse();
  const told = follow(clientOf({ url: network.url, token: server.token }), { query, snapshot });
  await eventually(() => expect(network.connections).toBeGreaterThan(3));
  await work(1);
  network.mend();
  await eventually(() => expect(told.resets).toHaveLength(1));
  await work(1);
  await expectWhole(told);
});

test('snapshots while everything changes: nothing is missed, nothing comes twice', async () => {
  const working = keepWorking();
  const all: Told[] = [];
  const client = clientOf({ url: server.url, token: server.token });
  for (let count = 0; count < 25; count += 1) {
    const told = follow(client, { query, snapshot });
    all.push(told);
    await eventually(() => expect(told.resets).toHaveLength(1));
  }
  await working.stop();
  for (const told of all) await expectWhole(told);
});

test('bookmarks move the cursor on', async () => {
  const sent: Data[] = [];
  class Listening extends WebSocket {
    override send(data: unknown): void {
      sent.push(JSON.parse(String(data)));
      super.send(String(data));
    }
  }
  const variables = { filter: { host: [] }, bookmarkSeconds: 1 };
  const { network, told } = await through({ webSocketImpl: Listening }, { variables });
  await work(1);
  const bookmark = () => told.events.at(-1)?.extensions?.cursor;
  await eventually(() => expect(bookmark()).toEqual(expect.any(String)));
  network.cut();
  await eventually(() => expect(network.open).toBe(1));
  const resumed = () => sent.filter(({ payload }) => payload?.query === query);
  await eventually(() => expect(resumed()).toHaveLength(2));
  const [first, second] = resumed().map(({ payload }) => payload.variables.after);
  expect(first).toBe(told.resets[0]?.data.feedPosition);
  expect(told.events.map(({ extensions }) => extensions?.cursor)).toContain(second);
  expect(transitionsOf(told)).toEqual([]);
});

test('unsubscribing ends it, on the server too', async () => {
  const { network, told } = await through();
  await work(1);
  const before = await openSubscriptions(server);
  told.stop();
  const count = told.events.length;
  await eventually(async () => expect(await openSubscriptions(server)).toBe(before - 1));
  await eventually(() => expect(network.open).toBe(0));
  await work(1);
  expect({ count: told.events.length, completed: told.completed }).toEqual({ count, completed: 0 });
});

test('a log that was cut off meanwhile: a fresh snapshot, and on from there', {
  timeout: 60_000,
}, async () => {
  const { network, told } = await through();
  await work(1);
  await eventually(() => expect(transitionsOf(told)).toHaveLength(4));
  network.refuse();
  network.cut();
  await work(2);
  await api.untilSettled();
  await sql`with pruned as (delete from log returning revision)
    update store_identity set pruned_through = (select max(revision) from pruned)`;
  await server.restart();
  network.mend();
  await eventually(() => expect(told.resets).toHaveLength(2));
  const { reason, oldestCursor, data } = told.resets[1]!;
  expect(reason).toBe('CURSOR_EXPIRED');
  expect(data.instances.nodes).toMatchObject([{ key, state: 'RUNNING' }]);
  expect(transitionsOf(told)).toHaveLength(4);
  await work(1);
  await eventually(() => expect(transitionsOf(told)).toHaveLength(8));
  const { sequence } = data.instances.nodes[0];
  expect(transitionsOf(told).at(4)).toMatchObject({ sequence: sequence + 1, toState: 'PAUSING' });
  expect(told.errors).toEqual([]);
  // The oldest cursor can be followed.
  const oldest = follow(clientOf({ url: server.url, token: server.token }), {
    query,
    variables: { after: oldestCursor },
  });
  await eventually(() => expect(transitionsOf(oldest)).toHaveLength(4));
});

test('a cursor that is none: a fresh snapshot, or an error where there is none', async () => {
  const client = clientOf({ url: server.url, token: server.token });
  const variables = { after: 'garbage' };
  const told = follow(client, { query, snapshot, variables });
  await eventually(() => expect(told.resets).toHaveLength(1));
  expect(told.resets).toMatchObject([{ reason: 'CURSOR_INVALID', oldestCursor: null }]);
  const without = follow(client, { query, variables });
  await eventually(() => expect(without.errors).toHaveLength(1));
  expect(without.errors).toMatchObject([{ code: 'CURSOR_INVALID' }]);
});

test('a wrong token is an error, told once', async () => {
  const network = await startNetwork(server);
  const told = follow(clientOf({ url: network.url, token: 'x'.repeat(40) }), { query, snapshot });
  await eventually(() => expect(told.errors).toHaveLength(1));
  expect(told.errors).toMatchObject([{ code: 'CLOSED', closeCode: 4403 }]);
  await eventually(() => expect(network.open).toBe(0));
  expect(network.connections).toBe(1);
});

test('a document that is none is an error of its stream alone', async () => {
  const client = clientOf({ url: server.url, token: server.token });
  const good = follow(client, { query, snapshot });
  const bad = follow(client, { query: 'subscription { nothing }' });
  await eventually(() => expect(bad.errors).toHaveLength(1));
  expect(bad.errors).toMatchObject([{ code: 'GRAPHQL_VALIDATION_FAILED' }]);
  await work(1);
  await expectWhole(good);
});
