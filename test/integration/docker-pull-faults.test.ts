/** Pulls that fail on an engine: a full disk, and a registry whose certificate nobody signed. */
import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { networkInterfaces } from 'node:os';
import { expect, onTestFinished, test } from 'vitest';
import { makeCertificate } from '../harness/certificate.ts';
import { hasDocker, startDockerEngine } from '../harness/docker-engine.ts';
import { hasRegistry, registryUser, startRegistry } from '../harness/registry.ts';
import { addInstance, addSolution, greenhouse } from './builders.ts';
import { createClient } from './client.ts';
import { startServer } from './server.ts';

/** A folder that has room for so much. */
function smallDisk(megabytes: number): string {
  const folder = mkdtempSync('/var/tmp/im-disk-');
  expect(
    spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${megabytes}m`, 'tmpfs', folder]).status,
  ).toBe(0);
  onTestFinished(() => {
    spawnSync('umount', ['-l', folder]);
    rmSync(folder, { recursive: true, force: true });
  });
  return folder;
}

/** Where an engine does not trust a registry without a certificate, which it does on loopback. */
const address = Object.values(networkInterfaces())
  .flat()
  .find((each) => each?.family === 'IPv4' && !each.internal)?.address;

test.skipIf(!hasDocker || !hasRegistry || !address)(
  'a pull onto a full disk, and from a registry whose certificate nobody signed',
  { timeout: 180_000 },
  async () => {
    const disk = smallDisk(24);
    const engine = await startDockerEngine(['--data-root', disk]);
    onTestFinished(() => engine.close(), 60_000);
    const registry = await startRegistry();
    onTestFinished(() => registry.stop());
    await registry.push('team/large', '1', { layer: randomBytes(24 * 1024 ** 2).toString('hex') });
    const pem = makeCertificate(address);
    const unsigned = createServer({ key: pem, cert: pem }, (_, answer) => answer.end());
    await once(unsigned.listen(0, address), 'listening');
    onTestFinished(() => void unsigned.close());
    const server = await startServer({
      environment: { HOST_DEPLOYING_CONTAINER_DEADLINE_SECONDS: '15' },
    });
    onTestFinished(() => server.dispose(), 120_000);
    const client = createClient(server);
    await client.mutate('createComputeProvider', {
      ...{ key: 'engine', default: true },
      configuration: { docker: { endpoint: engine.endpoint } },
    });
    await addSolution(client, 'docked', greenhouse());
    const images = {
      large: `${registry.host}/team/large`,
      unsigned: `${address}:${(unsigned.address() as AddressInfo).port}/team/runtime`,
    };
    for (const [key, image] of Object.entries(images)) {
      const repository = { key, image, tags: ['1'], credentials: registryUser };
      await client.mutate('createContainerRepository', repository);
      const container = {
        ...{ deploymentType: 'ON_PREMISE', workingStorage: 'CLOUD', imageSize: 'EXTRA_SMALL' },
        ...{ containerRepository: key, containerTag: '1' },
      };
      await addInstance(client, key, { solution: 'docked', configuration: { container } });
      await client.accept('deployInstance', key);
    }
    const failed = async (key: string) =>
      (await client.untilHost(`${key}-host`, 'FAILED_DEPLOYMENT', 90)).failure;
    expect(await failed('unsigned')).toMatchObject({
      code: 'REGISTRY_CERTIFICATE',
      message: expect.stringMatching(/unknown authority.*\/etc\/docker\/certs/),
    });
    expect(await failed('large')).toMatchObject({
      message: expect.stringMatching(/disk of the engine is full: .*Make room on it/),
    });
    // Nothing runs, and what the hosts were is released.
    expect(await engine.docker.listContainers({ all: true })).toEqual([]);
    await expect
      .poll(async () => (await engine.docker.listNetworks()).map(({ Name }) => Name).sort(), {
        timeout: 30_000,
      })
      .toEqual(['bridge', 'host', 'none']);
  },
);
