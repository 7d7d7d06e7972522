/**
 * Compiles a program of a host into one file. It needs esbuild, so builds and tests load it, a
 * server does not.
 */
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Ajv2020 } from 'ajv/dist/2020.js';
import standalone from 'ajv/dist/standalone/index.js';
import { type BuildOptions, build, type Plugin } from 'esbuild';
import schema from '../../../schema/solution.schema.json' with { type: 'json' };
import { shapeOptions } from '../../../schema/solution-shape.ts';
import { DriverError } from '../driver.ts';
import type { Program, ProgramName } from './program.ts';

/** They have native parts, so they lie beside the program instead of within it. */
const packagesBeside = ['libsql'];
/** The files beside this one are `.ts` in the sources and `.js` after compilation. */
const extension = extname(import.meta.url);
const entries: Readonly<Record<ProgramName, string>> = {
  agent: `./agent${extension}`,
  runtime: `../../runtime/main${extension}`,
};

/** Replaces the schema of solution documents and its compiler by the compiled check. */
const compileSolutionShape: Plugin = {
  name: 'solution-shape',
  setup({ onLoad }) {
    onLoad({ filter: /[\\/]schema[\\/]solution-shape\.[jt]s$/ }, () => {
      const ajv = new Ajv2020({ ...shapeOptions, code: { source: true, esm: true } });
      ajv.addSchema(schema, 'shape');
      return { contents: standalone.default(ajv, { validateShape: 'shape' }), loader: 'js' };
    });
  },
};

/** The common options of all bundles. */
export const bundleOptions = {
  bundle: true,
  platform: 'node',
  format: 'esm',
  target: 'node20',
  plugins: [compileSolutionShape],
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
      external: [...bundleOptions.external, ...packagesBeside],
      metafile: true,
      logLevel: 'silent',
    });
    const imported = Object.values(result.metafile.outputs)
      .flatMap(({ imports }) => imports)
      .map(({ path }) => path);
    return {
      text: result.outputFiles[0]?.text ?? '',
      packages: packagesBeside.filter((name) =>
        imported.some((path) => path === name || path.startsWith(`${name}/`)),
      ),
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
