/** What may go wrong on an engine, by someone else's hand or by itself: each is told as it is. */
import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { DockerDriver } from '../../src/drivers/docker/driver.ts';
import { volumeName } from '../../src/drivers/docker/names.ts';
import type { AllocatedHost, RuntimeRequest } from '../../src/drivers/driver.ts';
import { hasDocker, nodeInImage } from '../harness/docker-engine.ts';
import { eventually, until } from '../harness/eventually.ts';
import { image, newCall, newHost, newRun } from './calls.ts';
import { eventuallyRuntime } from './contract.ts';
import { createFences } from './docker-fences.ts';
import { type DockerSetup, startDockerSetup } from './docker-setup.ts';

/** An address of the API beyond this machine, whose query tells the stand-in what to do. */
const told = (query: string) => ({ endpoint: `ws://10.255.255.1:9/graphql?${query}` });

describe.skipIf(!hasDocker)('Docker against faults', () => {
  let setup: DockerSetup;
  let driver: DockerDriver;
  beforeAll(async () => {
    setup = await startDockerSetup();
    driver = setup.open();
  });
  afterAll(async () => {
    await driver?.close();
    await setup?.close();
  });
  const hosts: AllocatedHost[] = [];
  afterEach(async () => {
    // The engine may still make what a killed server has asked for.
    for (const { handle } of hosts.splice(0))
      await eventually(() => driver.releaseHost(String(handle.hostId), handle, newCall()));
    expect(await setup.engine.docker.listContainers({ all: true })).toEqual([]);
  });

  async function deploy(): Promise<AllocatedHost> {
    const host = await driver.allocateHost(newHost(), newCall());
    hosts.push(host);
    await driver.deployContainer(host.handle, image, newCall());
    return host;
  }

  async function started(overrides: Partial<RuntimeRequest> = {}) {
    const host = await deploy();
    const run = newRun(overrides);
    await driver.startRuntime(host.handle, run, newCall());
    return { host, run, container: await containerOf(run) };
  }

  async function containerOf({ instanceId }: RuntimeRequest) {
    const [found] = await setup.engine.docker.listContainers({
      all: true,
      filters: { label: [`instance-manager/instance=${instanceId}`] },
    });
    if (!found) throw new Error(`${instanceId} has no container`);
    return setup.engine.docker.getContainer(found.Id);
  }

  /** It has read its key, so its handlers are set. */
  const isUp = (host: AllocatedHost, run: RuntimeRequest) =>
    eventually(async () => {
      const seen = await driver.inspectRuntime(host.handle, run, newCall());
      expect('logTail' in seen && seen.logTail).toContain('last line');
    });

  test('an image that exits at once: its code, and its last lines', async () => {
    const { host, run } = await started(told('exit=7'));
    const exit = await eventuallyRuntime(driver, [host, run], 'exited');
    expect(exit).toMatchObject({ exitCode: 7, signal: null });
    expect(exit.logTail).toBe('first line\nlast line \\u0007 \\u001b[31mred');
  });

  test('a volume that a crash of the engine has left without labels is made anew', async () => {
    const { docker } = setup.engine;
    const host = await deploy();
    const [lost, kept] = [newRun(), newRun()];
    for (const { instanceId } of [lost, kept])
      await docker.createVolume({ Name: volumeName(instanceId) });
    // What has data is no leftover of a crash, and is left alone.
    const { Mountpoint } = await docker.getVolume(volumeName(kept.instanceId)).inspect();
    writeFileSync(join(Mountpoint, 'value'), 'of somebody');
    for (const run of [lost, kept]) await driver.startRuntime(host.handle, run, newCall());
    await driver.releaseHost(String(host.handle.hostId), host.handle, newCall());
    const { Volumes } = await docker.listVolumes();
    expect(Volumes.map(({ Name }) => Name)).toEqual([volumeName(kept.instanceId)]);
    expect(readFileSync(join(Mountpoint, 'value'), 'utf8')).toBe('of somebody');
    await docker.getVolume(volumeName(kept.instanceId)).remove();
  });

  test('a runtime without memory: the engine says so', async () => {
    const memoryBytes = 128 * 1024 ** 2;
    const { host, run } = await started({ ...told('oom'), resources: { cpus: 1, memoryBytes } });
    const exit = await eventuallyRuntime(driver, [host, run], 'exited');
    expect(exit).toMatchObject({ exitCode: 137, signal: 'SIGKILL', cause: 'OUT_OF_MEMORY' });
  });

  test('a runtime that ignores SIGTERM: it is killed, which is no lack of memory', async () => {
    const { host, run } = await started(told('stubborn'));
    await isUp(host, run);
    await driver.stopRuntime(host.handle, run, newCall());
    await eventuallyRuntime(driver, [host, run], 'running');
    await driver.killRuntime(host.handle, run, newCall());
    const exit = await eventuallyRuntime(driver, [host, run], 'exited');
    expect(exit).toMatchObject({ exitCode: 137, signal: 'SIGKILL' });
    expect(exit).not.toHaveProperty('cause');
  });

  test('a runtime that forks and leaves: nothing of it stays', async () => {
    const { host, run, container } = await started(told('fork'));
    const exit = await eventuallyRuntime(driver, [host, run], 'exited');
    expect(exit).toMatchObject({ exitCode: 0, signal: null });
    expect((await container.inspect()).State.Pid).toBe(0);
  });

  test.each([
    ['docker kill', { signal: 'SIGKILL' }, (c: Docked) => c.kill()],
    ['docker stop', { exitCode: 0, signal: null }, (c: Docked) => c.stop({ t: 5 })],
    [
      'docker rm -f',
      { exitCode: null, cause: 'REMOVED' },
      (c: Docked) => c.remove({ force: true }),
    ],
  ] as const)('%s by someone else ends the run', async (_, expected, act) => {
    const { host, run, container } = await started();
    await isUp(host, run);
    await act(container);
    expect(await eventuallyRuntime(driver, [host, run], 'exited')).toMatchObject(expected);
    const next = { ...run, runId: randomUUID() };
    await driver.startRuntime(host.handle, next, newCall());
    await eventuallyRuntime(driver, [host, next], 'running');
    expect(await setup.countRuntimes(run.instanceId)).toBe(1);
  });

  test('docker restart by someone else: it runs without its key, until it gives up', async () => {
    const { host, run, container } = await started();
    await isUp(host, run);
    await container.restart({ t: 5 });
    await eventuallyRuntime(driver, [host, run], 'running');
    await driver.killRuntime(host.handle, run, newCall());
    await eventuallyRuntime(driver, [host, run], 'exited');
  });

  test('docker pause and docker rename by someone else: it is still there, and ends', async () => {
    const { host, run, container } = await started();
    await isUp(host, run);
    await container.rename({ name: 'renamed-by-someone' });
    await container.pause();
    await eventuallyRuntime(driver, [host, run], 'running');
    await driver.stopRuntime(host.handle, run, newCall());
    await eventuallyRuntime(driver, [host, run], 'exited');
    const next = { ...run, runId: randomUUID() };
    await driver.startRuntime(host.handle, next, newCall());
    await (await containerOf(next)).pause();
    await driver.killRuntime(host.handle, next, newCall());
    await eventuallyRuntime(driver, [host, next], 'exited');
  });

  test('an image that was removed beneath a stopped container', async () => {
    await setup.engine.deriveImage('other:1', 'runtime:latest', [nodeInImage, '/standIn/main.mjs']);
    const other = { repository: 'other', image: 'other', tag: '1' };
    const { host, run } = await started({ image: other });
    await driver.killRuntime(host.handle, run, newCall());
    await setup.engine.docker.getImage('other:1').remove({ force: true });
    expect((await driver.inspectRuntime(host.handle, run, newCall())).state).toBe('exited');
    const next = { ...run, runId: randomUUID() };
    await expect(driver.startRuntime(host.handle, next, newCall())).rejects.toMatchObject({
      code: expect.stringMatching(/^(REGISTRY_|IMAGE_NOT_FOUND)/),
      message: expect.stringContaining('other:1'),
    });
  });

  test('an image without our runtime: it cannot be started, and leaves nothing behind', async () => {
    await setup.engine.deriveImage('empty:1', 'runtime:latest', ['/no/such/program']);
    const host = await deploy();
    const run = newRun({ image: { repository: 'empty', image: 'empty', tag: '1' } });
    await expect(driver.startRuntime(host.handle, run, newCall())).rejects.toMatchObject({
      ...{ code: 'IMAGE_UNUSABLE', retryable: false },
      message: expect.stringMatching(/empty:1.*no such file.*npm run image/s),
    });
    await expect(containerOf(run)).rejects.toThrow();
  });

  test('a port that is taken: which one, and nothing is left in the way', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as { port: number };
    const host = await deploy();
    const run = newRun({ ports: [{ listener: 'http', port }] });
    await expect(driver.startRuntime(host.handle, run, newCall())).rejects.toMatchObject({
      ...{ code: 'PORT_TAKEN', retryable: false },
      message: expect.stringContaining(`127.0.0.1:${port}`),
    });
    await expect(containerOf(run)).rejects.toThrow();
    await new Promise((resolve) => server.close(resolve));
    const { published } = await driver.startRuntime(host.handle, run, newCall());
    expect(published).toEqual({ http: { address: '127.0.0.1', port } });
  });

  test('a port that the engine chose and something else has: it chooses another one', async () => {
    const ports = [{ listener: 'climate', port: 0 }];
    const host = await deploy();
    const startNext = async () => {
      const { published } = await driver.startRuntime(host.handle, newRun({ ports }), newCall());
      return published.climate?.port ?? 0;
    };
    const first = await startNext();
    // The engine counts upwards, and tries ten.
    const taken = Array.from({ length: 12 }, (_, at) => first + 1 + at);
    const servers = taken.map((port) => createServer().listen(port, '127.0.0.1'));
    try {
      await Promise.all(servers.map((server) => once(server, 'listening')));
      expect(taken).not.toContain(await startNext());
    } finally {
      for (const server of servers) server.close();
    }
  });

  test('a publishAddress that the engine does not have', async () => {
    const configuration = { endpoint: setup.engine.endpoint, tls: null, insecure: false };
    const other = setup.open({ configuration: { ...configuration, publishAddress: '192.0.2.1' } });
    const host = await deploy();
    const run = newRun({ ports: [{ listener: 'http', port: 0 }] });
    await expect(other.startRuntime(host.handle, run, newCall())).rejects.toMatchObject({
      code: 'PUBLISH_ADDRESS',
      message: expect.stringContaining('192.0.2.1'),
    });
    await other.close();
  });

  test('names that are taken by someone else', async () => {
    const { docker } = setup.engine;
    const host = await deploy();
    const run = newRun();
    const name = `im-${run.instanceId}`;
    const foreign = await docker.createContainer({ name, Image: 'runtime:latest' });
    const taken = { code: 'NAME_TAKEN', retryable: false, message: expect.stringContaining(name) };
    await expect(driver.startRuntime(host.handle, run, newCall())).rejects.toMatchObject(taken);
    expect((await foreign.inspect()).State.Status).toBe('created');
    await foreign.remove();
    const request = newHost();
    const network = await docker.createNetwork({ Name: `im-${request.hostId}` });
    await expect(driver.allocateHost(request, newCall())).rejects.toMatchObject({
      code: 'NAME_TAKEN',
    });
    await network.remove();
  });

  test('a container of someone else in the network of a host is named, and not touched', async () => {
    const { docker } = setup.engine;
    const host = await deploy();
    const hostId = String(host.handle.hostId);
    const foreign = await docker.createContainer({
      ...{ name: 'neighbour', Image: 'runtime:latest', Cmd: [] },
      HostConfig: { NetworkMode: `im-${hostId}` },
      OpenStdin: true,
    });
    await foreign.start();
    await expect(driver.releaseHost(hostId, host.handle, newCall())).rejects.toMatchObject({
      ...{ code: 'NETWORK_IN_USE', retryable: true },
      message: expect.stringContaining('neighbour'),
    });
    expect((await foreign.inspect()).State.Running).toBe(true);
    await foreign.remove({ force: true });
  });

  test('a size larger than the engine: both figures', async () => {
    const resources = { cpus: 512, memoryBytes: 8 * 1024 ** 4 };
    const request = { ...newHost(), size: 'EXTRA_LARGE', resources } as const;
    await expect(driver.allocateHost(request, newCall())).rejects.toMatchObject({
      ...{ code: 'PROVIDER_FULL', retryable: false },
      message: expect.stringMatching(/512 CPUs and 8192.0 GiB; the whole engine has \d+ CPUs/),
    });
    const host = await deploy();
    const run = newRun({ resources });
    await expect(driver.startRuntime(host.handle, run, newCall())).rejects.toMatchObject({
      ...{ code: 'ENGINE_TOO_SMALL', retryable: false },
    });
  });

  test('a way to the API that is none', async () => {
    const host = await deploy();
    const far = setup.open({ apiSocket: null });
    await expect(far.startRuntime(host.handle, newRun(), newCall())).rejects.toMatchObject({
      ...{ code: 'NO_WAY_TO_API', retryable: false },
      message: expect.stringContaining('PUBLIC_URL'),
    });
    const gone = setup.open({ apiSocket: { folder: '/nowhere/at/all', name: 'api.sock' } });
    await expect(gone.startRuntime(host.handle, newRun(), newCall())).rejects.toMatchObject({
      code: 'NO_WAY_TO_API',
    });
    await Promise.all([far.close(), gone.close()]);
  });

  test('two installations on one engine never touch each other', async () => {
    const other = setup.open({ installationId: randomUUID(), fences: createFences() });
    const { host, run } = await started();
    expect(await other.listHoldings(newCall())).toEqual([]);
    expect((await other.inspectRuntime(host.handle, run, newCall())).state).toBe('exited');
    await other.killRuntime(host.handle, run, newCall());
    await other.releaseHost(String(host.handle.hostId), host.handle, newCall());
    await eventuallyRuntime(driver, [host, run], 'running');
    await other.close();
  });

  test('a start that a later call overtakes between its steps starts nothing', async () => {
    const host = await deploy();
    const run = newRun();
    const fences = createFences();
    const [late, later] = [newCall(), newCall()];
    let raised = 0;
    const overtaken = setup.open({
      fences: {
        async raise(subject, token) {
          raised += 1;
          // The second time, the container is made and not started.
          if (raised === 2) await fences.raise(subject, later.fencingToken);
          return fences.raise(subject, token);
        },
      },
    });
    await expect(overtaken.startRuntime(host.handle, run, late)).rejects.toMatchObject({
      code: 'FENCED',
    });
    expect(raised).toBe(2);
    await expect(containerOf(run)).rejects.toThrow();
    await overtaken.close();
  });

  test('a server that is killed at any moment: its run is adopted, once, with its key', async () => {
    const program = fileURLToPath(new URL('./fixtures/docker-server.ts', import.meta.url));
    const { endpoint } = setup.engine;
    for (let round = 0; round < 4; round += 1) {
      const [request, run] = [newHost(), newRun()];
      const { installationId } = setup;
      const argument = JSON.stringify({ endpoint, installationId, request, run });
      const server = spawn(process.execPath, ['--import', 'tsx', program, argument], {
        detached: true,
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      await once(server.stdout, 'data');
      await delay(Math.random() * 900); // the random moment
      process.kill(-(server.pid ?? 0), 'SIGKILL');
      await once(server, 'exit');
      const host = await driver.allocateHost(request, newCall());
      hosts.push(host);
      await driver.startRuntime(host.handle, run, newCall());
      await isUp(host, run);
      expect(await setup.countRuntimes(run.instanceId)).toBe(1);
    }
  });

  test('a socket without permission', async () => {
    const groups = process.getgroups?.() ?? [];
    // Another path, because connections to the first one are open.
    const link = join(tmpdir(), `${randomUUID()}.sock`);
    symlinkSync(setup.engine.socket, link);
    const configuration = { endpoint: `unix://${link}`, tls: null, insecure: false };
    const asked = setup.open({ configuration: { ...configuration, publishAddress: '127.0.0.1' } });
    process.setgroups?.([]);
    process.setegid?.(65_534);
    process.seteuid?.(65_534);
    try {
      await expect(asked.inspectEngine(newCall())).rejects.toMatchObject({
        ...{ code: 'ENGINE_PERMISSION', retryable: false },
        message: expect.stringContaining('usually docker'),
      });
    } finally {
      process.seteuid?.(0);
      process.setegid?.(0);
      process.setgroups?.(groups);
    }
    rmSync(link);
    await asked.close();
  });

  test('an engine that is gone, and comes back', async () => {
    const { host, run } = await started();
    await isUp(host, run);
    await setup.engine.stop('SIGKILL');
    const unreachable = { code: 'ENGINE_UNREACHABLE', retryable: true };
    await expect(driver.inspectEngine(newCall())).rejects.toMatchObject(unreachable);
    await expect(driver.stopRuntime(host.handle, run, newCall())).rejects.toMatchObject(
      unreachable,
    );
    const check = await driver.checkHost(host.handle, run.endpoint, newCall());
    expect(check).toMatchObject({ answers: false, reason: expect.stringContaining('No Docker') });
    const seen = await driver.inspectRuntime(host.handle, run, newCall());
    expect(seen).toMatchObject({ state: 'unknown', reason: expect.stringContaining('No Docker') });
    await setup.engine.start();
    expect(await driver.checkHost(host.handle, run.endpoint, newCall())).toEqual({ answers: true });
    await eventuallyRuntime(driver, [host, run], 'exited');
    const next = { ...run, runId: randomUUID() };
    await driver.startRuntime(host.handle, next, newCall());
    await until('one runs', async () => (await setup.countRuntimes(run.instanceId)) === 1);
  });
});

type Docked = ReturnType<DockerSetup['engine']['docker']['getContainer']>;
