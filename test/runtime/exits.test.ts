/** How the runtime program ends, each with its exit code. */
import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { createControlPlane } from './control-plane.ts';
import { startProgram } from './program.ts';

test('0: a signal ends it', async () => {
  const controlPlane = createControlPlane();
  const { url } = await controlPlane.listen();
  const program = await startProgram(controlPlane, { RUNTIME_ENDPOINT: url });
  await controlPlane.until(() => controlPlane.reports.length > 0);
  program.child.kill('SIGTERM');
  expect(await program.exit).toBe(0);
});

test('0: a signal ends it while there is no API', async () => {
  const controlPlane = createControlPlane();
  const program = await startProgram(controlPlane, {
    RUNTIME_ENDPOINT: 'ws://127.0.0.1:9/graphql',
  });
  await new Promise<void>((resolve) => {
    program.child.stdout?.on('data', () => {
      if (program.output().includes('No connection to the API')) resolve();
    });
  });
  program.child.kill('SIGTERM');
  expect(await program.exit).toBe(0);
});

test('1: what it cannot recover from is reported as FAULT', async () => {
  const controlPlane = createControlPlane();
  const { url } = await controlPlane.listen();
  const broken = 'process.on("SIGUSR2", () => { throw new TypeError("broken inside"); });';
  const imports = [`data:text/javascript,${encodeURIComponent(broken)}`];
  const program = await startProgram(controlPlane, { RUNTIME_ENDPOINT: url }, { imports });
  await controlPlane.until(() => controlPlane.reports.length > 0);
  program.child.kill('SIGUSR2');
  await controlPlane.until(() => controlPlane.reports.some(({ report }) => report === 'FAULT'));
  const fault = controlPlane.reports.find(({ report }) => report === 'FAULT');
  expect(fault).toMatchObject({ message: 'TypeError: broken inside' });
  expect(await program.exit).toBe(1);
});

test('2: it names what is wrong with its environment', async () => {
  const env = { RUNTIME_ENDPOINT: 'http://x', RUNTIME_ADDRESS: 'here', RUNTIME_RUN: '' };
  const program = await startProgram(createControlPlane(), env);
  expect(await program.exit).toBe(2);
  for (const name of Object.keys(env)) expect(program.output()).toContain(name);
});

test('2: the key comes by stdin alone', async () => {
  const controlPlane = createControlPlane();
  const { url } = await controlPlane.listen();
  const env = {
    RUNTIME_ENDPOINT: url,
    RUNTIME_KEY: controlPlane.runKey,
    RUNTIME_RUN_KEY: controlPlane.runKey,
  };
  const without = await startProgram(controlPlane, env, { stdin: 'secret-but-no-json\n' });
  expect(await without.exit).toBe(2);
  expect(without.output()).toContain('{"runKey":"…"}');
  expect(without.output()).not.toContain('secret-but-no-json');

  const program = await startProgram(controlPlane, { RUNTIME_ENDPOINT: url });
  await controlPlane.until(() => controlPlane.reports.length > 0);
  const { pid } = program.child;
  if (process.platform === 'linux') {
    const seen = await Promise.all(
      ['environ', 'cmdline'].map((file) => readFile(`/proc/${pid}/${file}`, 'utf8')),
    );
    expect(seen.join()).not.toContain(controlPlane.runKey);
  }
});

test('3: the API does not know its key', async () => {
  const controlPlane = createControlPlane();
  const { url } = await controlPlane.listen();
  const stdin = '{"runKey":"of-another-run"}\n';
  const program = await startProgram(controlPlane, { RUNTIME_ENDPOINT: url }, { stdin });
  expect(await program.exit).toBe(3);
  expect(program.output()).toContain('4403');
});

test('3: the API calls its reports stale', async () => {
  const controlPlane = createControlPlane();
  const { url } = await controlPlane.listen();
  const program = await startProgram(controlPlane, { RUNTIME_ENDPOINT: url });
  await controlPlane.until(() => controlPlane.reports.length > 0);
  controlPlane.refusal = { code: 'STALE_REPORT', message: 'Another run began.', retryable: false };
  expect(await program.exit).toBe(3);
  expect(program.output()).toContain('Another run began.');
});
