/**
 * Builds the server, its pages and the programs of its hosts into a folder: `main.js`, which loads the rest
 * on demand, `agent.mjs`, `runtime.mjs` and `pages/`. `start.mjs` calls it with the folder of a missing build.
 */
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { build, type Plugin } from 'esbuild';

import { bundleOptions, compileProgram } from './drivers/process/compile.ts';
import { programs } from './drivers/process/program.ts';
import { compilePage, filesOfBuild } from './server/page/compile.ts';
import { pageNames } from './server/page/files.ts';
import { checkDriver } from './store/database/postgres.ts';
import { makeTemplate } from './store/database/template.ts';

const source = fileURLToPath(new URL('.', import.meta.url));

/**
 * Packages that are not only JavaScript, or too large to be loaded at every start, are not bundled.
 */
const packages = ['@electric-sql/pglite', 'dockerode'];
/** Loaded only by a server that runs from its sources. */
const ofSources = ['*/compile.ts'];
/** Builds that are kept: the newest, and that of a server which is just starting. */
const keptBuilds = 2;
/** Older builds are kept as long as a server runs them: it marks its build each hour. */
const usedMs = 3 * 3_600_000;
/** No build takes this long: an older draft is left over from a build that was killed. */
const abandonedMs = 600_000;

async function main(folder: string): Promise<void> {
  // The driver becomes part of the build.
  checkDriver();
  await makeBuild(folder);
  await makeTemplate();
  removeOldBuilds(dirname(folder));
}

/** Makes the build atomically; two processes may do so concurrently. */
async function makeBuild(folder: string): Promise<void> {
  const draft = `${folder}.${process.pid}.tmp`;
  mkdirSync(draft, { recursive: true });
  try {
    // What most often has a fault in it is first.
    await build({
      ...bundleOptions,
      entryPoints: [join(source, 'main.ts')],
      outdir: draft,
      splitting: true,
      chunkNames: '[name]-[hash]',
      external: [...bundleOptions.external, ...packages, ...ofSources],
      banner: {
        js: `${bundleOptions.banner.js} const builtFolder = new URL('.', import.meta.url);`,
      },
      plugins: [...bundleOptions.plugins, keepSourceUrls(folder)],
      logLevel: 'warning',
    });
    for (const name of programs) {
      const { text, packages } = await compileProgram(name);
      writeFileSync(join(draft, `${name}.mjs`), text);
      writeFileSync(join(draft, `${name}.json`), JSON.stringify({ packages }));
    }
    for (const name of pageNames) {
      const files = await filesOfBuild(name, await compilePage(name));
      for (const [path, content] of files) {
        mkdirSync(dirname(join(draft, path)), { recursive: true });
        writeFileSync(join(draft, path), content);
      }
    }
    renameSync(draft, folder);
  } catch (error) {
    if (!existsSync(folder)) throw error; // Otherwise another process was faster.
  } finally {
    rmSync(draft, { recursive: true, force: true });
  }
}

/** `import.meta.url` keeps the value of the source file, because files are found relative to it. */
function keepSourceUrls(folder: string): Plugin {
  const filter = /[\\/](src|schema)[\\/][^.]*\.ts$/;
  return {
    name: 'source-urls',
    setup({ onLoad }) {
      onLoad({ filter }, ({ path }) => {
        if (path.includes('node_modules')) return null;
        const from = relative(folder, path).replaceAll('\\', '/');
        const contents = readFileSync(path, 'utf8').replaceAll(
          'import.meta.url',
          `new URL(${JSON.stringify(from)}, import.meta.url).href`,
        );
        return { contents, loader: 'ts' };
      });
    },
  };
}

function removeOldBuilds(parent: string): void {
  const folders = readdirSync(parent)
    .map((name) => ({
      name,
      madeMs: statSync(join(parent, name), { throwIfNoEntry: false })?.mtimeMs ?? 0,
    }))
    .sort((a, b) => b.madeMs - a.madeMs);
  const olderOf = (kind: RegExp) => folders.filter(({ name }) => kind.test(name)).slice(keptBuilds);
  const unused = olderOf(/^[0-9a-f]{16}$/).filter(({ madeMs }) => madeMs < Date.now() - usedMs);
  const templates = olderOf(/^store-[0-9a-f]{16}$/);
  const abandoned = folders.filter(
    ({ name, madeMs }) => name.endsWith('.tmp') && madeMs < Date.now() - abandonedMs,
  );
  for (const { name } of [...unused, ...templates, ...abandoned])
    rmSync(join(parent, name), { recursive: true, force: true });
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  main(process.argv[2] ?? '').catch((error: unknown) => {
    process.stderr.write(`${error instanceof Error ? error.stack : error}\n`);
    process.exitCode = 1;
  });
}
