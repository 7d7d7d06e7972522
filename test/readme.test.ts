/** The README against what it speaks of: settings, commands, operations, files and links. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { getOperationAST, parse, validate } from 'graphql';
import { expect, test } from 'vitest';
import { loadExampleOperations, loadSchemaSdl } from '../schema/load.ts';
import { helpText } from '../src/config.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const readme = readFileSync(join(root, 'README.md'), 'utf8');
const { schema, sdl } = loadSchemaSdl();

/** Every match of the first group. */
function all(pattern: RegExp): string[] {
  return [...readme.matchAll(pattern)].map((match) => match[1] ?? '');
}

test('the list of settings is the one of --help', () => {
  const list = /<!-- help -->\n```\n([\s\S]*?)```\n<!-- \/help -->/.exec(readme)?.[1];
  // To take it over: npx tsx src/main.ts --help
  expect(list).toBe(helpText());
});

test('every setting that it names is one', () => {
  const named = all(/`([A-Z]+(?:_[A-Z]+)+)\b[^`]*`/g).filter((name) => !name.startsWith('TEST_'));
  const known = new Set(
    helpText()
      .match(/^ {2}[A-Z_]+/gm)
      ?.map((name) => name.trim()),
  );
  const ofErrors = ['CURSOR_EXPIRED', 'CURSOR_INVALID', 'RATE_LIMITED'];
  expect(
    named.filter((name) => !known.has(name) && !ofErrors.includes(name) && !sdl.includes(name)),
  ).toEqual([]);
});

test('every script that it names exists', () => {
  const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
    scripts: Record<string, string>;
  };
  for (const name of all(/npm (?:run )?((?!run|ci)[a-z:]+)/g))
    expect(scripts).toHaveProperty([name]);
});

test('every tab of GraphiQL that it names exists', () => {
  const names = loadExampleOperations().flatMap(({ document }) =>
    parse(document).definitions.flatMap((each) => ('name' in each ? (each.name?.value ?? []) : [])),
  );
  const tabs = all(/(?:[Tt]ab,?|[Rr]un|,) `([A-Z][a-z]+[A-Za-z]*)`/g);
  expect(tabs).toContain('WatchInstance');
  expect(tabs.filter((tab) => !names.includes(tab) && !schema.getType(tab))).toEqual([]);
});

test('every document in it is valid', () => {
  const documents = [
    ...all(/```graphql\n([\s\S]*?)```/g),
    ...all(/"query": "((?:[^"\\]|\\.)*)"/g),
    ...all(/query: [`']([^`']*)[`']/g),
  ].map((text) => text.replaceAll('\\"', '"'));
  expect(documents.length).toBeGreaterThan(4);
  for (const text of documents) {
    const document = parse(text);
    expect(getOperationAST(document)).not.toBeNull();
    expect(validate(schema, document)).toEqual([]);
  }
});

test('every file and place that it links to exists', () => {
  const links = all(/\]\(([^)]+)\)/g).filter((link) => !link.startsWith('https://'));
  const headings = all(/^#+ (.*)$/gm).map((heading) =>
    heading
      .toLowerCase()
      .replaceAll(/[^a-z0-9 -]/g, '')
      .replaceAll(' ', '-'),
  );
  for (const link of links) {
    if (link.startsWith('#')) expect(headings).toContain(link.slice(1));
    else expect(existsSync(join(root, link)), link).toBe(true);
  }
});
