/** An engine that is killed in the middle of a pull, a start and a stop, or is away for long, and comes back. */
import { once } from 'node:events';
import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { hasDocker } from '../harness/docker-engine.ts';
import {
  hasRegistry,
  registryUser,
  startRegistry,
  type TestRegistry,
} from '../harness/registry.ts';
import { pushImage, runtimeEntrypoint } from './docker-images.ts';
import { type DockerWorld, image, startDockerWorld } from './docker-world.ts';

/** A way to a registry on which layers wait until it is opened. */
async function startGate(registry: TestRegistry) {
  let open: () => void = () => undefined;
  let opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  let waiting = 0;
  const server = createServer(async (asked, answer) => {
    if (asked.url?.includes('/blobs/')) {
      waiting += 1;
      await opened;
    }
    const [host, port] = registry.host.split(':');
    const { url: path, method, headers } = asked;
    const passed = request({ host, port, path, method, headers } as object, (got) => {
      answer.writeHead(got.statusCode ?? 500, got.headers);
      got.pipe(answer);
    });
    passed.on('error', () => answer.destroy());
    answer.on('error', () => passed.destroy());
    passed.end();
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    host: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    waiting: () => waiting,
    open,
    close() {
      opened = Promise.resolve();
      server.closeAllConnections();
      server.close();
    },
  };
}

describe.skipIf(!hasDocker || !hasRegistry)(
  'an engine that is killed',
  { timeout: 120_000 },
  () => {
    let world: DockerWorld;
    beforeAll(async () => {
      // Checks of hosts come when a test lets the time pass.
      world = await startDockerWorld({ HEALTH_CHECK_SECONDS: '600' });
      await world.program('waits', 'setInterval(() => {}, 1000)');
      await world.program(
        'stubborn',
        `process.on('SIGTERM', () => {});
      require('node:child_process').spawn(process.execPath, ['/runtime/main.mjs'], { stdio: 'inherit' });
      setInterval(() => {}, 1000)`,
      );
    }, 180_000);
    afterAll(() => world?.close(), 180_000);

    const running = async (key: string) =>
      (await world.containersOf(key)).filter(({ State }) => State === 'running').length;
    const deployed = async (key: string, tag: string, state: string) => {
      await world.add(key, { tag });
      await world.client.accept('deployInstance', key);
      await world.client.until(key, state, 90);
    };

    test('in a pull: the engine is back, and the pull is begun anew and ends', async () => {
      const { engine, client } = world;
      const registry = await startRegistry();
      onTestFinished(() => registry.stop());
      const gate = await startGate(registry);
      onTestFinished(() => gate.close());
      const pushed = `${registry.host}/team/slow`;
      // Another image than the one that is there: something of it has to come from the registry.
      await engine.deriveImage(`${pushed}:1`, `${image}:1`, runtimeEntrypoint);
      await pushImage(engine, `${pushed}:1`);
      await engine.docker.getImage(`${pushed}:1`).remove();
      await client.mutate('createContainerRepository', {
        ...{ key: 'slow', image: `${gate.host}/team/slow`, tags: ['1'], credentials: registryUser },
      });
      await world.add('pulled', { repository: 'slow' });
      await client.accept('deployInstance', 'pulled');
      await expect.poll(gate.waiting, { timeout: 60_000 }).toBeGreaterThan(0);
      await client.untilHost('pulled-host', 'DEPLOYING_CONTAINER');
      await engine.stop('SIGKILL');
      gate.open();
      await engine.start();
      await client.until('pulled', 'RUNNING', 90);
      expect(await running('pulled')).toBe(1);
      await client.expectHostHistory(
        'pulled-host',
        ...['DEPLOYING', 'CONFIGURING_DNS', 'DEPLOYING_CONTAINER', 'STARTING_CONTAINER', 'RUNNING'],
      );
    });

    test('in a start: it has not come up, and is started once when asked again', async () => {
      const { engine, client } = world;
      await deployed('waits', 'waits', 'STARTING_RUNTIME');
      await expect.poll(() => running('waits'), { timeout: 30_000 }).toBe(1);
      await engine.stop('SIGKILL');
      await engine.start();
      const { failure } = await client.until('waits', 'FAILED_TO_INITIALIZE', 60);
      expect(failure).toMatchObject({ code: 'RUNTIME_EXITED', stage: 'STARTING_RUNTIME' });
      // Its host may have been seen without an engine.
      await world.passMinutes(10);
      await client.untilHost('waits-host', 'RUNNING', 60);
      await client.accept('restartInstance', 'waits');
      await expect.poll(() => running('waits'), { timeout: 30_000 }).toBe(1);
      expect(await world.containersOf('waits')).toHaveLength(1);
    });

    test('before a start, until its deadline: the failure says that no engine answers', async () => {
      const { engine, client } = world;
      await deployed('start', '1', 'RUNNING');
      await client.accept('stopInstance', 'start');
      await client.until('start', 'STOPPED');
      await engine.stop('SIGKILL');
      await client.accept('startInstance', 'start');
      await expect
        .poll(() => world.firstCause('start'), { timeout: 30_000 })
        .toBe('ENGINE_UNREACHABLE');
      await world.expire('start');
      const { failure } = await client.until('start', 'FAILED_TO_INITIALIZE');
      expect(failure?.message).toMatch(/No Docker engine answers at .* Look whether it runs/);
      await engine.start();
      await client.accept('restartInstance', 'start');
      await client.until('start', 'RUNNING', 90);
      expect(await world.containersOf('start')).toHaveLength(1);
    });

    test('in a stop, and back before its deadline: it is stopped', async () => {
      const { engine, client } = world;
      await deployed('stop', 'stubborn', 'RUNNING');
      await client.accept('stopInstance', 'stop');
      await client.until('stop', 'STOPPING');
      await engine.stop('SIGKILL');
      await engine.start();
      await client.until('stop', 'STOPPED', 60);
      expect(await running('stop')).toBe(0);
      await client.expectHistory('stop', 'RUNNING', 'STOPPING', 'STOPPED');
    });

    test('in a stop, until its deadline: nobody says that it is gone before it is', async () => {
      const { engine, client } = world;
      await client.accept('startInstance', 'stop');
      await client.until('stop', 'RUNNING', 90);
      await client.accept('stopInstance', 'stop');
      await client.until('stop', 'STOPPING');
      await engine.stop('SIGKILL');
      await world.expire('stop');
      const { failure } = await client.until('stop', 'FATAL_ERROR', 60);
      expect(failure?.message).toMatch(/could not be confirmed .*No Docker engine answers/);
      await engine.start();
      await client.accept('restartInstance', 'stop');
      await client.until('stop', 'RUNNING', 90);
      expect(await running('stop')).toBe(1);
      expect(await world.containersOf('stop')).toHaveLength(1);
    });

    test('for ten minutes: its host and its instance say so, and both come back', async () => {
      const { engine, client } = world;
      await deployed('away', '1', 'RUNNING');
      await engine.stop('SIGKILL');
      await world.passMinutes(10);
      const { failure } = await client.untilHost('away-host', 'FAILED_HEALTH_CHECK', 60);
      expect(failure?.message).toMatch(/No Docker engine answers/);
      await engine.start();
      await world.passMinutes(10);
      await client.untilHost('away-host', 'RUNNING', 60);
      expect((await client.until('away', 'FATAL_ERROR', 60)).failure).toMatchObject({
        code: 'RUNTIME_EXITED',
      });
      await client.accept('restartInstance', 'away');
      await client.until('away', 'RUNNING', 90);
      expect(await world.containersOf('away')).toHaveLength(1);
    });
  },
);
