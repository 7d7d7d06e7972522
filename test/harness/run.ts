/**
 * Vitest's global setup: what all files of a run share. The build of the server and the template of the
 * embedded store, the runtime as one file, a PostgreSQL with a migrated database, and a folder.
 */
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statfsSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { freemem, tmpdir } from 'node:os';
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

const sharedMemory = '/dev/shm';
const neededBytes = 8 * 1024 ** 3;
const root = fileURLToPath(new URL('../..', import.meta.url));

export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const memory = useMemory();
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
    if (memory) rmSync(memory, { recursive: true, force: true, maxRetries: 3 });
  };
}

/**
 * Makes a folder in memory the one for temporary files, where there is room: the stores and servers of a run
 * write gigabytes, and a disk that others use makes it take twice as long. `TMPDIR` chooses another.
 */
function useMemory(): string | null {
  if (process.env.TMPDIR || !existsSync(sharedMemory)) return null;
  for (const name of readdirSync(sharedMemory)) {
    const pid = /^instance-manager-tests-(\d+)-/.exec(name)?.[1];
    if (!pid || existsSync(`/proc/${pid}`)) continue;
    try {
      rmSync(join(sharedMemory, name), { recursive: true }); // Of a run that was killed.
    } catch {} // It is another user's.
  }
  const { bavail, bsize } = statfsSync(sharedMemory);
  const mounts = readFileSync('/proc/mounts', 'utf8').split('\n');
  const isExecutable = mounts.some((line) => / \/dev\/shm \w+ (?!.*noexec)/.test(line));
  if (!isExecutable || Math.min(bavail * bsize, freemem()) < neededBytes) return null;
  const folder = mkdtempSync(join(sharedMemory, `instance-manager-tests-${process.pid}-`));
  chmodSync(folder, 0o1777); // As any folder for temporary files: PostgreSQL runs as another user.
  process.env.TMPDIR = folder;
  return folder;
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
