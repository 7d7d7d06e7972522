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
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { validateShape } from '../schema/solution-shape.ts';
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
    { cwd: folder, encoding: 'utf8', timeout: 50_000, env: { ...inherited, ...environment } },
  );
  return { status, stdout, stderr };
}

test('sources that changed are built anew, others are not', () => {
  const checkout = join(folder, 'checkout');
  mkdirSync(checkout);
  for (const name of ['src', 'schema', 'drizzle', 'package.json', 'tsconfig.json']) {
    cpSync(join(root, name), join(checkout, name), { recursive: true });
  }
  symlinkSync(join(root, 'node_modules'), join(checkout, 'node_modules'));
  const builds = () =>
    readdirSync(join(checkout, 'build')).filter((name) => /^[0-9a-f]{16}$/.test(name));

  expect(run(checkout, ['--help'])).toMatchObject({
    status: 0,
    stdout: expect.stringContaining('print this list'),
    stderr: '',
  });
  expect(readdirSync(join(checkout, 'build'))).toContainEqual(expect.stringMatching(/^store-/));
  const before = builds();
  run(checkout, ['--help']);
  expect(builds()).toEqual(before);

  const config = join(checkout, 'src/config.ts');
  const text = readFileSync(config, 'utf8');
  writeFileSync(config, text.replace('print this list', 'print another list'));
  expect(run(checkout, ['--help']).stdout).toContain('print another list');
  expect(builds()).toHaveLength(2);

  // What was once built is there when the sources are as they were.
  writeFileSync(config, text);
  expect(run(checkout, ['--help']).stdout).toContain('print this list');
  expect(builds()).toHaveLength(2);

  writeFileSync(config, text.replace('print this list', 'an apostrophe’s list'));
  expect(run(checkout, ['--help']).stdout).toContain('an apostrophe’s list');
  expect(builds(), 'the oldest went').toHaveLength(2);

  writeFileSync(config, `${text}\nconst broken = ;`);
  expect(run(checkout, ['--help'])).toMatchObject({
    status: 1,
    stdout: '',
    stderr: expect.stringContaining('The server could not be built.'),
  });
});

test('a start that fails for a reason nobody foresaw shows it', () => {
  const fault = join(folder, 'fault.mjs');
  writeFileSync(
    fault,
    `import { Server } from 'node:http';
     Server.prototype.listen = () => { throw new RangeError('nobody foresaw this'); };`,
  );
  const { status, stderr } = run(root, ['--ephemeral'], {
    NODE_OPTIONS: `--import=${pathToFileURL(fault)}`,
    DATA_DIR: join(folder, 'data'),
    PORT: '0',
    DNS_PORT: '0',
    LOG_LEVEL: 'silent',
  });
  expect(status).toBe(1);
  expect(stderr).toContain('RangeError: nobody foresaw this');
  expect(stderr).toMatch(/\n +at /);
});

test('a host has the check of solutions compiled; it finds what the schema finds', async () => {
  const { text } = await compileProgram(join(root, 'schema/solution-shape.ts'));
  expect(text).not.toContain('class Ajv');
  const file = join(folder, 'shape.mjs');
  writeFileSync(file, text);
  const compiled = (await import(pathToFileURL(file).href)) as {
    validateShape: typeof validateShape;
  };
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
    expect(compiled.validateShape.errors).toEqual(validateShape.errors);
    expect(one, 'with its defaults').toEqual(other);
    faults += validateShape.errors?.length ?? 0;
  }
  expect(faults).toBeGreaterThan(20);
});
