/**
 * Saves the pages of docs about the state machines beside their source: `npm run docs`. With `--check`
 * it writes nothing and fails where a page is stale.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { pageOf } from '../src/lifecycle/docs.ts';

const pages = [
  { kind: 'INSTANCE', path: 'src/lifecycle/instance.md' },
  { kind: 'HOST', path: 'src/lifecycle/host.md' },
] as const;

const inRepository = (path: string) => fileURLToPath(new URL(`../${path}`, import.meta.url));

/** The pages that do not say what the tables say. */
export function stalePages(): string[] {
  return pages
    .filter(({ kind, path }) => {
      const file = inRepository(path);
      return !existsSync(file) || readFileSync(file, 'utf8') !== pageOf(kind);
    })
    .map(({ path }) => path);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  if (process.argv.includes('--check')) {
    const stale = stalePages();
    if (stale.length) {
      console.error(`Stale: ${stale.join(', ')}. Run npm run docs.`);
      process.exitCode = 1;
    }
  } else {
    for (const { kind, path } of pages) writeFileSync(inRepository(path), pageOf(kind));
  }
}
