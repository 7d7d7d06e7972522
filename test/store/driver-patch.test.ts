/** Our patch of postgres.js: a driver without it is found at the install, at the build and at a start. */
import { execFile } from 'node:child_process';
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { patch } from '../../src/store/database/patches/postgres-3.4.9.mjs';
import { patchDigest } from '../../src/store/database/postgres.ts';

const run = promisify(execFile);
const path = (from: string) => fileURLToPath(new URL(`../../${from}`, import.meta.url));
const apply = path('src/store/database/patches/apply.mjs');

let released: string;

/** The package as it was released: the installed one with each edit taken back. */
beforeAll(async () => {
  released = await mkdtemp(join(tmpdir(), 'driver-'));
  await cp(path('node_modules/postgres'), released, { recursive: true });
  for (const folder of patch.folders) {
    for (const { file, from, to } of [...patch.edits].reverse()) {
      const text = await readFile(join(released, folder, file), 'utf8');
      const patched = to.replace('$MARK', patch.digest);
      expect(text.split(patched)).toHaveLength(2);
      await writeFile(
        join(released, folder, file),
        text.replace(patched, () => from),
      );
    }
  }
});

afterAll(() => rm(released, { recursive: true }));

test('the digest that a start asks for is that of the patch', () => {
  expect(patchDigest).toBe(patch.digest);
});

test('a start over a driver that is not patched ends, and says what to do', async () => {
  const driver = await import(pathToFileURL(join(released, 'src/index.js')).href);
  vi.resetModules();
  vi.doMock('postgres', () => driver);
  try {
    const { openStore } = await import('../../src/store/open.ts');
    const start = openStore({ databaseUrl: 'postgres://nobody@127.0.0.1:1/none' } as never);
    await expect(start).rejects.toMatchObject({
      name: 'CannotOpenStore',
      message: expect.stringContaining('Run: node src/store/database/patches/apply.mjs'),
    });
  } finally {
    vi.doUnmock('postgres');
    vi.resetModules();
  }
});

test('what it says to do patches the driver, once', async () => {
  await expect(run(process.execPath, [apply, '--check', released])).rejects.toMatchObject({
    code: 1,
    stderr: expect.stringContaining('edits are missing'),
  });
  await run(process.execPath, [apply, released]);
  await run(process.execPath, [apply, '--check', released]);
  const { default: driver } = await import(
    `${pathToFileURL(join(released, 'src/index.js')).href}?patched`
  );
  expect(driver.patched).toBe(patchDigest);
});
