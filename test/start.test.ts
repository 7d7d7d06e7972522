/** `npm start`: a build that is made of the sources at hand, and a start that fails and says why. */
import { spawnSync } from 'node:child_process';
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { knownNames, validateShape } from '../schema/solution-shape.ts';
import { compileProgram } from '../src/drivers/process/compile.ts';

const root = fileURLToPath(new URL('..', import.meta.url));

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'im-start-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true, maxRetries: 3 }));

/** Runs `src/start.mjs` of a checkout to its end. */
function run(checkout: string, args: readonly string[], environment = {}) {
  const { NODE_OPTIONS: _, VITEST: __, NODE_ENV: ___, ...inherited } = process.env;
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [join(checkout, 'src/start.mjs'), ...args],
    { cwd: folder, encoding: 'utf8', timeout: 200_000, env: { ...inherited, ...environment } },
  );
  return { status, stdout, stderr };
}

test('sources that changed are built anew, others are not', { timeout: 600_000 }, () => {
  const checkout = join(folder, 'checkout');
  mkdirSync(checkout);
  for (const name of ['src', 'schema', 'drizzle', 'package.json', 'tsconfig.json']) {
    cpSync(join(root, name), join(checkout, name), { recursive: true });
  }
  symlinkSync(join(root, 'node_modules'), join(checkout, 'node_modules'));
  // Without the page that takes longest to compile: each run of the tests builds it as it is.
  writeFileSync(join(checkout, 'src/graphiql/main.tsx'), '');
  const builds = () =>
    readdirSync(join(checkout, 'build')).filter((name) => /^[0-9a-f]{16}$/.test(name));

  const help = () => run(checkout, ['--help']).stdout;
  const build = () => run(checkout, ['--build']);

  expect(run(checkout, ['--help'])).toMatchObject({
    status: 0,
    stdout: expect.stringContaining('print this list'),
    stderr: '',
  });
  expect(readdirSync(checkout), 'the list takes no build').not.toContain('build');

  expect(build()).toMatchObject({ status: 0, stderr: '' });
  expect(readdirSync(join(checkout, 'build'))).toContainEqual(expect.stringMatching(/^store-/));
  const before = builds();
  expect(help()).toContain('print this list');
  build();
  expect(builds()).toEqual(before);

  const config = join(checkout, 'src/config.ts');
  const text = readFileSync(config, 'utf8');
  writeFileSync(config, text.replace('print this list', 'print another’s list'));
  expect(help(), 'from the sources').toContain('print another’s list');
  expect(builds()).toEqual(before);
  const older = { '0000000000000001': 3_600, '0000000000000002': 86_400 };
  for (const [name, seconds] of Object.entries(older)) {
    const usedAt = new Date(Date.now() - seconds * 1000);
    mkdirSync(join(checkout, 'build', name));
    utimesSync(join(checkout, 'build', name), usedAt, usedAt);
  }
  build();
  expect(help(), 'from its build').toContain('print another’s list');
  expect(builds(), 'a server may run that of an hour ago, nobody that of yesterday').toEqual(
    expect.arrayContaining([...before, '0000000000000001']),
  );
  expect(builds()).toHaveLength(3);

  // What was once built is there when the sources are as they were.
  writeFileSync(config, text);
  build();
  expect(help()).toContain('print this list');
  expect(builds()).toHaveLength(3);

  writeFileSync(config, `${text}\nconst broken = ;`);
  expect(run(checkout, ['--help'])).toMatchObject({
    status: 1,
    stdout: '',
    stderr: expect.stringContaining('The server could not be built.'),
  });
});

describe('a start that fails for a reason nobody foresaw shows it', () => {
  const reason = `new RangeError('nobody foresaw this')`;
  const shown = /RangeError: nobody foresaw this\n(.*\n)* +at /;

  /** A module that is loaded before the program, and prepares it to fail. */
  function fault(source: string): string {
    const file = join(folder, 'fault.mjs');
    writeFileSync(file, source);
    return pathToFileURL(file).href;
  }

  const server = (source: string, args = ['--ephemeral']) =>
    run(root, args, {
      NODE_OPTIONS: `--import=${fault(source)}`,
      DATA_DIR: join(folder, 'data'),
      TMPDIR: folder,
      PORT: '0',
      DNS_PORT: '0',
      LOG_LEVEL: 'silent',
    });

  /** Runs a program of the repository from its source. */
  function program(file: string, { args = [] as string[], source = '' }) {
    const imports = ['tsx', ...(source ? [fault(source)] : [])];
    const flags = imports.flatMap((module) => ['--import', module]);
    const { NODE_OPTIONS: _, ...env } = process.env;
    return spawnSync(process.execPath, [...flags, join(root, file), ...args], {
      ...{ cwd: root, encoding: 'utf8', timeout: 50_000, env },
      input: '',
    });
  }

  /** A checkout that has `src/start.mjs` alone. */
  function bareCheckout(): string {
    const checkout = join(folder, 'checkout');
    mkdirSync(join(checkout, 'src'), { recursive: true });
    cpSync(join(root, 'src/start.mjs'), join(checkout, 'src/start.mjs'));
    return checkout;
  }

  test.each([
    [
      'a part of the server',
      `import { Server } from 'node:http';
       Server.prototype.listen = () => { throw ${reason}; };`,
    ],
    [
      'what follows the parts',
      `const write = process.stdout.write;
       process.stdout.write = (text, ...rest) => {
         if (text.includes('Sign a browser in')) throw ${reason};
         return write.call(process.stdout, text, ...rest);
       };`,
    ],
  ])('%s', (_, source) => {
    const { status, stderr } = server(source);
    expect(status).toBe(1);
    expect(stderr).toMatch(shown);
    expect(readdirSync(folder).filter((name) => name.startsWith('instance-manager-'))).toEqual([]);
  });

  test.each([
    ['an error', reason, shown],
    ['no error', `'just text'`, /Thrown: 'just text'/],
    [
      'an error of Node, which has a code',
      `Object.assign(new TypeError('not so'), { code: 'ERR_INVALID_ARG_TYPE' })`,
      /TypeError: not so\n +at /,
    ],
    [
      'an error without a message',
      `Object.assign(new AggregateError([new Error('refused')], ''), { code: 'ECONNREFUSED' })`,
      /AggregateError.*\n(.*\n)*Cause: Error: refused\n +at /,
    ],
    [
      'an error with a cause',
      `new Error('it failed', { cause: ${reason} })`,
      /Error: it failed\n(.*\n)*Cause: RangeError: nobody foresaw this\n +at /,
    ],
  ])('main.ts: %s', (_, thrown, expected) => {
    const { status, stderr } = server(`process.umask = () => { throw ${thrown}; };`);
    expect(status).toBe(1);
    expect(stderr).toMatch(expected);
  });

  test('start.mjs: the build cannot be started', () => {
    const source = `process.execPath = ${JSON.stringify(join(folder, 'absent'))};`;
    const environment = { NODE_OPTIONS: `--import=${fault(source)}` };
    const { status, stderr } = run(bareCheckout(), [], environment);
    expect(status).toBe(1);
    expect(stderr).toMatch(/ENOENT\n +at /);
    expect(stderr).toContain('The server could not be built.');
  });

  test('start.mjs: a build that is not whole', () => {
    const source = `import fs from 'node:fs';
      import { syncBuiltinESMExports } from 'node:module';
      fs.existsSync = () => true;
      syncBuiltinESMExports();`;
    const environment = { NODE_OPTIONS: `--import=${fault(source)}` };
    const { status, stderr } = run(bareCheckout(), [], environment);
    expect(status).toBe(1);
    expect(stderr).toMatch(/Cannot find module .*main\.js/);
  });

  test('build.ts', () => {
    writeFileSync(join(folder, 'file'), '');
    const { status, stderr } = program('src/build.ts', { args: [join(folder, 'file/build')] });
    expect(status).toBe(1);
    expect(stderr).toMatch(/ENOTDIR.*\n(.*\n)* +at /);
  });

  test.each([
    ['src/runtime/main.ts', 'process.umask', []],
    ['src/drivers/process/agent.ts', 'process.umask', ['folder', 'nonce']],
    ['schema/diff.ts', 'console.log', []],
    ['schema/docs.ts', 'process.argv.includes', ['--check']],
  ])('%s', (file, call, args) => {
    const { status, stderr } = program(file, {
      args,
      source: `${call} = () => { throw ${reason}; };`,
    });
    expect(status).toBe(1);
    expect(stderr).toMatch(shown);
  });
});

test('a host has the check of solutions compiled; it finds what the schema finds', async () => {
  const { text } = await compileProgram(join(root, 'schema/solution-shape.ts'));
  expect(text).not.toContain('class Ajv');
  const file = join(folder, 'shape.mjs');
  writeFileSync(file, text);
  const compiled = (await import(pathToFileURL(file).href)) as {
    validateShape: typeof validateShape;
    knownNames: typeof knownNames;
  };
  expect(compiled.knownNames).toEqual(knownNames);
  const greenhouse = JSON.parse(readFileSync(join(root, 'schema/greenhouse.json'), 'utf8'));
  const documents: unknown[] = [greenhouse, {}, null, 7, { ...greenhouse, another: 1 }];
  for (const key of Object.keys(greenhouse)) {
    documents.push({ ...greenhouse, [key]: undefined }, { ...greenhouse, [key]: 7 });
    documents.push({ ...greenhouse, [key]: { 'No name': {}, x: {}, y: { type: 'INTEGER' } } });
  }
  let faults = 0;
  for (const document of documents) {
    const [one, other] = [structuredClone(document), structuredClone(document)];
    expect(compiled.validateShape(one)).toBe(validateShape(other));
    // But for where in the schema a rule stands, which is left out.
    const found = validateShape.errors?.map(({ schemaPath: _, ...error }) => error) ?? null;
    expect(compiled.validateShape.errors).toEqual(found);
    expect(one, 'with its defaults').toEqual(other);
    faults += validateShape.errors?.length ?? 0;
  }
  expect(faults).toBeGreaterThan(20);
});
