/** Opening the store: migrations, edges, identity, sample data, and how a refusal is said. */
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { defaultDeadlines } from '../../src/lifecycle/change.ts';
import { hostEdges } from '../../src/lifecycle/host.ts';
import { instanceEdges } from '../../src/lifecycle/instance.ts';
import { openPostgres } from '../../src/store/database/postgres.ts';
import { type OpenStore, type OpenStoreOptions, openStore } from '../../src/store/open.ts';
import { createSampleData } from '../../src/store/sample-data.ts';
import {
  createMigratedDatabase,
  createTestDatabase,
  type TestDatabase,
} from '../harness/database.ts';
import { everything, one, openTestStore, storeKinds, zone } from './stores.ts';

// A new PGlite takes seconds, on a busy machine many.
vi.setConfig({ testTimeout: 120_000 });

let folder: string;
let warnings: string[];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'im-open-'));
  warnings = [];
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const open = (
  databaseUrl?: string,
  dataDir = join(folder, 'data'),
  options: Partial<OpenStoreOptions> = {},
): Promise<OpenStore> =>
  openStore({
    ...options,
    databaseUrl,
    dataDir,
    connections: 2,
    deadlines: defaultDeadlines,
    dnsZone: zone,
    log: { warn: (message) => warnings.push(message) },
  });

/** The one line that opening is refused with. */
async function refusal(attempt: Promise<unknown>): Promise<string> {
  const error = await attempt.then(
    () => null,
    (thrown: unknown) => thrown,
  );
  expect(error).toMatchObject({ name: 'CannotOpenStore' });
  const { message } = error as Error;
  expect(message).not.toContain('\n');
  return message;
}

test('a new embedded store is a copy of the template, and its own', async () => {
  const state = async (dataDir: string) => {
    const store = await open(undefined, dataDir);
    try {
      return {
        cluster: await one(store, 'select system_identifier::text from pg_control_system()'),
        identity: await one<object>(store, 'select epoch, cursor_secret from store_identity'),
        organization: store.defaultOrganizationId,
        isEmpty: store.isEmpty,
      };
    } finally {
      await store.close();
    }
  };
  // A start that was cut off while it copied.
  mkdirSync(join(folder, 'one/pglite.new/base'), { recursive: true });
  const [first, second] = [await state(join(folder, 'one')), await state(join(folder, 'two'))];
  expect(second.cluster).toEqual(first.cluster);
  expect(second.organization).not.toBe(first.organization);
  for (const [key, value] of Object.entries(first.identity)) {
    expect(second.identity).not.toHaveProperty(key, value);
  }
  expect([first.isEmpty, second.isEmpty]).toEqual([true, true]);
  expect(warnings).toEqual([]);
  expect(await state(join(folder, 'one')), 'opened again').toEqual(first);
});

test.each(storeKinds)(
  'a new store on %s has its edges, identity and organization',
  async (kind) => {
    const store = await openTestStore(kind);
    const edges = (table: string) =>
      store.database.query(`select from_state as "from", to_state as "to" from ${table}`);
    const pairs = (list: readonly { from: string; to: string }[]) =>
      list.map(({ from, to }) => ({ from, to }));
    expect(await edges('instance_edges')).toEqual(expect.arrayContaining(pairs(instanceEdges)));
    expect(await edges('instance_edges')).toHaveLength(instanceEdges.length);
    expect(await edges('host_edges')).toEqual(expect.arrayContaining(pairs(hostEdges)));
    expect(await one(store, 'select * from store_identity')).toMatchObject({
      epoch: expect.stringMatching(/^[0-9a-f-]{36}$/),
      cursor_secret: expect.stringMatching(/^[0-9a-f]{64}$/),
    });
    expect(await store.database.query('select id, key from organizations')).toEqual([
      { id: store.defaultOrganizationId, key: 'default' },
    ]);
    expect(store.isEmpty).toBe(true);
    await store.close();
  },
);

test.each(storeKinds)(
  'sample data on %s: once, and what was deleted stays deleted',
  async (kind) => {
    const store = await openTestStore(kind);
    await createSampleData(store, store.defaultOrganizationId);
    expect(
      await one(
        store,
        `select i.key, i.state, i.edition, i.deployment_type, i.working_storage, i.image_size,
              i.container_tag, h.key as host, h.dns_name, h.size, s.key as solution, v.version,
              d.key as devices, d.storage, b.key as payer, b.trial, c.key as images, c.image
         from instances i join hosts h on h.id = i.host_id
         join solutions s on s.id = i.solution_id
         join solution_versions v on v.solution_id = s.id
         join device_repositories d on d.id = i.device_repository_id
         join billing_subscriptions b on b.id = i.subscription_id and b.id = h.subscription_id
         join container_repositories c on c.id = i.container_repository_id`,
      ),
    ).toEqual({
      key: 'greenhouse-1',
      state: 'OFFLINE',
      edition: 'CONTAINER',
      deployment_type: 'MANAGED',
      working_storage: 'CLOUD',
      image_size: 'SMALL',
      container_tag: '1.0',
      host: 'greenhouse-1-host',
      dns_name: 'greenhouse-1.instances.test',
      size: 'SMALL',
      solution: 'greenhouse',
      version: '1.0',
      devices: 'greenhouse-devices',
      storage: 'CLOUD',
      payer: 'trial',
      trial: true,
      images: 'runtime',
      image: 'instance-manager/runtime',
    });
    const before = await everything(store);
    await createSampleData(store, store.defaultOrganizationId);
    expect(await everything(store)).toBe(before);
    await store.close();
  },
);

test.each(storeKinds)('what is older than it has to be kept goes, on %s', async (kind) => {
  const database = kind === 'POSTGRES' ? await createMigratedDatabase() : null;
  const rows = (store: OpenStore) =>
    one<{ n: number }>(store, 'select count(*)::int as n from log');
  const before = await open(database?.url);
  expect(before.isEmpty).toBe(true);
  await createSampleData(before, before.defaultOrganizationId);
  expect(await rows(before)).not.toEqual({ n: 0 });
  await before.database.query(`update log set at = at - interval '13 hours'`);
  await before.close();
  const store = await open(database?.url, undefined, { transitionRetentionDays: 0.5 });
  await expect.poll(() => rows(store)).toEqual({ n: 0 });
  await store.close();
  const again = await open(database?.url);
  expect(again.isEmpty).toBe(false);
  await again.close();
  await database?.drop();
  expect(warnings).toEqual([]);
});

describe('on PostgreSQL', () => {
  let database: TestDatabase;
  beforeEach(async () => {
    database = await createTestDatabase();
  });
  afterEach(() => database.drop());

  test('four processes may open an empty one at once; a second start finds it as it was', async () => {
    const stores = await Promise.all([1, 2, 3, 4].map(() => open(database.url)));
    const epochs = await Promise.all(
      stores.map((store) => one<{ epoch: string }>(store, 'select epoch from store_identity')),
    );
    expect(new Set(epochs.map(({ epoch }) => epoch)).size).toBe(1);
    await createSampleData(stores[0] as OpenStore, (stores[0] as OpenStore).defaultOrganizationId);
    await Promise.all(stores.map((store) => store.close()));
    const again = await open(database.url);
    expect(again.isEmpty).toBe(false);
    await again.close();
  });

  test('an edge that is legal no more goes, unless a history needs it', async () => {
    const store = await open(database.url);
    await createSampleData(store, store.defaultOrganizationId);
    await store.database.query(
      `insert into host_edges values ('OFFLINE', 'RUNNING'), ('OFFLINE', 'RESTARTING_HOST')`,
    );
    await store.database.query(`update hosts set state = 'RUNNING', sequence = 1`);
    await store.close();
    const again = await open(database.url);
    expect(
      await again.database.query(
        `select to_state as "to" from host_edges where from_state = 'OFFLINE' order by 1`,
      ),
    ).toEqual([{ to: 'DEPLOYING' }, { to: 'RUNNING' }]);
    await again.close();
  });

  test('a database newer than the code stops the start', async () => {
    await (await open(database.url)).close();
    const raw = openPostgres(database.url, { connections: 1 });
    await raw.query(
      `insert into drizzle.__drizzle_migrations (hash, created_at, name)
       values ('x', 1, '20991231000000_from_the_future')`,
    );
    expect(await refusal(open(database.url))).toContain('20991231000000_from_the_future');
    await raw.close();
  });

  test('a database that answers before it has written stops the start', async () => {
    const name = new URL(database.url).pathname.slice(1);
    const raw = openPostgres(database.url, { connections: 1 });
    await raw.query(`alter database "${name}" set synchronous_commit = off`);
    expect(await refusal(open(database.url))).toContain('synchronous_commit is off');
    await raw.query(`alter database "${name}" set synchronous_commit = local`);
    await (await open(database.url)).close();
    await raw.close();
  });

  test('a database that is not UTF8 stops the start', async () => {
    const raw = openPostgres(database.url, { connections: 1 });
    const name = `latin_${process.pid}`;
    await raw.query(
      `create database ${name} encoding 'LATIN1' lc_collate 'C' lc_ctype 'C' template template0`,
    );
    const url = new URL(database.url);
    url.pathname = `/${name}`;
    expect(await refusal(open(url.href))).toContain('has the encoding LATIN1');
    await raw.query(`drop database ${name}`);
    await raw.close();
  });

  test('what cannot be reached is said in one line, without the password', async () => {
    const url = new URL(database.url);
    const wrong = (change: (at: URL) => void) => {
      const at = new URL(url);
      change(at);
      return refusal(open(at.href));
    };
    const closed = createServer().listen(0, '127.0.0.1');
    await once(closed, 'listening');
    const address = closed.address();
    closed.close();
    await once(closed, 'close');
    const port = typeof address === 'object' ? String(address?.port) : '';
    const lines = [
      await wrong((at) => {
        at.port = port;
        at.password = 'hush-hush';
      }),
      await wrong((at) => {
        at.pathname = '/not_there';
      }),
      await wrong((at) => {
        at.hostname = 'not-there.invalid';
        at.password = 'hush-hush';
      }),
    ];
    expect(lines[0]).toContain(`nothing answers at 127.0.0.1:${port}`);
    expect(lines[1]).toContain('no database "not_there"');
    expect(lines[2]).toContain('not-there.invalid');
    expect(lines.join()).not.toContain('hush');
    expect(await refusal(open('no address'))).toContain('DATABASE_URL');
    const password = openPostgres(database.url, { connections: 1 });
    await password.query(`create role wrong_${process.pid} login password 'right'`);
    await password.close();
    const denied = await wrong((at) => {
      at.username = `wrong_${process.pid}`;
      at.password = 'hush-hush';
    });
    expect(denied).toContain(`wrong_${process.pid}`);
    expect(denied).not.toContain('hush');
    const admin = openPostgres(database.url, { connections: 1 });
    await admin.query(`drop role wrong_${process.pid}`);
    await admin.close();
  });
});
