/** The stylesheets of the console: a class belongs to one of them, and is used. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const folder = fileURLToPath(new URL('../src/console/', import.meta.url));
const files = readdirSync(folder, { recursive: true, encoding: 'utf8' });
const read = (file: string): string => readFileSync(join(folder, file), 'utf8');

/**
 * The classes that are styled, with the stylesheets that do so. `isWhole`: by a rule for the class alone, outside of
 * media queries.
 */
function styledClasses(isWhole: boolean): Map<string, Set<string>> {
  const styled = new Map<string, Set<string>>();
  for (const file of files.filter((each) => each.endsWith('.css'))) {
    const text = read(file).replaceAll(/\/\*[\s\S]*?\*\//g, '');
    for (const [, selectors = ''] of text.matchAll(/([^{}@;]+)\{/g)) {
      const isNested = /\n +\S/.test(selectors);
      if (isWhole && isNested) continue;
      for (const selector of selectors.split(',').map((each) => each.trim())) {
        const names = isWhole
          ? [/^\.([\w-]+)$/.exec(selector)?.[1] ?? '']
          : [...selector.matchAll(/\.([a-zA-Z][\w-]*)/g)].map(([, name = '']) => name);
        for (const name of names.filter(Boolean))
          styled.set(name, (styled.get(name) ?? new Set()).add(file));
      }
    }
  }
  return styled;
}

test('no class is styled by two of them', () => {
  const twice = [...styledClasses(true)].filter(([, sheets]) => sheets.size > 1);
  expect(twice.map(([name, sheets]) => `.${name}: ${[...sheets].join(', ')}`)).toEqual([]);
});

test('every class that is styled is used', () => {
  const code = files.filter((each) => each.endsWith('.tsx') || each.endsWith('.ts'));
  const used = new Set(code.flatMap((file) => read(file).match(/[\w-]+/g) ?? []));
  expect([...styledClasses(false).keys()].filter((name) => !used.has(name))).toEqual([]);
});
