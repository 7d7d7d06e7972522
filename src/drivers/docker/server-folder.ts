/**
 * The folder that the image of the server is built in: its build, what `start.mjs` compares the build
 * with, and the packages that are not part of it. Nothing is compiled or installed in the image.
 */
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { sqliteTarget } from '../process/compile.ts';

const root = fileURLToPath(new URL('../../..', import.meta.url));
/** As build.ts leaves them out, and the native part of SQLite. */
const packages = ['@electric-sql/pglite', 'dockerode', 'libsql', `@libsql/${sqliteTarget()}`];
const sources = ['src', 'schema', 'drizzle', 'package.json', 'tsconfig.json', 'LICENSE'];
const installed = 'node_modules/.package-lock.json';

/** Makes the build where it is missing, and writes the folder. */
export function writeServerFolder(folder: string): void {
  const built = spawnSync(process.execPath, ['src/start.mjs', '--build'], {
    ...{ cwd: root, stdio: 'inherit' },
  });
  if (built.status !== 0) throw new Error('The server could not be built; the reason is above.');
  const server = join(folder, 'server');
  for (const path of [...sources, installed, ...packageFolders(), ...newestBuilds()])
    cpSync(join(root, path), join(server, path), { recursive: true });
  mkdirSync(join(folder, 'data'), { mode: 0o700 });
}

/** Of each kind, the server and the template of its store, the one that was made or used last. */
function newestBuilds(): string[] {
  const madeMs = (path: string) => statSync(join(root, path)).mtimeMs;
  const all = readdirSync(join(root, 'build')).map((name) => `build/${name}`);
  return [/^build\/[0-9a-f]{16}$/, /^build\/store-[0-9a-f]{16}$/].flatMap((kind) =>
    all
      .filter((path) => kind.test(path))
      .sort((a, b) => madeMs(b) - madeMs(a))
      .slice(0, 1),
  );
}

interface Installed {
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

/** The folders of the packages and of all that they depend on. */
function packageFolders(): string[] {
  const lock: { packages: Record<string, Installed> } = JSON.parse(
    readFileSync(join(root, installed), 'utf8'),
  );
  const found = new Set<string>();
  const add = (name: string, user: string): void => {
    const near = `${user}/node_modules/${name}`;
    const path = lock.packages[near] ? near : `node_modules/${name}`;
    if (found.has(path) || !lock.packages[path] || !existsSync(join(root, path))) return;
    found.add(path);
    const { dependencies, optionalDependencies } = lock.packages[path];
    for (const each of Object.keys({ ...dependencies, ...optionalDependencies })) add(each, path);
  };
  for (const name of packages) add(name, '');
  return [...found];
}
