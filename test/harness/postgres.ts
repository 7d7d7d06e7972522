/**
 * A real PostgreSQL for the tests: the one of TEST_DATABASE_URL, or a temporary one.
 *
 * As vitest's globalSetup it provides `postgresUrl`, one server for the whole run. Test files take
 * databases of their own on it (`createTestDatabase`), which are copies of a migrated one where they ask for it. A test that restarts or stops its server starts
 * one for itself with `startPostgres()`.
 */
import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath, pathToFileURL } from 'node:url';
import type { TestProject } from 'vitest/node';
import { openPostgres } from '../../src/store/database/postgres.ts';
import { createDatabase, type TestDatabase } from './database.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** The address of a superuser's connection to the run's PostgreSQL. */
    postgresUrl: string;
    /** The address of a migrated, empty database there, to which nothing connects: the template of stores. */
    migratedUrl: string;
  }
}

const root = fileURLToPath(new URL('../..', import.meta.url));

/** A temporary PostgreSQL of one's own. It ends with this process at the latest, however that ends. */
export interface TemporaryPostgres {
  /** The address of a superuser's connection; a restart keeps it. */
  readonly url: string;
  /** Kills every backend at once and starts again with recovery, as after a crash; or in good order. */
  restart(how?: 'CRASH' | 'FAST'): Promise<void>;
  /**
   * Makes a standby of what there is now, restarting the server for it. It lags behind from then on,
   * for it follows nobody, and ends with the server. Its address; `select pg_promote()` ends its recovery.
   */
  copy(): Promise<string>;
  /** Ends the server and removes its folder. */
  stop(): Promise<void>;
}

/** Starts a temporary PostgreSQL on a free loopback port. */
export async function startPostgres(): Promise<TemporaryPostgres> {
  const loader = pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href;
  const script = fileURLToPath(new URL('./supervisor.ts', import.meta.url));
  const { NODE_OPTIONS: _, ...env } = process.env;
  const supervisor = spawn(process.execPath, ['--import', loader, script], {
    detached: true,
    env,
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  supervisor.stdin.on('error', () => {}); // It has ended: the next report says so.
  const ended = new Promise<void>((resolve) => supervisor.once('close', () => resolve()));
  const reports = createInterface({ input: supervisor.stdout })[Symbol.asyncIterator]();

  async function nextUrl(): Promise<string> {
    const line = await reports.next();
    const report = line.done ? { failure: 'its supervisor has ended' } : JSON.parse(line.value);
    if (report.failure) throw new Error(`no temporary PostgreSQL: ${report.failure}`);
    return report.url;
  }

  const url = await nextUrl();
  return {
    url,
    async restart(how = 'CRASH') {
      supervisor.stdin.write(how === 'FAST' ? 'restart fast\n' : 'restart\n');
      await nextUrl();
    },
    copy() {
      supervisor.stdin.write('copy\n');
      return nextUrl();
    },
    async stop() {
      supervisor.stdin.end('stop\n');
      await ended;
    },
  };
}

async function createMigrated(serverUrl: string): Promise<TestDatabase> {
  const migrated = await createDatabase(serverUrl, 'template1');
  const database = openPostgres(migrated.url, { connections: 1 });
  await database.migrate(join(root, 'drizzle'));
  await database.close();
  return migrated;
}

/** Vitest's global setup. */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  // The server that tests start, and the template of the embedded store.
  execFileSync(process.execPath, [join(root, 'src/start.mjs'), '--build'], { stdio: 'inherit' });
  const folder = mkdtempSync(join(tmpdir(), 'im-run-'));
  project.provide('runFolder', folder);
  const given = process.env.TEST_DATABASE_URL;
  const postgres = given ? null : await startPostgres();
  const url = given ?? postgres?.url ?? '';
  const migrated = await createMigrated(url);
  project.provide('postgresUrl', url);
  project.provide('migratedUrl', migrated.url);
  return async () => {
    await migrated.drop();
    await postgres?.stop();
    rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
  };
}
