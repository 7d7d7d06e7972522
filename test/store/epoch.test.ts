/**
 * The epoch of a store: a restart and a crash keep it; what may have gone back in time gets another, and
 * then a cursor of before is refused, not followed past a hole.
 */
import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { cpSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import postgres from 'postgres';
import { afterEach, beforeEach, expect, onTestFinished, test, vi } from 'vitest';
import { createFeed, type Feed } from '../../src/feed/feed.ts';
import { defaultDeadlines } from '../../src/lifecycle/change.ts';
import { type OpenStore, openStore } from '../../src/store/open.ts';
import { APPEND, take } from '../feed/log-store.ts';
import { openStream } from '../feed/stream.ts';
import { createMigratedDatabase, createTestDatabase } from '../harness/database.ts';
import { startPostgres } from '../harness/postgres.ts';
import { one, zone } from './stores.ts';

// A new PGlite takes seconds, on a busy machine many.
vi.setConfig({ testTimeout: 120_000 });

let folder: string;
let warnings: string[];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'im-epoch-'));
  warnings = [];
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const options = (where: { dataDir?: string; databaseUrl?: string }) => ({
  dataDir: join(folder, 'none'),
  connections: 2,
  deadlines: defaultDeadlines,
  dnsZone: zone,
  log: { warn: (message: string) => warnings.push(message) },
  ...where,
});

/** A node over a store, as far as cursors go. */
interface Node {
  readonly store: OpenStore;
  readonly feed: Feed;
  epoch(): Promise<string>;
  position(): Promise<string>;
  append(count?: number): Promise<void>;
  /** Null where a stream can begin behind the cursor, else why not. */
  refusal(cursor: string): Promise<string | null>;
  stop(): Promise<void>;
}

async function start(where: { dataDir?: string; databaseUrl?: string }): Promise<Node> {
  const store = await openStore(options(where));
  const feed = createFeed(store);
  await feed.start();
  const organizationId = store.defaultOrganizationId;
  return {
    store,
    feed,
    epoch: async () =>
      (await one<{ epoch: string }>(store, 'select epoch from store_identity')).epoch,
    position: () => feed.position(organizationId),
    async append(count = 1) {
      for (let n = 0; n < count; n += 1) {
        await store.database.query(APPEND, [1, organizationId, randomUUID(), 0, null]);
      }
      store.committed({ revision: 0, work: false });
    },
    async refusal(after) {
      const stream = openStream(feed, { organizationId, after });
      try {
        await stream.ready();
        return null;
      } catch (error) {
        return (error as { code: string }).code;
      } finally {
        await stream.return();
      }
    },
    async stop() {
      await feed.stop();
      await store.close();
    },
  };
}

test('DATA_DIR: restarts, kill -9 and mv keep it, a copy put back changes it, once', async () => {
  const data = join(folder, 'data');
  let node = await start({ dataDir: data });
  const epoch = await node.epoch();
  await node.append(3);
  const backedUp = await node.position();
  await node.stop();
  cpSync(data, join(folder, 'backup'), { recursive: true, preserveTimestamps: true });

  node = await start({ dataDir: data });
  expect(await node.refusal(backedUp)).toBe(null);
  await node.append(5);
  const lost = await node.position();
  await node.stop();

  const module = fileURLToPath(new URL('../../src/store/open.ts', import.meta.url));
  const given = JSON.stringify({ ...options({ dataDir: data }), log: undefined });
  const script = `import(${JSON.stringify(module)}).then(async ({ openStore }) => {
    const { database } = await openStore({ ...${given}, log: console });
    console.log('open');
    for (;;) await database.query('update organizations set name = gen_random_uuid()::text');
  })`;
  const child = spawn(process.execPath, ['--import', 'tsx', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(child.stdout, 'data');
  child.kill('SIGKILL');
  await once(child, 'exit');

  const moved = join(folder, 'moved');
  renameSync(data, moved);
  node = await start({ dataDir: moved });
  expect(await node.epoch()).toBe(epoch);
  expect(await node.refusal(lost)).toBe(null);
  await node.stop();
  expect(warnings).toEqual([]);

  // Put back: it has another 6 revisions soon, and the cursor of the lost ones would point into them.
  cpSync(join(folder, 'backup'), data, { recursive: true, preserveTimestamps: true });
  node = await start({ dataDir: data });
  expect(warnings).toEqual([
    expect.stringContaining('cursors of the feed from before are invalid'),
  ]);
  expect(await node.epoch()).not.toBe(epoch);
  await node.append(6);
  expect(await node.refusal(lost)).toBe('CURSOR_INVALID');
  expect(await node.refusal(backedUp)).toBe('CURSOR_INVALID');
  const fresh = await node.position();
  expect(await node.refusal(fresh)).toBe(null);
  const renewed = await node.epoch();
  await node.stop();

  // A start that was cut off while the epoch changed has left both in the mark.
  expect(JSON.parse(readFileSync(join(data, 'store.json'), 'utf8')).epoch).toBe(renewed);
  writeFileSync(
    join(data, 'store.json'),
    JSON.stringify({ format: 1, epoch: randomUUID(), next: renewed }),
  );
  node = await start({ dataDir: data });
  expect(await node.refusal(fresh)).toBe(null);
  await node.stop();
  expect(JSON.parse(readFileSync(join(data, 'store.json'), 'utf8'))).toEqual({
    format: 1,
    epoch: renewed,
  });
  expect(warnings).toHaveLength(1);

  // By hand, after what leaves no trace.
  rmSync(join(data, 'store.json'));
  node = await start({ dataDir: data });
  expect(await node.refusal(fresh)).toBe('CURSOR_INVALID');
  await node.stop();
  expect(warnings).toHaveLength(2);
});

test('PostgreSQL: a copy in another database is another, and one node says so', async () => {
  const original = await createMigratedDatabase();
  onTestFinished(() => original.drop());
  let node = await start({ databaseUrl: original.url });
  const epoch = await node.epoch();
  await node.append(3);
  const cursor = await node.position();
  await node.stop();
  node = await start({ databaseUrl: original.url });
  expect(await node.refusal(cursor)).toBe(null);
  await node.stop();
  expect(warnings).toEqual([]);

  const copy = await createTestDatabase({ template: original });
  onTestFinished(() => copy.drop());
  const nodes = await Promise.all([1, 2, 3].map(() => start({ databaseUrl: copy.url })));
  const epochs = new Set(await Promise.all(nodes.map((each) => each.epoch())));
  expect(epochs.size).toBe(1);
  expect(epochs).not.toContain(epoch);
  expect(warnings).toEqual([
    expect.stringContaining('cursors of the feed from before are invalid'),
  ]);
  for (const each of nodes) expect(await each.refusal(cursor)).toBe('CURSOR_INVALID');
  await Promise.all(nodes.map((each) => each.stop()));
});

test('PostgreSQL: the table made anew in the same database is another', async () => {
  const database = await createMigratedDatabase();
  onTestFinished(() => database.drop());
  let node = await start({ databaseUrl: database.url });
  const epoch = await node.epoch();
  await node.store.database.query('create table restored (like store_identity including all)');
  await node.store.database.query('insert into restored select * from store_identity');
  await node.store.database.query('drop table store_identity');
  await node.store.database.query('alter table restored rename to store_identity');
  // Also for a node that is running.
  await expect.poll(() => node.epoch()).not.toBe(epoch);
  await node.stop();
  node = await start({ databaseUrl: database.url });
  expect(warnings).toEqual([]);
  await node.stop();
});

test('PostgreSQL: who may not ask for it gets along without', async () => {
  const database = await createTestDatabase();
  onTestFinished(() => database.drop());
  const sql = postgres(database.url, { max: 1, onnotice: () => {} });
  const role = `plain_${process.pid}`;
  await sql.unsafe(`create role ${role} login password 'right'`);
  await sql.unsafe(
    `grant create, connect on database ${new URL(database.url).pathname.slice(1)} to ${role}`,
  );
  await sql.unsafe(`grant all on schema public to ${role}`);
  await sql.unsafe('revoke execute on function pg_control_system() from public');
  await sql.unsafe('revoke execute on function pg_walfile_name(pg_lsn) from public');
  onTestFinished(async () => {
    await sql.unsafe(`drop owned by ${role}`);
    await sql.unsafe(`drop role ${role}`);
    await sql.end();
  });
  const url = new URL(database.url);
  url.username = role;
  url.password = 'right';
  const node = await start({ databaseUrl: url.href });
  await node.append();
  const cursor = await node.position();
  expect(await one(node.store, 'select lineage from store_identity')).toEqual({
    lineage: expect.stringMatching(/^postgres\/-\/\d+\/-\/\d+$/),
  });
  await node.stop();
  const again = await start({ databaseUrl: url.href });
  expect(await again.refusal(cursor)).toBe(null);
  await again.stop();
  expect(warnings).toEqual([]);
});

/** A way to a server that can be switched to another one, as a failover does. */
async function openSwitch(target: string): Promise<{ url: string; to(target: string): void }> {
  let port = Number(new URL(target).port);
  const sockets = new Set<Socket>();
  const server: Server = createServer((socket) => {
    const upstream = connect(port, '127.0.0.1');
    for (const [from, to] of [
      [socket, upstream],
      [upstream, socket],
    ] as const) {
      sockets.add(from);
      from.pipe(to);
      from.on('error', () => to.destroy());
      from.on('close', () => {
        sockets.delete(from);
        to.destroy();
      });
    }
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = new URL(target);
  const address = server.address();
  url.port = typeof address === 'object' ? String(address?.port) : '';
  const cut = () => {
    for (const socket of sockets) socket.destroy();
  };
  onTestFinished(() => {
    cut();
    server.close();
  });
  return {
    url: url.href,
    to(next) {
      port = Number(new URL(next).port);
      cut();
    },
  };
}

test('PostgreSQL: crashes keep it; a standby that lagged and is promoted is another', async () => {
  const server = await startPostgres();
  onTestFinished(() => server.stop());
  const database = await createTestDatabase({ serverUrl: server.url });
  const way = await openSwitch(database.url);
  const node = await start({ databaseUrl: way.url });
  onTestFinished(() => node.stop());
  const { defaultOrganizationId: organizationId } = node.store;
  const epoch = await node.epoch();
  await node.append(3);
  const common = await node.position();

  const copyUrl = new URL(await server.copy());
  copyUrl.pathname = new URL(database.url).pathname;
  const standby = postgres(copyUrl.href, { max: 1, onnotice: () => {} });
  onTestFinished(() => standby.end());
  await expect.poll(() => node.append(4).catch(() => 'not yet')).toBe(undefined);
  const lost = await node.position();
  await server.restart();
  await expect.poll(() => node.refusal(lost)).toBe(null);
  expect(await node.epoch()).toBe(epoch);

  // A standby that is switched to too early answers, and nobody may believe it.
  const live = openStream(node.feed, { organizationId, after: lost });
  await live.ready();
  const next = live.next();
  next.catch(() => {});
  way.to(copyUrl.href);
  const askers = () =>
    standby`select from pg_stat_activity where query like 'update store_identity%'`;
  await expect.poll(async () => (await askers()).length).toBeGreaterThan(0);

  // More is written there than was lost before the node looks again: no number is missing.
  way.to('postgres://127.0.0.1:1');
  await standby`select pg_promote()`;
  for (let n = 0; n < 6; n += 1) {
    await standby.unsafe(APPEND, [1, organizationId, randomUUID(), 0, null]);
  }
  way.to(copyUrl.href);
  await expect(next).rejects.toMatchObject({ code: 'CURSOR_INVALID' });
  expect(await node.epoch()).not.toBe(epoch);
  expect(await node.refusal(lost)).toBe('CURSOR_INVALID');
  expect(await node.refusal(common)).toBe('CURSOR_INVALID');
  const fresh = openStream(node.feed, { organizationId, after: await node.position() });
  await fresh.ready();
  await node.append();
  expect(await take(fresh, 1)).toHaveLength(1);
  await fresh.return();
  expect(warnings).toEqual([]); // The start said nothing; what runs tells its readers.
});
