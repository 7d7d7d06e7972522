/** The README and docs/ against what they speak of: settings, commands, operations, files, links. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, posix } from 'node:path';
import { fileURLToPath } from 'node:url';
import { getOperationAST, parse, validate } from 'graphql';
import { describe, expect, test } from 'vitest';
import { loadExampleOperations, loadSchemaSdl } from '../schema/load.ts';
import { helpText } from '../src/config.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const read = (path: string) => readFileSync(join(root, path), 'utf8');
const pages = readdirSync(join(root, 'docs'))
  .filter((name) => name.endsWith('.md'))
  .map((name) => `docs/${name}`);
const documents = ['README.md', ...pages];
const packageJson = JSON.parse(read('package.json')) as Record<string, Record<string, string>>;
const { schema, sdl } = loadSchemaSdl();

/** Every match of the first group. */
function all(text: string, pattern: RegExp): string[] {
  return [...text.matchAll(pattern)].map((match) => match[1] ?? '');
}

/** The text without its blocks of code, whose `#` begins no heading. */
const withoutCode = (text: string) => text.replaceAll(/```[\s\S]*?```/g, '');

/** The anchors of a document, as GitHub makes them of its headings. */
function anchorsOf(path: string): string[] {
  return all(withoutCode(read(path)), /^#+ (.*)$/gm).map((heading) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-'),
  );
}

/** The links of a text that lead nowhere. */
function brokenLinks(path: string, text: string): string[] {
  const links = all(withoutCode(text), /\]\(([^)]+)\)/g);
  return links.filter((link) => {
    if (link.startsWith('https://')) return false;
    const [target = '', anchor] = link.split('#');
    const file = target === '' ? path : posix.join(posix.dirname(path), target);
    if (!existsSync(join(root, file))) return true;
    return anchor !== undefined && !anchorsOf(file).includes(anchor);
  });
}

describe.each(documents)('%s', (path) => {
  const text = read(path);

  test('has links to files and headings that exist', () => {
    expect(brokenLinks(path, text)).toEqual([]);
  });

  test('names only settings and codes that exist', () => {
    const named = all(text, /`([A-Z]+(?:_[A-Z]+)+)\b[^`]*`/g);
    const known = new Set(all(helpText(), /^ {2}([A-Z_]+)/gm));
    const others = /^(TEST_|BENCH_|CURSOR_(EXPIRED|INVALID)$|RATE_LIMITED$)/;
    expect(
      named.filter((name) => !known.has(name) && !others.test(name) && !sdl.includes(name)),
    ).toEqual([]);
  });

  test('names only scripts that exist', () => {
    const named = all(text, /npm (?:run )?((?!run|ci)[a-z][a-z:-]*)/g);
    expect(named.filter((name) => packageJson.scripts?.[name] === undefined)).toEqual([]);
  });

  test('has only valid GraphQL', () => {
    const invalid = graphqlOf(text).filter((source) => {
      const document = parse(source);
      return getOperationAST(document) === null || validate(schema, document).length > 0;
    });
    expect(invalid).toEqual([]);
  });
});

/** The operations in the code of a text: blocks, JSON of curl, strings and templates of programs. */
function graphqlOf(text: string): string[] {
  return [
    ...all(text, /```graphql\n([\s\S]*?)```/g),
    ...all(text, /"query": "((?:[^"\\]|\\.)*)"/g),
    ...all(text, /(?:query: |= |gql)[`']((?:\{|subscription|query|mutation)[^`']*)[`']/g),
  ].map((source) => source.replaceAll('\\"', '"'));
}

test('the operations in the code are found', () => {
  expect(graphqlOf(read('README.md'))).toHaveLength(4);
  expect(graphqlOf(read('docs/clients.md'))).toHaveLength(9);
});

test('the check of links finds what is broken', () => {
  const text = '[a](docs/feed.md#fan-out) [b](docs/none.md) [c](docs/feed.md#none) [d](#none)';
  expect(brokenLinks('README.md', text)).toEqual(['docs/none.md', 'docs/feed.md#none', '#none']);
});

describe('the README', () => {
  const readme = read('README.md');

  test('is at most 220 lines long', () => {
    expect(readme.trimEnd().split('\n').length).toBeLessThanOrEqual(220);
  });

  test('leads to every page', () => {
    const linked = all(readme, /\]\((docs\/[a-z-]+\.md)\)/g);
    expect(pages.filter((path) => !linked.includes(path))).toEqual([]);
  });

  test('names only example operations that exist', () => {
    const names = loadExampleOperations().flatMap(({ document }) =>
      parse(document).definitions.flatMap((each) =>
        'name' in each ? (each.name?.value ?? []) : [],
      ),
    );
    const named = all(readme, /(?:tab has|[Rr]un|,) `([A-Z][a-z]+[A-Za-z]*)`/g);
    expect(named).toContain('WatchInstance');
    expect(named.filter((name) => !names.includes(name) && !schema.getType(name))).toEqual([]);
  });
});

test.each(pages)('%s begins with the question of its reader', (path) => {
  expect(read(path)).toMatch(/^# .+\n\n\*[^*]+\?[^*]*\*\n/);
});

test('every document and heading that a comment names exists', () => {
  const sources = ['src', 'test', 'schema'].flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
      .map((name) => posix.join(folder, name.split('\\').join('/')))
      .filter((name) => /\.(ts|mjs)$/.test(name) && name !== 'test/docs.test.ts'),
  );
  const wrong = sources.flatMap((source) => {
    const comments = read(source).match(/\/\*[\s\S]*?\*\/|(?:^|\s)\/\/.*$/gm) ?? [];
    // A comment may be broken into lines anywhere.
    const text = comments.join('\n').replaceAll(/\n\s*(?:\*|\/\/)? ?/g, ' ');
    return [...text.matchAll(/([\w./-]+\.md)\b((?:(?:, | and )"[^"]+")*)/g)].flatMap(
      ([, path = '', named = '']) => {
        if (!existsSync(join(root, path))) return [`${source}: ${path}`];
        const headings = all(withoutCode(read(path)), /^#+ (.*)$/gm);
        return all(named, /"([^"]+)"/g)
          .filter((heading) => !headings.includes(heading))
          .map((heading) => `${source}: ${path}, "${heading}"`);
      },
    );
  });
  expect(wrong).toEqual([]);
});

test('every dependency has its line in the architecture, and no other package', () => {
  const section = /\n## Dependencies\n([\s\S]*?)\n## /.exec(read('docs/architecture.md'))?.[1];
  const cells = all(section ?? '', /^\| (`.*?) \|/gm);
  const named = cells.flatMap((cell) => all(cell, /`([^`]+)`/g));
  const { dependencies, devDependencies } = packageJson;
  expect(named.sort()).toEqual(Object.keys({ ...dependencies, ...devDependencies }).sort());
});
