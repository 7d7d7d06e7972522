/** The folder of the embedded store: one owner at a time, and data that is gone is no first run. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { defaultDeadlines } from '../../src/lifecycle/change.ts';
import { openDataDirectory } from '../../src/store/database/data-directory.ts';
import { startMaintenance } from '../../src/store/database/maintenance.ts';
import { ownIdentity } from '../../src/store/database/process-identity.ts';
import { type OpenStore, openStore } from '../../src/store/open.ts';
import { createSampleData } from '../../src/store/sample-data.ts';
import { openTestPglite } from '../harness/embedded.ts';
import { one, zone } from './stores.ts';

// A new PGlite takes seconds, on a busy machine many.
vi.setConfig({ testTimeout: 120_000 });

let folder: string;
let warnings: string[];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'im-open-'));
  warnings = [];
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const open = (databaseUrl?: string, dataDir = join(folder, 'data')): Promise<OpenStore> =>
  openStore({
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

describe('the data directory', () => {
  const data = (name = '') => join(folder, 'data', name);

  test('is for its owner alone, keeps the store, and is marked', async () => {
    const store = await open();
    expect(statSync(data()).mode & 0o777).toBe(0o700);
    await createSampleData(store, store.defaultOrganizationId);
    const { epoch } = await one<{ epoch: string }>(store, 'select epoch from store_identity');
    expect(JSON.parse(readFileSync(data('store.json'), 'utf8'))).toEqual({ format: 1, epoch });
    await store.close();
    chmodSync(data(), 0o755);
    const again = await open();
    expect(again.isEmpty).toBe(false);
    expect(statSync(data()).mode & 0o777).toBe(0o700);
    await again.close();
    expect(warnings).toEqual([]);
  });

  test('data that is gone or another’s does not look like a first run', async () => {
    await (await open()).close();
    const mark = readFileSync(data('store.json'), 'utf8');
    rmSync(data('pglite'), { recursive: true });
    expect(await refusal(open())).toContain('is gone');
    expect(existsSync(data('pglite'))).toBe(false);
    rmSync(data('store.json'));
    await (await open()).close();
    writeFileSync(data('store.json'), mark);
    expect(await refusal(open())).toContain('another store');
    writeFileSync(data('store.json'), '{"epoch"');
    expect(await refusal(open())).toContain('damaged');
  });

  test('has one owner at a time', async () => {
    const owner = await openDataDirectory(data());
    expect(await refusal(openDataDirectory(data()))).toContain(`process ${process.pid}`);
    await owner.close();
    await (await openDataDirectory(data())).close();
  });

  test('of many who want it at once, one gets it; also behind a dead owner', async () => {
    for (const dead of [false, true]) {
      if (dead) {
        const gone = { ...ownIdentity(), startTime: '1' };
        writeFileSync(data('owner.7'), JSON.stringify(gone));
      }
      const attempts = await Promise.allSettled(
        Array.from({ length: 20 }, () => openDataDirectory(data())),
      );
      const owners = attempts.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
      expect(owners).toHaveLength(1);
      await owners[0]?.close();
    }
    expect(readdirSync(data()).filter((name) => name.startsWith('owner')).length).toBeLessThan(3);
  });

  test('an owner that was killed leaves it free; one that lives does not', async () => {
    const module = fileURLToPath(
      new URL('../../src/store/database/data-directory.ts', import.meta.url),
    );
    const script = `import(${JSON.stringify(module)}).then(async ({ openDataDirectory }) => {
      await openDataDirectory(${JSON.stringify(data())});
      console.log('has it');
      process.stdin.resume();
    })`;
    const child = spawn(process.execPath, ['--import', 'tsx', '-e', script], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    await once(child.stdout, 'data');
    expect(await refusal(openDataDirectory(data()))).toContain(`process ${child.pid}`);
    child.kill('SIGKILL');
    await once(child, 'exit');
    await (await openDataDirectory(data())).close();
  });

  test('the owner of another container counts as long as its heartbeat file is fresh', async () => {
    await (await openDataDirectory(data())).close();
    const elsewhere = { ...ownIdentity(), namespace: 'pid:[1]' };
    writeFileSync(data('owner.9'), JSON.stringify(elsewhere));
    vi.useFakeTimers({ toFake: ['performance'] });
    // It is looked at for as long as an owner may be silent.
    const clock = setInterval(() => vi.advanceTimersByTime(1_000), 20);
    const refused = await refusal(openDataDirectory(data()));
    clearInterval(clock);
    vi.useRealTimers();
    expect(refused).toContain(`in use by process ${elsewhere.pid}`);
    const old = new Date(Date.now() - 60_000);
    utimesSync(data('alive'), old, old);
    await (await openDataDirectory(data())).close();
  });

  test('its heartbeat file is touched', async () => {
    const owner = await openDataDirectory(data());
    const old = new Date(Date.now() - 60_000);
    utimesSync(data('alive'), old, old);
    await expect.poll(() => statSync(data('alive')).mtimeMs).toBeGreaterThan(Date.now() - 10_000);
    await owner.close();
  });

  test('is looked after: vacuum by what was written', async () => {
    const database = await openTestPglite();
    await database.query('drop table work cascade');
    await database.query('create table work (id int)');
    const maintenance = startMaintenance(database, { warn: (text) => warnings.push(text) });
    const pages = async () =>
      (
        await database.query<{ n: number }>(
          `select relpages as n from pg_class where relname = 'work'`,
        )
      )[0]?.n;
    await maintenance.look();
    await maintenance.look();
    expect(await pages()).toBe(0);
    await database.query('insert into work select generate_series(1, 400000)');
    await maintenance.look();
    expect(await pages()).toBeGreaterThan(100);
    await maintenance.stop();
    await database.close();
    expect(warnings).toEqual([]);
  });
});
