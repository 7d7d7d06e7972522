/**
 * Compiles a program of a host into one file. It needs esbuild, so builds and tests load it, a
 * server does not.
 */
import { builtinModules, createRequire } from 'node:module';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type BuildOptions, build, type Plugin } from 'esbuild';
import { compileSolutionShape } from '../../../schema/compile-shape.ts';
import { DriverError } from '../driver.ts';
import type { Program, ProgramName } from './program.ts';

const requireHere = createRequire(import.meta.url);
/** The native part of libsql for this platform: it lies beside a program instead of within it. */
const nativeSqlite = `@libsql/${sqliteTarget()}`;
/** The files beside this one are `.ts` in the sources and `.js` after compilation. */
const extension = extname(import.meta.url);
const entries: Readonly<Record<ProgramName, string>> = {
  agent: `./agent${extension}`,
  runtime: `../../runtime/main${extension}`,
};

/** `ws` takes them at its start, and needs them for `wss:` and compression alone: 3 MB on Node 24. */
const takenLater = ['https', 'tls', 'zlib'];
const ofWebSockets = /[\\/]node_modules[\\/]ws[\\/]/;

/**
 * Takes Node's own modules as `require` does. `import` reads every export of such a module, which loads what
 * some of them stand for: `node:http` has a WebSocket, and so the whole of fetch, 12 MB on Node 24.
 */
const builtins: Plugin = {
  name: 'builtins',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^[a-z_:/]+$/ }, ({ path, kind, importer }) => {
      const name = path.replace(/^node:/, '');
      const isStatic = kind === 'import-statement' || kind === 'require-call';
      if (!isStatic || !builtinModules.includes(name)) return null;
      const isLater = takenLater.includes(name) && ofWebSockets.test(importer);
      return { path: name, namespace: isLater ? 'builtin-later' : 'builtin' };
    });
    onLoad({ filter: /^/, namespace: 'builtin' }, ({ path }) => ({
      contents: `module.exports = process.getBuiltinModule('${path}')`,
    }));
    onLoad({ filter: /^/, namespace: 'builtin-later' }, ({ path }) => ({
      contents:
        `const get = (_, name) => process.getBuiltinModule('${path}')[name];` +
        'module.exports = new Proxy({}, { get });',
    }));
  },
};

/** libsql with the platform of this machine, which it finds out at each start otherwise, 10 MB of memory dear. */
const sqliteOfPlatform: Plugin = {
  name: 'sqlite-of-platform',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^(@neon-rs\/load|detect-libc)$/ }, () => ({
      path: 'platform',
      namespace: 'libsql',
    }));
    onLoad({ filter: /^/, namespace: 'libsql' }, () => ({
      contents: `exports.currentTarget = () => '${sqliteTarget()}'; exports.familySync = () => null;`,
    }));
  },
};

/** As libsql has it. */
export function sqliteTarget(): string {
  const requireOfSqlite = createRequire(requireHere.resolve('libsql'));
  const { currentTarget } = requireOfSqlite('@neon-rs/load') as { currentTarget(): string };
  const { familySync, GLIBC, MUSL } = requireOfSqlite(
    'detect-libc',
  ) as typeof import('detect-libc');
  const family = familySync();
  const target = currentTarget();
  if (family === GLIBC) return target.replace(/^(linux-.*)-musl$/, '$1-gnu');
  return family === MUSL && target === 'linux-arm-gnueabihf' ? 'linux-arm-musleabihf' : target;
}

/** The common options of all bundles. */
export const bundleOptions = {
  bundle: true,
  platform: 'node',
  format: 'esm',
  target: 'node20',
  minifyWhitespace: true,
  legalComments: 'none',
  // What Node has itself; `mqtt-packet` asks for the copy.
  alias: { 'readable-stream': 'node:stream' },
  plugins: [compileSolutionShape, builtins, sqliteOfPlatform],
  // Optional dependencies of `ws`.
  external: ['bufferutil', 'utf-8-validate'],
  // Packages in CommonJS call `require` for Node's own modules.
  banner: {
    js: "import { createRequire as $createRequire } from 'node:module'; const require = $createRequire(import.meta.filename);",
  },
} satisfies BuildOptions;

/**
 * Compiles a program, by its name or the path of its source. Takes about 100 ms.
 * @throws DriverError BUNDLE_FAILED
 */
export async function compileProgram(program: ProgramName | (string & {})): Promise<Program> {
  const known = entries[program as ProgramName];
  const entry = known ? fileURLToPath(new URL(known, import.meta.url)) : program;
  try {
    const result = await build({
      ...bundleOptions,
      entryPoints: [entry],
      write: false,
      metafile: true,
      logLevel: 'silent',
    });
    const usesSqlite = 'libsql:platform' in result.metafile.inputs;
    return {
      text: result.outputFiles[0]?.text ?? '',
      packages: usesSqlite ? [nativeSqlite] : [],
    };
  } catch (error) {
    throw new DriverError(
      'BUNDLE_FAILED',
      `The program ${entry} cannot be bundled: ${(error as Error).message} ` +
        'Install the package anew, or mend the program.',
      { retryable: false, cause: error },
    );
  }
}
