/**
 * Installs the programs of hosts as one file each, so that a host starts in tens of milliseconds
 * and keeps running when the package is updated or removed.
 */
import { createHash, randomBytes } from 'node:crypto';
import {
  copyFileSync,
  cpSync,
  existsSync,
  linkSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bundleFile, bundleFolder, makeFolder } from './files.ts';
import { type Program, type ProgramName, programs } from './program.ts';

export interface Bundle {
  /** `sha256:…` of the program and of the packages beside it. */
  readonly digest: string;
  readonly folder: string;
  readonly file: string;
}

/** The folder of the build that this server runs from; null if it runs from its sources. */
declare const builtFolder: URL;

/**
 * The programs of this package. Those of a build are read at once, because the build may be
 * replaced while the server runs. Sources are compiled when a program is needed.
 *
 * @param runtimeEntry the source of another runtime
 */
export function findPrograms(runtimeEntry?: string): (name: ProgramName) => Promise<Program> {
  if (typeof builtFolder === 'undefined' || runtimeEntry !== undefined) {
    return async (name) => {
      const { compileProgram } = await import('./compile.ts');
      return compileProgram(name === 'runtime' ? (runtimeEntry ?? name) : name);
    };
  }
  const built = new Map(programs.map((name) => [name, readBuilt(name)]));
  return async (name) => built.get(name) ?? readBuilt(name);
}

function readBuilt(name: ProgramName): Program {
  const read = (file: string) => readFileSync(new URL(file, builtFolder), 'utf8');
  return {
    text: read(`${name}.mjs`),
    ...(JSON.parse(read(`${name}.json`)) as Omit<Program, 'text'>),
  };
}

/**
 * Writes a program to `<cache>/<sha256>/main.mjs`, with the packages that it needs beside it. Two
 * servers may do so concurrently; an unchanged program is written once.
 */
export function bundleProgram(program: Program, cache: string): Bundle {
  const { text } = program;
  const packages = new Map<string, string>();
  const from = dirname(fileURLToPath(import.meta.url));
  for (const name of program.packages) collectPackage(name, from, packages);
  const hash = createHash('sha256').update(text);
  for (const folder of packages.values()) hash.update(readFileSync(join(folder, 'package.json')));
  const sha = hash.digest('hex');
  const folder = join(cache, sha);
  const bundle = { digest: `sha256:${sha}`, folder, file: join(folder, bundleFile) };
  if (existsSync(bundle.file)) return bundle;
  placeFolder(folder, (temporary) => {
    writeFileSync(join(temporary, bundleFile), text, { mode: 0o600 });
    for (const [name, source] of packages) {
      cpSync(source, join(temporary, 'node_modules', name), {
        recursive: true,
        dereference: true,
        filter: (path) => !path.slice(source.length).includes('node_modules'),
      });
    }
  });
  return bundle;
}

/** Puts a bundle into `<target>/<sha256>/`, by hard links if the file system supports them. */
export function placeBundle(bundle: Bundle, target: string): void {
  const folder = bundleFolder(target, bundle.digest);
  if (existsSync(join(folder, bundleFile))) return;
  placeFolder(folder, (temporary) => linkTree(bundle.folder, temporary));
}

/** Fills a folder under another name first, so that it appears as a whole or not at all. */
function placeFolder(folder: string, fill: (temporary: string) => void): void {
  const temporary = `${folder}.${randomBytes(6).toString('hex')}.tmp`;
  makeFolder(temporary);
  try {
    fill(temporary);
    renameSync(temporary, folder);
  } catch (error) {
    rmSync(temporary, { recursive: true, force: true });
    if (!existsSync(join(folder, bundleFile))) throw error; // otherwise another process was faster
  }
}

function linkTree(from: string, to: string): void {
  makeFolder(to);
  for (const entry of readdirSync(from, { withFileTypes: true })) {
    const source = join(from, entry.name);
    const target = join(to, entry.name);
    if (entry.isDirectory()) linkTree(source, target);
    else linkOrCopy(source, target);
  }
}

function linkOrCopy(source: string, target: string): void {
  try {
    linkSync(source, target);
  } catch {
    copyFileSync(source, target);
  }
}

interface PackageJson {
  readonly dependencies?: Record<string, string>;
  readonly optionalDependencies?: Record<string, string>;
}

/** Finds a package and all its dependencies, as Node would from `from`. */
function collectPackage(name: string, from: string, found: Map<string, string>): boolean {
  if (found.has(name)) return true;
  const folder = findPackage(name, from);
  if (folder === null) return false;
  found.set(name, folder);
  const json = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as PackageJson;
  for (const dependency of Object.keys(json.dependencies ?? {})) {
    if (!collectPackage(dependency, folder, found) && !json.optionalDependencies?.[dependency]) {
      throw new Error(`${name} needs ${dependency}, which is not installed.`);
    }
  }
  // Only those of this platform are installed.
  for (const dependency of Object.keys(json.optionalDependencies ?? {})) {
    collectPackage(dependency, folder, found);
  }
  return true;
}

function findPackage(name: string, from: string): string | null {
  for (let folder = from; ; folder = dirname(folder)) {
    const candidate = join(folder, 'node_modules', name);
    if (existsSync(join(candidate, 'package.json'))) return candidate;
    if (dirname(folder) === folder) return null;
  }
}
