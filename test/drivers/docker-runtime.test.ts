/** Our runtime in a container, from the image that `npm run image` makes, on a real engine. */
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import greenhouse from '../../schema/greenhouse.json' with { type: 'json' };
import { hasDocker, makeRootfs } from '../harness/docker-engine.ts';
import { createControlPlane } from '../runtime/control-plane.ts';
import { newCall, newHost, newRun } from './calls.ts';
import { eventuallyRuntime } from './contract.ts';
import { type DockerSetup, startDockerSetup } from './docker-setup.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const image = { repository: 'runtime', image: 'instance-manager/runtime', tag: '1.0' };
const ports = [
  { listener: 'http', port: 0 },
  { listener: 'input-commands', port: 0 },
];
const payload = {
  solution: { key: 'greenhouse', version: '1.0', definition: greenhouse },
  settings: {},
  secretSettings: [],
  workingStorage: 'CLOUD',
  deviceStorage: 'CLOUD',
};

describe.skipIf(!hasDocker)('our runtime on Docker', () => {
  let setup: DockerSetup;
  let folder: string;
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'im-api-'));
    chmodSync(folder, 0o755);
    setup = await startDockerSetup();
    await makeRootfs(join(folder, 'rootfs'));
    await setup.engine.importImage('base:1', join(folder, 'rootfs'), []);
    const env = { ...process.env, DOCKER_HOST: setup.engine.endpoint, DOCKER_BUILDKIT: '0' };
    const script = join(root, 'src/drivers/docker/make-image.ts');
    const args = ['--import', 'tsx', script, '--base', 'base:1'];
    execFileSync(process.execPath, args, { cwd: root, env, stdio: 'pipe' });
  });
  afterAll(async () => {
    await setup?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  test('reaches the API over the mounted socket, publishes its ports, and keeps its key', async () => {
    const controlPlane = createControlPlane();
    const api = await controlPlane.listen(undefined, join(folder, 'api.sock'));
    chmodSync(join(folder, 'api.sock'), 0o666);
    const driver = setup.open({ apiSocket: { folder, name: 'api.sock' } });
    const request = newHost();
    const host = await driver.allocateHost(request, newCall());
    await driver.deployContainer(host.handle, image, newCall());
    const { run: runId, runKey } = controlPlane;
    const run = newRun({ runId, runKey, image, ports, hostNames: ['greenhouse.test'] });
    const { published } = await driver.startRuntime(host.handle, run, newCall());

    await controlPlane.until(() => controlPlane.reports.some(({ report }) => report === 'ONLINE'));
    expect(await controlPlane.command('LOAD_SOLUTION', payload)).toMatchObject({ outcome: 'DONE' });
    const { endpoints = [] } = await controlPlane.command('START_LISTENING', { intake: 'OPEN' });
    expect(
      Object.fromEntries(endpoints.map(({ name, address, port }) => [name, { address, port }])),
    ).toEqual(published);
    const climate = endpoints.find(({ name }) => name === 'http');
    const { address = '', port = 0, path = '' } = climate ?? {};
    const body = { device: 'sensor-1', temperature: 21.5, humidity: 40 };
    const place = { address, port, path };
    expect(await post(place, body, `${address}:${port}`)).toBe(202);
    expect(await post(place, body, `greenhouse.test:${port}`)).toBe(202);
    expect(await post(place, body, `127.0.0.1:20000`)).toBe(421);
    await controlPlane.until(() => controlPlane.values.some(({ device }) => device === 'sensor-1'));

    const [container] = await setup.engine.docker.listContainers();
    const inspected = await setup.engine.docker.getContainer(container?.Id ?? '').inspect();
    expect(inspected.HostConfig).toMatchObject({
      ...{ ReadonlyRootfs: true, CapDrop: ['ALL'], SecurityOpt: ['no-new-privileges:true'] },
      ...{ Memory: 512 * 1024 ** 2, MemorySwap: 512 * 1024 ** 2, NanoCpus: 5e8, PidsLimit: 256 },
      RestartPolicy: { Name: 'no' },
      LogConfig: { Type: 'json-file', Config: { 'max-size': '1m', 'max-file': '2' } },
      Privileged: false,
    });
    expect(inspected.Config.User).toBe('10001:10001');
    const processFolder = `/proc/${inspected.State.Pid}`;
    expect(readFileSync(`${processFolder}/status`, 'utf8')).toMatch(/^CapEff:\s+0+$/m);
    expect(readFileSync(`${processFolder}/status`, 'utf8')).toMatch(/^NoNewPrivs:\s+1$/m);
    const readable = [
      JSON.stringify(inspected),
      readFileSync(`${processFolder}/environ`, 'utf8'),
      readFileSync(`${processFolder}/cmdline`, 'utf8'),
      String(await setup.engine.docker.getContainer(inspected.Id).logs({ stdout: true })),
    ];
    for (const text of readable) expect(text).not.toContain(runKey);

    await driver.stopRuntime(host.handle, run, newCall());
    const exit = await eventuallyRuntime(driver, [host, run], 'exited');
    expect(exit).toMatchObject({ exitCode: 0, signal: null });
    expect(exit.logTail).toContain('Told to stop by a signal.');
    await driver.releaseHost(request.hostId, host.handle, newCall());
    expect(await setup.engine.docker.listContainers({ all: true })).toEqual([]);
    const volumes = await setup.engine.docker.listVolumes();
    expect(volumes.Volumes ?? []).toEqual([]);
    await api.close();
    await driver.close();
    expect(readdirSync(folder)).not.toContain('api.sock');
  });
});

function post(
  { address, port, path }: { address: string; port: number; path: string },
  body: object,
  host: string,
): Promise<number> {
  const headers = { host, 'content-type': 'application/json' };
  return new Promise((resolve, reject) => {
    const asked = request({ host: address, port, path, method: 'POST', headers }, (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    });
    asked.once('error', reject);
    asked.end(JSON.stringify(body));
  });
}
