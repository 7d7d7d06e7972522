/** The end of a host leaves its runtimes the time that their own end needs. */
import { fileURLToPath } from 'node:url';
import { afterEach, expect, test } from 'vitest';
import type { RuntimeRecord } from '../../src/drivers/process/files.ts';
import { newCall, newRun } from '../drivers/calls.ts';
import { deploy, hostFolder, newSetup, read, setups, tidy } from '../drivers/process-setup.ts';
import { createControlPlane, endpointOf } from './control-plane.ts';
import { ask, beginMessage } from './program.ts';

const runtimeEntry = fileURLToPath(new URL('../../src/runtime/main.ts', import.meta.url));
const definition = {
  listeners: { http: { protocol: 'http', auth: 'NONE' } },
  messages: { note: { fields: { text: { type: 'STRING' } } } },
};

afterEach(async () => {
  for (const setup of setups.splice(0)) await tidy(setup);
});

test('a runtime ends by itself, whatever its devices and the API do', async () => {
  const setup = newSetup({ runtimeEntry });
  const host = await deploy(setup);
  const controlPlane = createControlPlane();
  const { url } = await controlPlane.listen();
  const { run: runId, runKey } = controlPlane;
  const run = newRun({ runId, runKey, endpoint: url });
  await setup.driver.startRuntime(host.handle, run, newCall());
  await controlPlane.command('LOAD_SOLUTION', {
    solution: { key: 'notes', version: '1.0.0', definition },
    settings: {},
    workingStorage: 'CLOUD',
    deviceStorage: 'CLOUD',
  });
  const http = endpointOf(
    await controlPlane.command('START_LISTENING', { intake: 'OPEN' }),
    'http',
  );
  // Neither values nor lines of the log are accepted from now on.
  controlPlane.refusal = { code: 'ILLEGAL_TRANSITION', message: 'Not now.', retryable: true };
  const body = { device: 'bed', text: 'x' };
  expect(await ask(http, { body })).toMatchObject({ status: 202 });
  const stalled = await beginMessage(http, body);
  const dripping = await beginMessage(http, { ...body, padding: ' '.repeat(200) });
  dripping.drip();

  await setup.driver.restartHost(host.request, host.handle, newCall());
  for (const { closed } of [stalled, dripping]) {
    const answer = (await closed).toLowerCase();
    expect(answer).toContain('http/1.1 503');
    expect(answer).toContain('connection: close');
  }
  const record = read<RuntimeRecord>(hostFolder(setup, host), 'runtimes', `${run.instanceId}.json`);
  expect(record.run?.exit).toMatchObject({ exitCode: 0, signal: null });
});
