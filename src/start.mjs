/**
 * What `npm start` runs. Runs the build that belongs to the present sources; makes it first if it is missing.
 * Plain JavaScript, so that it runs without a loader.
 *
 *     node src/start.mjs [--build] [OPTIONS OF THE SERVER]
 *
 * A build is the folder `build/<digest>/`. The digest is computed from all inputs of a build, so a build of
 * changed sources is never run. `--build` makes the build and ends. `--help` does not need a build: without
 * one it is printed from the sources.
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, utimesSync } from 'node:fs';
import module from 'node:module';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));

/** All that a build is made from; npm lists in the last file what is installed. */
const inputs = [
  ...['src', 'schema', 'drizzle', 'package.json', 'tsconfig.json'],
  'node_modules/.package-lock.json',
];

const build = join(root, 'build', digestOf(inputs));
const main = join(build, 'main.js');
if (!existsSync(main)) {
  if (process.argv.includes('--help')) await helpOfSources().catch(() => undefined);
  makeBuild(); // It says what is wrong with the sources.
}
if (!process.argv.includes('--build')) {
  markAsUsed();
  setInterval(markAsUsed, 3_600_000).unref();
  // Since Node 22: compiled code is kept, so that the next start need not compile it.
  module.enableCompileCache?.(join(build, 'compile-cache'));
  import(pathToFileURL(main).href);
}

/** A build that runs reads files of its folder later: build.ts keeps those whose folder was changed lately. */
function markAsUsed() {
  const now = new Date();
  try {
    utimesSync(build, now, now);
  } catch {
    // The folder belongs to another user: it is not marked.
  }
}

/** Prints the list of settings and ends; they need little of the sources. */
async function helpOfSources() {
  const esbuild = await import('esbuild');
  const { outputFiles } = await esbuild.build({
    entryPoints: [join(root, 'src', 'config.ts')],
    bundle: true,
    platform: 'node',
    format: 'esm',
    write: false,
    logLevel: 'silent',
  });
  const text = Buffer.from(outputFiles[0].contents).toString('base64');
  const { loadConfig } = await import(`data:text/javascript;base64,${text}`);
  loadConfig();
}

function makeBuild() {
  const script = join(root, 'src', 'build.ts');
  const { status, signal, error } = spawnSync(
    process.execPath,
    ['--import', 'tsx', script, build],
    {
      cwd: root,
      stdio: ['ignore', 'inherit', 'inherit'],
    },
  );
  if (status === 0) return;
  // Otherwise the build itself has shown the reason.
  if (error) process.stderr.write(`${error.stack}\n`);
  else if (signal) process.stderr.write(`The build was ended by ${signal}.\n`);
  process.stderr.write('The server could not be built. Where packages are missing, run npm ci.\n');
  // Packages are installed in a checkout that is being worked on, too.
  process.exit(process.env.npm_lifecycle_event === 'postinstall' ? 0 : 1);
}

/** @param {readonly string[]} paths */
function digestOf(paths) {
  const hash = createHash('sha256');
  for (const path of paths) add(hash, path);
  return hash.digest('hex').slice(0, 16);
}

/**
 * Adds a file or all files of a folder, with their names and lengths.
 *
 * @param {import('node:crypto').Hash} hash
 * @param {string} path
 */
function add(hash, path) {
  let content;
  try {
    content = readFileSync(join(root, path));
  } catch (error) {
    if (error.code === 'ENOENT') return;
    if (error.code !== 'EISDIR') throw error;
    for (const name of readdirSync(join(root, path)).sort()) add(hash, `${path}/${name}`);
    return;
  }
  hash.update(`${path}\0${content.length}\0`).update(content);
}
