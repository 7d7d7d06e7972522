/**
 * Vitest's global setup: what all files of a run share. The build of the server and the template of the
 * embedded store, the runtime as one file, a PostgreSQL with a migrated database, and a folder.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { TestProject } from 'vitest/node';
import { compileProgram } from '../../src/drivers/process/compile.ts';
import { openPostgres } from '../../src/store/database/postgres.ts';
import { createDatabase, type TestDatabase } from './database.ts';
import { startPostgres } from './postgres.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** A folder that is removed after the run. Removing files earlier slows the making of new ones down. */
    runFolder: string;
    /** The runtime program, compiled as hosts get it: it starts in a tenth of the time of its sources. */
    runtimeFile: string;
    /** The address of a superuser's connection to the run's PostgreSQL. */
    postgresUrl: string;
    /** The address of a migrated, empty database there, to which nothing connects: the template of stores. */
    migratedUrl: string;
  }
}

const root = fileURLToPath(new URL('../..', import.meta.url));

export async function setup(project: TestProject): Promise<() => Promise<void>> {
  execFileSync(process.execPath, [join(root, 'src/start.mjs'), '--build'], { stdio: 'inherit' });
  const folder = mkdtempSync(join(tmpdir(), 'im-run-'));
  const given = process.env.TEST_DATABASE_URL;
  const postgres = given ? null : await startPostgres();
  const url = given ?? postgres?.url ?? '';
  const migrated = await createMigrated(url);
  project.provide('runFolder', folder);
  project.provide('runtimeFile', await compileRuntime(folder));
  project.provide('postgresUrl', url);
  project.provide('migratedUrl', migrated.url);
  return async () => {
    await migrated.drop();
    await postgres?.stop();
    rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
  };
}

async function compileRuntime(folder: string): Promise<string> {
  const file = join(folder, 'runtime.mjs');
  writeFileSync(file, (await compileProgram('runtime')).text);
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
  return file;
}

async function createMigrated(serverUrl: string): Promise<TestDatabase> {
  const migrated = await createDatabase(serverUrl, 'template1');
  const database = openPostgres(migrated.url, { connections: 1 });
  await database.migrate(join(root, 'drizzle'));
  await database.close();
  return migrated;
}
