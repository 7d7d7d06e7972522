/**
 * The template of the embedded store: its database as `initdb` and the migrations leave it, made once per
 * version and copied for each new store. `initdb` takes seconds, the copy a tenth of one. The template holds
 * no identity and no rows of anybody.
 */
import { createHash } from 'node:crypto';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { openPglite } from './pglite.ts';

/** The folder of the migrations. */
export const migrations = fileURLToPath(new URL('../../../drizzle', import.meta.url));

const builds = fileURLToPath(new URL('../../../build/', import.meta.url));

/** Where the template is, or will be: another place for other migrations and for another PGlite. */
function templateFolder(): string {
  const hash = createHash('sha256');
  for (const name of readdirSync(migrations).sort()) {
    hash.update(`${name}\0`).update(readFileSync(join(migrations, name, 'migration.sql')));
  }
  const entry = createRequire(import.meta.url).resolve('@electric-sql/pglite');
  const { version } = JSON.parse(
    readFileSync(join(dirname(entry), '..', 'package.json'), 'utf8'),
  ) as { version: string };
  return join(builds, `store-${hash.update(version).digest('hex').slice(0, 16)}`);
}

/** Makes the template where there is none; two processes may make it at once. Returns its folder. */
export async function makeTemplate(): Promise<string> {
  const folder = templateFolder();
  if (existsSync(folder)) return folder;
  const draft = `${folder}.${process.pid}.tmp`;
  mkdirSync(draft, { recursive: true, mode: 0o700 });
  try {
    const database = await openPglite(draft);
    await database.migrate(migrations);
    await database.close();
    makeReadable(draft);
    renameSync(draft, folder);
  } catch (error) {
    if (!existsSync(folder)) throw error; // Else another was faster.
  } finally {
    rmSync(draft, { recursive: true, force: true });
  }
  return folder;
}

/** For everybody who starts a server here, and writable for its owner alone. */
function makeReadable(folder: string): void {
  chmodSync(folder, 0o755);
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) makeReadable(path);
    else chmodSync(path, 0o644);
  }
}

/** Copies the template to a folder that is not there yet, whole or not at all. Without a template it does nothing. */
export function copyTemplate(folder: string): void {
  const template = templateFolder();
  if (existsSync(folder) || !existsSync(template)) return;
  const draft = `${folder}.new`;
  rmSync(draft, { recursive: true, force: true }); // Of a start that was cut off.
  cpSync(template, draft, { recursive: true });
  renameSync(draft, folder);
}
