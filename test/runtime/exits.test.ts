/** How the runtime program ends, each with its exit code. */
import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { startProgram } from './program.ts';
import { createWorld } from './world.ts';

test('0: a signal ends it', async () => {
  const world = createWorld();
  const { url } = await world.listen();
  const program = await startProgram(world, { RUNTIME_ENDPOINT: url });
  await world.until(() => world.reports.length > 0);
  program.child.kill('SIGTERM');
  expect(await program.exit).toBe(0);
});

test('0: a signal ends it while there is no API', async () => {
  const world = createWorld();
  const program = await startProgram(world, { RUNTIME_ENDPOINT: 'ws://127.0.0.1:9/graphql' });
  await new Promise<void>((resolve) => {
    program.child.stdout?.on('data', () => {
      if (program.output().includes('No connection to the API')) resolve();
    });
  });
  program.child.kill('SIGTERM');
  expect(await program.exit).toBe(0);
});

test('1: what it cannot recover from is reported as FAULT', async () => {
  const world = createWorld();
  const { url } = await world.listen();
  const broken = 'process.on("SIGUSR2", () => { throw new TypeError("broken inside"); });';
  const imports = [`data:text/javascript,${encodeURIComponent(broken)}`];
  const program = await startProgram(world, { RUNTIME_ENDPOINT: url }, { imports });
  await world.until(() => world.reports.length > 0);
  program.child.kill('SIGUSR2');
  await world.until(() => world.reports.some(({ report }) => report === 'FAULT'));
  const fault = world.reports.find(({ report }) => report === 'FAULT');
  expect(fault).toMatchObject({ message: 'TypeError: broken inside' });
  expect(await program.exit).toBe(1);
});

test('2: it names what is wrong with its environment', async () => {
  const env = { RUNTIME_ENDPOINT: 'http://x', RUNTIME_ADDRESS: 'here', RUNTIME_RUN: '' };
  const program = await startProgram(createWorld(), env);
  expect(await program.exit).toBe(2);
  for (const name of Object.keys(env)) expect(program.output()).toContain(name);
});

test('2: the key comes by stdin alone', async () => {
  const world = createWorld();
  const { url } = await world.listen();
  const env = { RUNTIME_ENDPOINT: url, RUNTIME_KEY: world.runKey, RUNTIME_RUN_KEY: world.runKey };
  const without = await startProgram(world, env, { stdin: 'secret-but-no-json\n' });
  expect(await without.exit).toBe(2);
  expect(without.output()).toContain('{"runKey":"…"}');
  expect(without.output()).not.toContain('secret-but-no-json');

  const program = await startProgram(world, { RUNTIME_ENDPOINT: url });
  await world.until(() => world.reports.length > 0);
  const { pid } = program.child;
  if (process.platform === 'linux') {
    const seen = await Promise.all(
      ['environ', 'cmdline'].map((file) => readFile(`/proc/${pid}/${file}`, 'utf8')),
    );
    expect(seen.join()).not.toContain(world.runKey);
  }
});

test('3: the API does not know its key', async () => {
  const world = createWorld();
  const { url } = await world.listen();
  const stdin = '{"runKey":"of-another-run"}\n';
  const program = await startProgram(world, { RUNTIME_ENDPOINT: url }, { stdin });
  expect(await program.exit).toBe(3);
  expect(program.output()).toContain('4403');
});

test('3: the API calls its reports stale', async () => {
  const world = createWorld();
  const { url } = await world.listen();
  const program = await startProgram(world, { RUNTIME_ENDPOINT: url });
  await world.until(() => world.reports.length > 0);
  world.refusal = { code: 'STALE_REPORT', message: 'Another run began.', retryable: false };
  expect(await program.exit).toBe(3);
  expect(program.output()).toContain('Another run began.');
});
