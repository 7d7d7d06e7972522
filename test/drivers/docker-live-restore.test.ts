/** An engine with live-restore: its containers outlive it. */
import { randomUUID } from 'node:crypto';
import { expect, test } from 'vitest';
import { hasDocker } from '../harness/docker-engine.ts';
import { until } from '../harness/eventually.ts';
import { image, newCall, newHost, newRun } from './calls.ts';
import { eventuallyRuntime } from './contract.ts';
import { startDockerSetup } from './docker-setup.ts';

test.skipIf(!hasDocker)(
  'a runtime outlives the engine; one that ends meanwhile is told as ended',
  { timeout: 180_000 },
  async () => {
    const setup = await startDockerSetup(['--live-restore']);
    const driver = setup.open();
    try {
      const host = await driver.allocateHost(newHost(), newCall());
      await driver.deployContainer(host.handle, image, newCall());
      const [lives, ends] = [newRun(), newRun()];
      for (const run of [lives, ends]) {
        await driver.startRuntime(host.handle, run, newCall());
        await eventuallyRuntime(driver, [host, run], 'running');
      }
      const [found] = await setup.engine.docker.listContainers({
        filters: { label: [`instance-manager/instance=${ends.instanceId}`] },
      });
      const { State } = await setup.engine.docker.getContainer(String(found?.Id)).inspect();
      await setup.engine.stop('SIGKILL');
      process.kill(State.Pid, 'SIGKILL');
      const gone = await driver.inspectRuntime(host.handle, lives, newCall());
      expect(gone).toMatchObject({ state: 'unknown' });
      await setup.engine.start();

      await eventuallyRuntime(driver, [host, ends], 'exited');
      await eventuallyRuntime(driver, [host, lives], 'running');
      await driver.startRuntime(host.handle, lives, newCall()); // As an adopting server does.
      expect(await setup.countRuntimes(lives.instanceId)).toBe(1);
      const next = { ...ends, runId: randomUUID() };
      await driver.startRuntime(host.handle, next, newCall());
      await until('one runs', async () => (await setup.countRuntimes(ends.instanceId)) === 1);
      await driver.releaseHost(String(host.handle.hostId), host.handle, newCall());
      expect(await setup.engine.docker.listContainers({ all: true })).toEqual([]);
    } finally {
      await driver.close();
      await setup.close();
    }
  },
);
