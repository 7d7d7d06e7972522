/**
 * Bundles a program of this package into one file, so that a host starts in tens of milliseconds
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
import { build } from 'esbuild';
import { DriverError } from '../driver.ts';
import { bundleFile, bundleFolder, makeFolder } from './files.ts';

export interface Bundle {
  /** `sha256:…` of the program and of the packages beside it. */
  readonly digest: string;
  readonly folder: string;
  readonly file: string;
}

/** Have native parts, so they lie beside the program instead of within it. */
const packagesBeside = ['libsql'];
/** `ws` looks for these and does without them. */
const optionalPackages = ['bufferutil', 'utf-8-validate'];

/** A program of this package: `.ts` when it runs from source, `.js` when compiled. */
export function resolveEntry(path: string): string {
  for (const extension of ['.ts', '.js']) {
    const file = fileURLToPath(new URL(`${path}${extension}`, import.meta.url));
    if (existsSync(file)) return file;
  }
  throw new DriverError(
    'BUNDLE_FAILED',
    `The program ${path} is missing from this installation. Install the package anew.`,
    { retryable: false },
  );
}

/**
 * Bundles a program into `<cache>/<sha256>/main.mjs`, with the packages that it needs beside it.
 * Two servers may do so at once. Takes about 100 ms; an unchanged program is written once.
 * @throws DriverError BUNDLE_FAILED
 */
export async function bundleProgram(entry: string, cache: string): Promise<Bundle> {
  const { text, packages } = await compile(entry);
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

/** Puts a bundle into `<target>/<sha256>/`: hard links where the file system has them. */
export function placeBundle(bundle: Bundle, target: string): void {
  const folder = bundleFolder(target, bundle.digest);
  if (existsSync(join(folder, bundleFile))) return;
  placeFolder(folder, (temporary) => linkTree(bundle.folder, temporary));
}

/** Fills a folder under another name first: it is there as a whole or not at all. */
function placeFolder(folder: string, fill: (temporary: string) => void): void {
  const temporary = `${folder}.${randomBytes(6).toString('hex')}.tmp`;
  makeFolder(temporary);
  try {
    fill(temporary);
    renameSync(temporary, folder);
  } catch (error) {
    rmSync(temporary, { recursive: true, force: true });
    if (!existsSync(join(folder, bundleFile))) throw error; // else another one was faster
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

async function compile(entry: string): Promise<{ text: string; packages: Map<string, string> }> {
  try {
    const result = await build({
      entryPoints: [entry],
      bundle: true,
      write: false,
      platform: 'node',
      format: 'esm',
      target: 'node20',
      external: [...packagesBeside, ...optionalPackages],
      // Packages in CommonJS call `require` for Node's own modules.
      banner: {
        js: "import { createRequire as $createRequire } from 'node:module'; const require = $createRequire(import.meta.url);",
      },
      metafile: true,
      logLevel: 'silent',
    });
    const imported = Object.values(result.metafile.outputs).flatMap((output) =>
      output.imports.filter((one) => one.external).map((one) => one.path),
    );
    const packages = new Map<string, string>();
    for (const name of packagesBeside) {
      if (imported.some((path) => path === name || path.startsWith(`${name}/`))) {
        collectPackage(name, dirname(fileURLToPath(import.meta.url)), packages);
      }
    }
    return { text: result.outputFiles[0]?.text ?? '', packages };
  } catch (error) {
    throw new DriverError(
      'BUNDLE_FAILED',
      `The program ${entry} cannot be bundled: ${(error as Error).message} ` +
        'Install the package anew, or mend the program.',
      { retryable: false, cause: error },
    );
  }
}

interface PackageJson {
  readonly dependencies?: Record<string, string>;
  readonly optionalDependencies?: Record<string, string>;
}

/** Finds a package and all that it needs, as Node would from `from`. */
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
