/** Migrations of stores that have rows: what a column added later holds for those. */
import { cpSync, mkdtempSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, inject, onTestFinished, test } from 'vitest';
import type { Database } from '../../src/store/database/database.ts';
import { openPglite } from '../../src/store/database/pglite.ts';
import { openPostgres } from '../../src/store/database/postgres.ts';
import { createTestDatabase } from '../harness/database.ts';
import { type StoreKind, storeKinds } from './stores.ts';

/** An empty database. */
async function openEmpty(kind: StoreKind): Promise<Database> {
  if (kind === 'PGLITE') {
    const database = await openPglite(null);
    onTestFinished(() => database.close());
    return database;
  }
  const own = await createTestDatabase();
  const database = openPostgres(own.url, { connections: 2 });
  onTestFinished(async () => {
    await database.close();
    await own.drop();
  });
  return database;
}

/** The folder of the migrations before one of them. */
function migrationsBefore(name: string): string {
  const folder = mkdtempSync(join(inject('runFolder'), 'migrations-'));
  const all = readdirSync('drizzle').sort();
  const index = all.findIndex((one) => one.endsWith(`_${name}`));
  expect(index).toBeGreaterThan(0);
  for (const one of all.slice(0, index)) {
    cpSync(join('drizzle', one), join(folder, one), { recursive: true });
  }
  return folder;
}

/** The same uuid for the same name. */
const id = (name: string): string => `md5('${name}')::uuid`;

const names = ['a', 'b', 'c'];
const list = (row: (name: string) => string): string => names.map(row).join(', ');

/** Three instances, each with a device repository and a solution of its name, without settings. */
const configuration = [
  `insert into organizations (id, key, name) values (${id('org')}, 'org', 'org')`,
  `insert into billing_subscriptions (id, organization_id, key, name)
   values (${id('pays')}, ${id('org')}, 'pays', 'pays')`,
  `insert into device_repositories (id, organization_id, key, name, storage) values
   ${list((name) => `(${id(`devices ${name}`)}, ${id('org')}, '${name}', '${name}', 'CLOUD')`)}`,
  `insert into solutions (id, organization_id, key, name) values
   ${list((name) => `(${id(`solution ${name}`)}, ${id('org')}, '${name}', '${name}')`)}`,
  `insert into instances (id, organization_id, key, name, solution_id, subscription_id,
     device_repository_id, edition) values
   ${list(
     (name) => `(${id(name)}, ${id('org')}, '${name}', '${name}', ${id(`solution ${name}`)},
     ${id('pays')}, ${id(`devices ${name}`)}, 'APP')`,
   )}`,
];

const run = (name: string, instance: string, version?: string): string =>
  `insert into runs (id, organization_id, instance_id, started_at, solution_version_id)
   values (${id(name)}, ${id('org')}, ${id(instance)}, now(), ${version ? id(version) : 'null'})`;

const logLine = (of: string, text: string): string =>
  `insert into runtime_logs (organization_id, instance_id, run_id, at, level, text)
   values (${id('org')}, ${id('a')}, ${id(of)}, now() - interval '1 day', 'INFO', '${text}')`;

const definition = (settings: object) => `'${JSON.stringify({ settings })}'`;
const secret = { type: 'STRING', secret: true };
const open = { type: 'STRING', secret: false };
const version = (name: string, solution: string, ordinal: number, settings: object) =>
  `insert into solution_versions (id, organization_id, solution_id, version, ordinal, definition)
   values (${id(name)}, ${id('org')}, ${id(`solution ${solution}`)}, '${ordinal}', ${ordinal},
     ${definition(settings)})`;
const settings = { old: '1', draft: '1', elsewhere: '1', open: '1' };

/** The rows that are there before a migration. */
const rowsBefore = {
  log_numbers: [
    ...configuration,
    ...['first', 'second', 'silent'].map((name) => run(name, 'a')),
    logLine('first', 'f1'),
    logLine('second', 's1'),
    logLine('first', 'f2'),
    logLine('second', 's2'),
    logLine('second', 's3'),
    // A row that was updated lies elsewhere in the table: the order is that of the ids.
    `update runtime_logs set level = 'WARN' where text = 'f1'`,
  ],
  value_order: [
    `insert into device_values (device_repository_id, device, field, value, at)
     values (${id('devices a')}, 'd', 'f', '20', '2020-01-02T03:04:05Z')`,
  ],
  work_driver: [
    `insert into hosts (id, organization_id, key, name, driver, size, dns_name)
     values (${id('host')}, ${id('org')}, 'host', 'host', 'PROCESS', 'SMALL', 'host.test')`,
    `update instances set host_id = ${id('host')} where key = 'a'`,
    ...['host', 'a', 'b'].map(
      (
        name,
      ) => `insert into work (resource_id, kind, organization_id, resource_kind, sequence, due_at)
       values (${id(name)}, 'CHECK_HOST', ${id('org')}, 'HOST', 0, now())`,
    ),
  ],
  secret_settings: [
    version('a1', 'a', 1, { old: secret, open, absent: secret }),
    version('a2', 'a', 2, { old: open, open }),
    `update solutions set definition = ${definition({ draft: secret, open })}
      where id = ${id('solution a')}`,
    version('b1', 'b', 1, { elsewhere: secret, old: open }),
    `update instances set settings = '${JSON.stringify(settings)}'`,
    // The solution of c declares nothing; it had a run of another one.
    run('run of c', 'c', 'b1'),
  ],
  name_order: [
    `update solutions set name =
       case key when 'a' then 'Zebra 10' when 'b' then 'zebra 9' else 'Äpfel' end`,
  ],
  worker_ids: [`insert into workers (epoch, name) values (nextval('worker_epochs'), 'old')`],
};

test.each(storeKinds)('a store with old rows on %s', { timeout: 300_000 }, async (kind) => {
  const store = await openEmpty(kind);
  for (const [name, rows] of Object.entries(rowsBefore)) {
    await store.migrate(migrationsBefore(name));
    for (const statement of rows) await store.query(statement);
  }
  await store.migrate('drizzle');
  const localHosts = `select h.key, p.key as provider, p.kind, p.is_default as "isDefault" from hosts h
    join compute_providers p on p.id = h.provider_id and p.organization_id = h.organization_id`;
  expect(await store.query(localHosts)).toEqual([
    { key: 'host', provider: 'local', kind: 'PROCESS', isDefault: true },
  ]);

  // Names have one order and one matching in every database, those of old rows too.
  expect(await store.query('select name, folded(name) from solutions order by name')).toEqual([
    { name: 'Äpfel', folded: 'APFEL' },
    { name: 'zebra 9', folded: 'ZEBRA 9' },
    { name: 'Zebra 10', folded: 'ZEBRA 10' },
  ]);

  // A worker keeps its id, and no other gets it.
  expect(await store.query(`select id, nextval('worker_ids')::int as next from workers`)).toEqual([
    { id: 1, next: 2 },
  ]);

  // Lines of logs are numbered within their run, in their order.
  expect(await store.query('select text, number from runtime_logs order by text')).toEqual([
    { text: 'f1', number: 1 },
    { text: 'f2', number: 2 },
    { text: 's1', number: 1 },
    { text: 's2', number: 2 },
    { text: 's3', number: 3 },
  ]);
  const last = (name: string) =>
    `(select last_log_number from runs where id = ${id(name)}) as ${name}`;
  expect(
    await store.query(`select ${last('first')}, ${last('second')}, ${last('silent')}`),
  ).toEqual([{ first: 2, second: 3, silent: 0 }]);

  // Values of devices keep their time, and are older than all that is taken from now on.
  expect(
    await store.query('select value, received_at as at, run_ordinal, number from device_values'),
  ).toEqual([{ value: 20, at: new Date('2020-01-02T03:04:05Z'), run_ordinal: 0, number: 0 }]);
  expect(await store.query('select 1 from runs where ordinal < 1')).toEqual([]);

  // Work belongs to the driver of its host.
  expect(
    await store.query(
      `select driver, count(*)::int as items from work group by driver order by driver nulls last`,
    ),
  ).toEqual([
    { driver: 'PROCESS', items: 2 },
    { driver: null, items: 1 },
  ]);

  // A setting is a secret if a solution of the instance has called it one.
  expect(
    await store.query(
      `select key, (select jsonb_agg(e.name order by e.name)
                      from jsonb_array_elements_text(secret_settings) e(name)) as secrets
         from instances order by key`,
    ),
  ).toEqual([
    { key: 'a', secrets: ['draft', 'old'] },
    { key: 'b', secrets: ['elsewhere'] },
    { key: 'c', secrets: ['elsewhere'] },
  ]);
  expect(await store.query('select settings from instances')).toEqual(
    names.map(() => ({ settings })),
  );
});
