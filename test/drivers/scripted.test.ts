import { expect, it } from 'vitest';
import { newCall, newHost, newRun } from './calls.ts';
import { describeDriver } from './contract.ts';
import { createScriptedDriver } from './scripted.ts';

describeDriver('scripted', async () => {
  const driver = createScriptedDriver();
  return {
    driver,
    hasAddressPerHost: true,
    reopen: async () => driver.script.reopen(),
    exitRuntime: async ({ instanceId }, exitCode) =>
      driver.script.exitRuntime(instanceId, { exitCode }),
    countRuntimes: async (instanceId) =>
      driver.script.runtimes.get(instanceId)?.observation.state === 'running' ? 1 : 0,
    close: () => driver.close(),
  };
});

it('fails as often as it is told, then works', async () => {
  const driver = createScriptedDriver();
  driver.script.fail('allocateHost', undefined, 1);
  const request = newHost();
  const first = driver.allocateHost(request, newCall());
  await expect(first).rejects.toMatchObject({ code: 'SCRIPTED', retryable: true });
  await driver.allocateHost(request, newCall());
  expect(driver.script.calls.map((call) => call.verb)).toEqual(['allocateHost', 'allocateHost']);
});

it('hangs until the call is over', async () => {
  const driver = createScriptedDriver();
  const host = await driver.allocateHost(newHost(), newCall());
  driver.script.hang('startRuntime');
  const giveUp = new AbortController();
  const start = driver.startRuntime(host.handle, newRun(), newCall({ signal: giveUp.signal }));
  const ended = expect(start).rejects.toMatchObject({ code: 'HOST_SILENT' });
  giveUp.abort();
  await ended;
  expect(driver.script.runtimes.size).toBe(0);
  driver.script.heal('startRuntime');
  await driver.startRuntime(host.handle, newRun(), newCall());
});

it('reports a silent host as unknown and lets a test play the runtime', async () => {
  const driver = createScriptedDriver();
  const host = await driver.allocateHost(newHost(), newCall());
  const run = newRun();
  const started: string[] = [];
  driver.script.onStarted((runtime) => started.push(runtime.request.runId));
  driver.script.obeyStops(false);
  await driver.startRuntime(host.handle, run, newCall());
  await driver.stopRuntime(host.handle, run, newCall());
  expect(started).toEqual([run.runId]);
  expect(driver.script.runtimes.get(run.instanceId)).toMatchObject({
    observation: { state: 'running' },
    stopRequests: 1,
  });
  driver.script.setHostAnswers(String(host.handle.hostId), false);
  const check = await driver.checkHost(host.handle, run.endpoint, newCall());
  expect(check.answers).toBe(false);
  const seen = await driver.inspectRuntime(host.handle, run, newCall());
  expect(seen.state).toBe('unknown');
});
