/**
 * Compiles the script of a page, with esbuild. Builds load this file, and a server that runs from its
 * sources.
 */
import { createHash } from 'node:crypto';
import { basename, extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { type BuildOptions, build, type Plugin } from 'esbuild';
import { compileSolutionShape } from '../../../schema/compile-shape.ts';
import { loadExampleOperations } from '../../../schema/load.ts';
import { brotli, type CompiledPage, compressed, encodings, type PageName } from './files.ts';

const source = (path: string): string => fileURLToPath(new URL(`../../${path}`, import.meta.url));

/** `import { operations } from 'example-operations'`: `schema/operations/`. */
const exampleOperations: Plugin = {
  name: 'example-operations',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^example-operations$/ }, ({ path }) => ({ path, namespace: 'data' }));
    onLoad({ filter: /^/, namespace: 'data' }, () => ({
      contents: `export const operations = ${JSON.stringify(loadExampleOperations())};`,
    }));
  },
};

/** Fonts that a style sheet has in itself become files: the policy takes no others, and few are needed. */
const fontFiles: Plugin = {
  name: 'font-files',
  setup({ onResolve, onLoad }) {
    const font = /^data:font\/(\w+);base64,(.*)$/s;
    onResolve({ filter: font }, ({ path }) => {
      const [, type = '', content = ''] = font.exec(path) ?? [];
      const name = createHash('sha256').update(content).digest('hex').slice(0, 8);
      return { path: `${name}.${type}`, namespace: 'font', pluginData: content };
    });
    onLoad({ filter: /^/, namespace: 'font' }, ({ pluginData }) => ({
      contents: Buffer.from(pluginData, 'base64'),
      loader: 'file',
    }));
  },
};

/**
 * Monaco with the parts that GraphiQL needs. Its style sheets are in that of GraphiQL, and its editors that compare
 * texts are never made.
 */
const monacoParts: Plugin = {
  name: 'monaco-parts',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /\/editor\.all\.js$/ }, () => ({
      path: source('graphiql/monaco.ts'),
    }));
    onLoad({ filter: /monaco-editor\/esm\/.*\.css$/ }, () => ({ contents: '', loader: 'css' }));
    onLoad({ filter: /\/(diffEditor|multiDiffEditor)Widget\.js$/ }, ({ path }) => ({
      contents: `export class ${path.includes('multi') ? 'MultiDiffEditorWidget' : 'DiffEditorWidget'} {}`,
    }));
  },
};

const pages: Readonly<Record<PageName, BuildOptions>> = {
  console: {
    entryPoints: { main: source('console/main.tsx') },
    jsxImportSource: 'preact',
    plugins: [compileSolutionShape],
  },
  graphiql: {
    entryPoints: {
      main: source('graphiql/main.ts'),
      'editor.worker': 'monaco-editor/esm/vs/editor/editor.worker.js',
      'json.worker': 'monaco-editor/esm/vs/language/json/json.worker.js',
      'graphql.worker': 'monaco-graphql/esm/graphql.worker.js',
    },
    jsxImportSource: 'react',
    plugins: [exampleOperations, fontFiles, monacoParts],
  },
};

/** Compiles a page into files that refer to each other by relative addresses. */
export async function compilePage(name: PageName): Promise<CompiledPage> {
  const { outputFiles = [] } = await build({
    bundle: true,
    format: 'esm',
    splitting: true,
    minify: true,
    target: 'es2022',
    jsx: 'automatic',
    define: { 'process.env.NODE_ENV': '"production"' },
    loader: { '.ttf': 'file', '.woff': 'file', '.woff2': 'file', '.svg': 'file' },
    chunkNames: '[name]-[hash]',
    assetNames: '[name]-[hash]',
    legalComments: 'none',
    outdir: '/',
    write: false,
    logLevel: 'warning',
    ...pages[name],
  });
  const hash = createHash('sha256');
  const files = new Map<string, Uint8Array>();
  for (const { path, contents } of outputFiles) {
    const file = basename(path);
    if (contents.byteLength === 0) continue; // Styles of a script that has none of its own.
    files.set(file, contents);
    hash.update(file).update(contents);
  }
  return { digest: hash.digest('base64url').slice(0, 16), files };
}

/** The files of a page as a build has them, by their paths from its folder: each text compressed too. */
export async function filesOfBuild(
  name: PageName,
  { digest, files }: CompiledPage,
): Promise<Map<string, Uint8Array>> {
  const all = new Map<string, Uint8Array>();
  for (const [file, content] of files) {
    const path = `pages/${name}/${digest}/${file}`;
    all.set(path, content);
    if (!compressed.includes(extname(file))) continue;
    const [br, gz] = await Promise.all([brotli(content, 9), promisify(gzip)(content)]);
    all.set(`${path}${encodings.br}`, br).set(`${path}${encodings.gzip}`, gz);
  }
  return all;
}
