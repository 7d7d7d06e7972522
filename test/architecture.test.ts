/** Reads the imports of src/ against docs/architecture.md, "Folders of `src/`": who may import whom. */
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, posix } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';

const root = fileURLToPath(new URL('..', import.meta.url));

/**
 * What the files of a folder may import beside their own folder: a folder (`store/`) or a file, with
 * `types` where only types may be.
 */
const mayImport: Record<string, readonly string[]> = {
  lifecycle: [],
  http: [],
  timing: [],
  store: ['lifecycle/', 'timing/'],
  drivers: [...['types lifecycle/', 'lifecycle/dns-name.ts', 'lifecycle/image-name.ts'], 'timing/'],
  executor: [
    ...['lifecycle/', 'store/', 'drivers/driver.ts', 'drivers/dns/provider.ts'],
    ...['drivers/registry/repository.ts', 'timing/'],
  ],
  feed: ['lifecycle/', 'store/', 'timing/'],
  api: ['lifecycle/', 'store/', 'feed/'],
  server: ['api/', 'feed/', 'store/', 'http/', 'timing/'],
  client: ['timing/back-off.ts'],
  runtime: ['http/', 'timing/'],
  console: ['client/', 'lifecycle/appearance.ts', 'lifecycle/solution-rules.ts'],
  graphiql: ['client/'],
};

/**
 * The layers of a folder, lowest first: a file may import from its own folder and from the layers below it.
 * `.` stands for the files that lie directly in the folder.
 */
const layers: Record<string, readonly (readonly string[])[]> = {
  store: [
    ['secret'],
    ['table'],
    ['database'],
    ['log'],
    ['commit'],
    ['input', 'work'],
    ['command'],
    ['resource', 'read'],
    ['.'],
  ],
  drivers: [['.'], ['dns', 'process', 'registry'], ['docker', 'name-server'], ['open']],
  feed: [['channel'], ['group', 'replay', 'tail'], ['.']],
  api: [
    ['base'],
    ['list', 'result'],
    ['entity', 'server-info'],
    ['mutation'],
    ['subscription'],
    ['runtime-protocol'],
    ['.'],
  ],
  server: [['wire'], ['auth', 'page'], ['execution'], ['transport'], ['.']],
};

/** Files that may import each other in a circle: the types of GraphQL refer to each other. */
const circular = /^api\/entity\//;

/**
 * Texts that a folder may not have, and the files of it that may. What a viewer may see is decided in one
 * place: a resolver reads the database and the viewer's organization through it.
 */
const forbidden: Record<string, { readonly texts: RegExp; readonly except: readonly string[] }> = {
  api: {
    texts:
      /\.database\b|\bdatabase\s*[,:}]|\bviewer\.organizationId\b|\{[^}]*\borganizationId\b[^}]*\}\s*=\s*[\w.]*viewer\b/,
    except: ['api/base/reads.ts', 'api/base/context.ts'],
  },
};

/** The files directly in src/, which connect the parts. */
const mayImportEverything = [
  ...['main.ts', 'app.ts', 'config.ts', 'settings.ts', 'setting-kinds.ts'],
  ...['build.ts', 'start.mjs'],
];

/** Outside of src/, data of the contract only. */
const outsideOfSource = /^\.\.\/(schema\/.*|package\.json)$/;

/** Packages of the folders that are pure: no I/O, no clock. */
const purePackages: Record<string, readonly string[]> = {
  lifecycle: ['node:vm'],
};

/** Blank lines not counted. A longer file needs a reason here. */
const mostLines = 300;
const longer: Record<string, string> = {
  'store/table/schema.ts': 'every table of the database, in one list',
  'store/database/patches/postgres-3.4.9.mjs': 'every edit of one patch, each with its reason',
};

interface Import {
  readonly from: string;
  readonly typesOnly: boolean;
}

/** The files of a folder, as paths from src/. */
function sourceFiles(pattern: RegExp): string[] {
  return readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' })
    .map((path) => path.split('\\').join('/'))
    .filter((path) => pattern.test(path));
}

function read(path: string): string {
  return readFileSync(join(root, 'src', path), 'utf8');
}

/** The imports and re-exports of a source text; there is no compiler API in TypeScript 7. */
function importsOf(text: string): Import[] {
  const statement =
    /^(?:import|export)\s(?<type>type\s)?(?<names>[^'"`;]*?)\bfrom\s*'(?<from>[^']+)'/gm;
  const named = [...text.matchAll(statement)].map(({ groups }) => ({
    from: groups?.from ?? '',
    typesOnly: groups?.type !== undefined || allTypes(groups?.names ?? ''),
  }));
  const bare = [...text.matchAll(/^import\s*'([^']+)'|\bimport\(\s*'([^']+)'\s*\)/gm)];
  return [
    ...named,
    ...bare.map((match) => ({ from: match[1] ?? match[2] ?? '', typesOnly: false })),
  ];
}

/** Whether each name in `{ type A, type B }` is a type. */
function allTypes(names: string): boolean {
  const inBraces = /^\s*\{([^}]*)\}\s*$/.exec(names)?.[1];
  const each = (inBraces ?? '').split(',').map((name) => name.trim());
  return inBraces !== undefined && each.every((name) => name === '' || name.startsWith('type '));
}

/** The layer of a file, counted from the lowest, or undefined where its folder has none. */
function layerOf(path: string): number | undefined {
  const [folder = '', inner = '', ...rest] = path.split('/');
  const name = rest.length === 0 ? '.' : inner;
  const layer = layers[folder]?.findIndex((names) => names.includes(name));
  return layer === -1 ? undefined : layer;
}

/** Why a file may not import another one of the same folder of src/, or undefined. */
function layerRefusal(file: string, target: string): string | undefined {
  const [from, to] = [layerOf(file), layerOf(target)];
  if (from === undefined || to === undefined || to < from) return undefined;
  if (posix.dirname(file) === posix.dirname(target)) return undefined;
  return `${posix.dirname(target)}/ is not below ${posix.dirname(file)}/`;
}

/** The files that import each other in a circle, each circle sorted. Paths are from src/. */
function circlesOf(imports: ReadonlyMap<string, readonly string[]>): string[][] {
  const reachable = (start: string): Set<string> => {
    const seen = new Set<string>();
    const next = [...(imports.get(start) ?? [])];
    for (let at = next.pop(); at !== undefined; at = next.pop()) {
      if (seen.has(at)) continue;
      seen.add(at);
      next.push(...(imports.get(at) ?? []));
    }
    return seen;
  };
  const reach = new Map([...imports.keys()].map((file) => [file, reachable(file)]));
  const circles = new Map<string, string[]>();
  for (const [file, seen] of reach) {
    if (!seen.has(file)) continue;
    const circle = [...seen].filter((other) => reach.get(other)?.has(file)).sort();
    circles.set(circle.join(), circle);
  }
  return [...circles.values()];
}

/** What a file imports of src/, as paths from src/. */
function targetsOf(file: string): string[] {
  return importsOf(read(file))
    .filter(({ from }) => from.startsWith('.'))
    .map(({ from }) => posix.normalize(posix.join(posix.dirname(file), from)));
}

/** Why `file` may not import this, or undefined. Paths are from src/. */
function refusal(file: string, { from, typesOnly }: Import): string | undefined {
  const folder = file.includes('/') ? file.slice(0, file.indexOf('/')) : '';
  if (!from.startsWith('.')) {
    const pure = purePackages[folder];
    return pure && !typesOnly && !pure.includes(from) ? 'it is pure' : undefined;
  }
  const target = posix.normalize(posix.join(posix.dirname(file), from));
  if (target.startsWith('..')) {
    return outsideOfSource.test(target) ? undefined : 'it leaves src/';
  }
  if (folder === '')
    return mayImportEverything.includes(file) ? undefined : 'src/ holds what is listed';
  if (target.startsWith(`${folder}/`)) return layerRefusal(file, target);
  const allowed = (mayImport[folder] ?? []).some((entry) => {
    const place = entry.replace(/^types /, '');
    if (entry !== place && !typesOnly) return false;
    return place.endsWith('/') ? target.startsWith(place) : target === place;
  });
  return allowed
    ? undefined
    : `${folder}/ may import ${mayImport[folder]?.join(', ') || 'nothing'}`;
}

/** What a file says that its folder may not, or undefined. */
function forbiddenText(file: string, text: string): string | undefined {
  const rule = forbidden[file.slice(0, file.indexOf('/'))];
  return rule && !rule.except.includes(file) ? rule.texts.exec(text)?.[0] : undefined;
}

describe('the folders of src/', () => {
  const files = sourceFiles(/\.(ts|tsx|mjs)$/);

  test('are those of the table', () => {
    const folders = new Set(files.filter((path) => path.includes('/')).map((p) => p.split('/')[0]));
    expect(Object.keys(mayImport)).toEqual(expect.arrayContaining([...folders]));
    const loose = files.filter((path) => !path.includes('/'));
    expect(mayImportEverything).toEqual(expect.arrayContaining(loose));
  });

  test('import what the table allows, and never from test/', () => {
    const refused = files.flatMap((file) =>
      importsOf(read(file)).flatMap((each) => {
        const reason = refusal(file, each);
        return reason ? [`src/${file} imports ${each.from}: ${reason}`] : [];
      }),
    );
    expect(refused).toEqual([]);
  });

  test('and the folders within them are layers', () => {
    const within = files.filter((path) => layers[path.split('/')[0] ?? '']);
    expect(within.filter((path) => layerOf(path) === undefined)).toEqual([]);
    const found = new Set(within.map((path) => path.split('/').slice(0, -1).slice(0, 2).join('/')));
    const named = Object.entries(layers).flatMap(([folder, each]) =>
      each.flat().map((name) => (name === '.' ? folder : `${folder}/${name}`)),
    );
    expect([...found].sort()).toEqual(named.sort());
  });

  test('know no circle of files', () => {
    const imports = new Map(files.map((file) => [file, targetsOf(file)]));
    const refused = circlesOf(imports).filter((circle) => !circle.every((f) => circular.test(f)));
    expect(refused).toEqual([]);
  });

  test('read the database, and what a viewer may see, where that is decided', () => {
    expect(files.filter((file) => forbiddenText(file, read(file)))).toEqual([]);
    const exceptions = Object.values(forbidden).flatMap(({ except }) => except);
    expect(exceptions.filter((file) => !files.includes(file))).toEqual([]);
  });

  test('hold no file that is too long to read', () => {
    const lines = (path: string) =>
      read(path)
        .split('\n')
        .filter((line) => line.trim()).length;
    expect(files.filter((path) => lines(path) > mostLines && !longer[path])).toEqual([]);
    expect(Object.keys(longer).filter((path) => lines(path) <= mostLines)).toEqual([]);
  });
});

describe('the check itself', () => {
  test.each([
    ['lifecycle/a.ts', "import { x } from '../store/b.ts';"],
    ['lifecycle/a.ts', "import { readFileSync } from 'node:fs';"],
    ['drivers/process/a.ts', "import { decide } from '../../lifecycle/instance.ts';"],
    ['drivers/process/a.ts', "import {\n  type A,\n  b,\n} from '../../lifecycle/instance.ts';"],
    ['executor/a.ts', "export { x } from '../drivers/process/driver.ts';"],
    ['executor/a.ts', "const x = await import('../drivers/process/driver.ts');"],
    ['api/a.ts', "import '../executor/b.ts';"],
    ['api/a.ts', "import { x } from '../server/b.ts';"],
    ['runtime/a.ts', "import type { A } from '../lifecycle/b.ts';"],
    ['store/a.ts', "import { x } from '../../test/harness/database.ts';"],
    ['other.ts', "import { x } from './store/a.ts';"],
    ['store/log/a.ts', "import type { A } from '../commit/b.ts';"],
    ['store/resource/a.ts', "import { x } from '../read/b.ts';"],
    ['store/read/a.ts', "import { x } from '../open.ts';"],
    ['api/entity/a.ts', "import { x } from '../mutation/b.ts';"],
    ['server/wire/a.ts', "import { x } from '../auth/b.ts';"],
  ])('%s may not: %s', (file, text) => {
    expect(importsOf(text).map((each) => refusal(file, each))).toEqual([expect.any(String)]);
  });

  test.each([
    ['lifecycle/a.ts', "import { x } from './b.ts';"],
    ['drivers/process/a.ts', "import type { A } from '../../lifecycle/instance.ts';"],
    ['drivers/process/a.ts', "import { type A, type B } from '../../lifecycle/instance.ts';"],
    ['executor/a.ts', "import { x } from '../drivers/driver.ts';"],
    ['app.ts', "import { x } from './server/server.ts';"],
    ['store/commit/a.ts', "import { x } from '../log/b.ts';"],
    ['store/open.ts', "import { x } from './read/b.ts';"],
    ['drivers/process/a.ts', "import { x } from '../driver.ts';"],
    ['lifecycle/a.ts', "import s from '../../schema/solution.schema.json' with { type: 'json' };"],
  ])('%s may: %s', (file, text) => {
    expect(importsOf(text).map((each) => refusal(file, each))).toEqual([undefined]);
  });
});

test.each([
  'context.store.database.drizzle.query.hosts',
  'const { database } = context.store;',
  'const { database: db } = context.store;',
  'feed.position(viewer.organizationId)',
  'const { organizationId } = context.viewer;',
  'const { name, organizationId } = viewer;',
])('a resolver may not say: %s', (text) => {
  expect(forbiddenText('api/entity/a.ts', text)).toEqual(expect.any(String));
  expect(forbiddenText('api/base/reads.ts', text)).toBeUndefined();
  expect(forbiddenText('store/read/a.ts', text)).toBeUndefined();
});

test('the check of circles finds each circle once', () => {
  const imports = new Map([
    ['a', ['b']],
    ['b', ['c']],
    ['c', ['b', 'd']],
    ['d', ['d']],
    ['e', ['a']],
  ]);
  expect(circlesOf(imports)).toEqual([['b', 'c'], ['d']]);
});

/** The statements of a file, each of which begins at the margin, as the formatter has them. */
const statementsOf = (text: string): string[] => text.split(/\n(?=[^\s})\]/*])/);
const functionStatement = /^(?:export )?(?:async )?(?:function (\w+)|const (\w+) = (?:async )?\()/;
const functionName = (statement: string): string | undefined => {
  const [, declared, assigned] = functionStatement.exec(statement) ?? [];
  return declared ?? assigned;
};
const mentions = (text: string, name: string): boolean => new RegExp(`\\b${name}\\b`).test(text);

/**
 * Names that a function of the file uses and that are made below a statement that waits for such a function:
 * there the name is not yet initialized.
 */
function madeTooLate(text: string): string[] {
  const statements = statementsOf(text);
  const functions = new Map(
    statements.flatMap((each) => {
      const name = functionName(each);
      return name ? [[name, each] as const] : [];
    }),
  );
  const waits = statements.findIndex(
    (each) =>
      /^(?:await|if|else|for|while|try|(?:export )?(?:const|let))\b/.test(each) &&
      /\bawait\b/.test(each) &&
      !/\basync\b/.test(each) &&
      [...functions.keys()].some((name) => mentions(each, name)),
  );
  if (waits < 0) return [];
  return statements
    .slice(waits + 1)
    .flatMap((each) => /^(?:export )?(?:const|let|class) (\w+)/.exec(each)?.[1] ?? [])
    .filter((name) => [...functions].some(([own, each]) => own !== name && mentions(each, name)));
}

test('a file that waits at its top level has made before what its functions use', () => {
  const files = ['src', 'schema', 'test'].flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
      .filter((path) => /\.m?ts$|\.mjs$/.test(path))
      .map((path) => join(folder, path)),
  );
  const faults = files.flatMap((file) => {
    const late = madeTooLate(readFileSync(join(root, file), 'utf8'));
    return late.length > 0 ? [`${file}: ${late.join()}`] : [];
  });
  expect(faults).toEqual([]);
});

test.each([
  ['await run();\n\nasync function run() {\n  say();\n}\n\nconst say = () => {};', ['say']],
  [
    'if (a) await link();\nelse await run();\n\nfunction run() {\n  say();\n}\nconst say = 1;',
    ['say'],
  ],
  ['const say = 1;\nawait run();\n\nfunction run() {\n  say();\n}', []],
  ['async function run() {\n  await say();\n}\nconst say = 1;\nvoid run();', []],
])('the check of waiting files: %j', (text, late) => {
  expect(madeTooLate(text)).toEqual(late);
});

test('the oldest Node that we run on is 20', () => {
  const { engines } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  expect(engines.node).toMatch(/^>=20\./);
  expect(Number(process.versions.node.split('.')[0])).toBeGreaterThanOrEqual(20);
});

test.skipIf(!existsSync(join(root, '.git')))('the top level holds little', () => {
  const tracked = execFileSync('git', ['ls-files'], { cwd: root, encoding: 'utf8' }).split('\n');
  const top = [...new Set(tracked.map((path) => path.split('/')[0] ?? ''))].filter(Boolean);
  const ours = ['src', 'schema', 'drizzle', 'test', 'docs', '.ci', 'package.json', 'tsconfig.json'];
  const texts = ['README.md', 'LICENSE', 'CHANGELOG.md', '.gitignore', 'package-lock.json'];
  const tools = ['biome.json', 'vitest.config.ts', 'drizzle.config.ts'];
  const images = ['Dockerfile', 'Dockerfile.server', 'compose.yaml'];
  expect(top.filter((name) => ![...ours, ...texts, ...tools, ...images].includes(name))).toEqual(
    [],
  );
});

describe('docs/architecture.md', () => {
  const page = readFileSync(join(root, 'docs/architecture.md'), 'utf8');
  /** The cells of each row of the table with this heading row. */
  const rowsBelow = (heading: string) =>
    (page.split(`${heading}\n`)[1] ?? '')
      .split('\n\n', 1)[0]
      ?.split('\n')
      .slice(1)
      .map((line) => line.split('|').map((cell) => cell.trim())) ?? [];
  const quoted = (cell = '') => [...cell.matchAll(/`([^`]+)`/g)].map((match) => match[1]);

  test('shows who may import whom', () => {
    const rows = rowsBelow('| Folder | Holds | May import |');
    const shown = rows
      .slice(1)
      .map(([, folder, , cell]) => [
        quoted(folder)[0],
        cell === 'nothing' ? [] : (cell ?? '').split(', ').map((each) => each.replaceAll('`', '')),
      ]);
    expect(quoted(rows[0]?.[1])).toEqual(expect.arrayContaining([...mayImportEverything]));
    const expected = Object.entries(mayImport)
      .filter(([folder]) => existsSync(join(root, 'src', folder)))
      .map(([folder, entries]) => [
        `${folder}/`,
        entries.map((entry) => entry.replace(/^types /, 'types of ')),
      ]);
    expect(Object.fromEntries(shown)).toEqual(Object.fromEntries(expected));
  });

  test('shows the layers', () => {
    const shown = rowsBelow('| Folder | Layers, lowest first |').map(([, folder, cell]) => [
      quoted(folder)[0],
      (cell ?? '')
        .split('; ')
        .map((layer) => (layer.startsWith('the files of') ? ['.'] : quoted(layer))),
    ]);
    const expected = Object.entries(layers).map(([folder, each]) => [`${folder}/`, each]);
    expect(Object.fromEntries(shown)).toEqual(Object.fromEntries(expected));
  });
});
