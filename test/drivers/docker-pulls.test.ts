/** Images that an engine pulls from a registry with a user: Debian's docker-registry. */
import { once } from 'node:events';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { Readable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import type { DockerDriver } from '../../src/drivers/docker/driver.ts';
import { labels } from '../../src/drivers/docker/names.ts';
import { PullProgress } from '../../src/drivers/docker/pull-progress.ts';
import type { AllocatedHost, ContainerImage } from '../../src/drivers/driver.ts';
import { makeCertificate } from '../harness/certificate.ts';
import { hasDocker } from '../harness/docker-engine.ts';
import {
  hasRegistry,
  type ImageContent,
  imageParts,
  imageType,
  registryUser,
  startRegistry,
  type TestRegistry,
} from '../harness/registry.ts';
import { newCall, newHost, newRun } from './calls.ts';
import { eventuallyRuntime } from './contract.ts';
import { type DockerSetup, startDockerSetup } from './docker-setup.ts';

describe.skipIf(!hasDocker || !hasRegistry)('pulls', () => {
  let setup: DockerSetup;
  let registry: TestRegistry;
  let driver: DockerDriver;
  let host: AllocatedHost;
  let image: ContainerImage;
  let digest: string;
  beforeAll(async () => {
    [setup, registry] = await Promise.all([startDockerSetup(), startRegistry()]);
    driver = setup.open();
    host = await driver.allocateHost(newHost(), newCall());
    const name = `${registry.host}/team/runtime`;
    image = { repository: 'runtime', image: name, tag: '1', credentials: registryUser };
    digest = await push(name);
  });
  afterAll(async () => {
    await driver?.close();
    await registry?.stop();
    await setup?.close();
  });

  /** Pushes the stand-in, and removes it from the engine. */
  async function push(name: string): Promise<string> {
    const { docker } = setup.engine;
    await docker.getImage('runtime:latest').tag({ repo: name, tag: '1' });
    const authconfig = { ...registryUser, serveraddress: registry.host };
    const stream = (await docker.getImage(`${name}:1`).push({ authconfig, tag: '1' })) as Readable;
    let text = '';
    for await (const chunk of stream) text += String(chunk);
    expect(text).not.toContain('"error"');
    await removeAll();
    return /"Digest":"(sha256:[0-9a-f]{64})"/.exec(text)?.[1] ?? text;
  }

  /** Pushes an image that is there for one platform alone. */
  async function pushList(path: string, digest: string, content: ImageContent): Promise<void> {
    const listType = 'application/vnd.docker.distribution.manifest.list.v2+json';
    const { length: size } = imageParts(content).manifest;
    const platform = { os: 'linux', architecture: content.architecture };
    const manifests = [{ mediaType: imageType, digest, size, platform }];
    const answer = await fetch(`http://${registry.host}/v2/${path}/manifests/1`, {
      method: 'PUT',
      headers: {
        authorization: `Basic ${btoa(Object.values(registryUser).join(':'))}`,
        'content-type': listType,
      },
      body: JSON.stringify({ schemaVersion: 2, mediaType: listType, manifests }),
    });
    expect(answer.status).toBe(201);
  }

  async function removeAll(): Promise<void> {
    for (const { Id } of await setup.engine.docker.listImages())
      await setup.engine.docker.getImage(Id).remove({ force: true });
  }

  const deploy = (wanted: Partial<ContainerImage>, call = newCall()) =>
    driver.deployContainer(host.handle, { ...image, ...wanted }, call);

  test('ten hosts that want one image pull it once; all hear of its progress', async () => {
    const events = (await setup.engine.docker.getEvents({
      filters: { event: ['pull'] },
    })) as Readable;
    let pulled = '';
    events.on('data', (chunk) => {
      pulled += String(chunk);
    });
    const requests = Array.from({ length: 10 }, newHost);
    const hosts = await Promise.all(requests.map((each) => driver.allocateHost(each, newCall())));
    const told = hosts.map((): { fraction: number; text: string }[] => []);
    const answers = await Promise.all(
      hosts.map(({ handle }, index) =>
        driver.deployContainer(handle, image, {
          ...newCall(),
          onProgress: (fraction, text) => told[index]?.push({ fraction, text }),
        }),
      ),
    );
    expect(new Set(answers.map(({ imageDigest }) => imageDigest))).toEqual(new Set([digest]));
    await expect.poll(() => pulled.match(/"Action":"pull"/g)?.length).toBe(1);
    (events as unknown as { destroy(): void }).destroy();
    for (const each of told) {
      expect(each.at(-1)).toMatchObject({ fraction: 1 });
      expect(each.at(-1)?.text).toMatch(/^Pulling: (\d+) of \1 layers/);
      const fractions = each.map(({ fraction }) => fraction);
      expect(fractions).toEqual([...fractions].sort((a, b) => a - b));
    }
    await Promise.all(requests.map(({ hostId }) => driver.releaseHost(hostId, null, newCall())));
  });

  test('a digest is put in place and run, whatever the tag means', async () => {
    await removeAll();
    const pinned = { ...image, tag: 'gone', digest };
    expect(await deploy(pinned)).toEqual({ imageDigest: digest });
    const run = newRun({ image: pinned });
    expect(await driver.startRuntime(host.handle, run, newCall())).toMatchObject({
      imageDigest: digest,
    });
    await eventuallyRuntime(driver, [host, run], 'running');
    await driver.removeRuntime(host.handle, run, newCall());
  });

  test('one that waits for a pull may leave, the others get it', async () => {
    await removeAll();
    const leaving = new AbortController();
    const left = deploy({}, newCall({ signal: leaving.signal }));
    const stays = deploy({});
    leaving.abort();
    await expect(left).rejects.toMatchObject({ code: 'ABORTED', retryable: true });
    expect(await stays).toEqual({ imageDigest: digest });
  });

  test('what a registry refuses: each with its own remedy', async () => {
    await removeAll();
    const refused = (code: string, message: RegExp, retryable = false) => ({
      ...{ code, retryable },
      message: expect.stringMatching(message),
    });
    const named = image.image.replaceAll('.', '\\.');
    await expect(deploy({ tag: 'none' })).rejects.toMatchObject(
      refused('IMAGE_NOT_FOUND', new RegExp(`has no ${named}:none.*name a tag that is there`)),
    );
    const credentials = { username: 'fleet', password: 'wrong' };
    await expect(deploy({ credentials })).rejects.toMatchObject(
      refused('REGISTRY_DENIED', /credentials of the container repository/),
    );
    const content = { architecture: 'arm64' };
    await pushList('team/arm', await registry.push('team/arm', 'arm64', content), content);
    await expect(deploy({ image: `${registry.host}/team/arm` })).rejects.toMatchObject(
      refused('IMAGE_PLATFORM', /Push it for that platform/),
    );
    await registry.push('team/broken', '1');
    await expect(deploy({ image: `${registry.host}/team/broken` })).rejects.toMatchObject(
      refused('IMAGE_BROKEN', /Push it anew/),
    );
    await expect(deploy({ image: '127.0.0.1:9/team/runtime' })).rejects.toMatchObject(
      refused('REGISTRY_UNREACHABLE', /from 127\.0\.0\.1:9: .*refused.*registry runs/, true),
    );
  });

  test('a registry whose certificate nobody has signed', async () => {
    // An engine trusts every registry on loopback; this address is the machine's in a host's network.
    const [network] = await setup.engine.docker.listNetworks({
      filters: { label: [`${labels.installation}=${setup.installationId}`] },
    });
    const address = String(network?.IPAM?.Config?.[0]?.Gateway);
    const pem = makeCertificate(address);
    const server = createServer({ key: pem, cert: pem }, (_, response) => response.end());
    await once(server.listen(0, address), 'listening');
    onTestFinished(() => {
      server.close();
    });
    const host = `${address}:${(server.address() as AddressInfo).port}`;
    await expect(deploy({ image: `${host}/team/runtime` })).rejects.toMatchObject({
      code: 'REGISTRY_CERTIFICATE',
      message: expect.stringMatching(/unknown authority.*\/etc\/docker\/certs/),
    });
  });
});

test('the fraction of a pull never falls, and is whole when all layers are there', () => {
  const progress = new PullProgress();
  const step = (id: string, status: string, current = 0, total = 0) =>
    progress.take({ id, status, progressDetail: { current, total } })?.fraction;
  expect(step('1.0', 'Pulling from team/runtime')).toBeUndefined();
  expect(step('a', 'Pulling fs layer')).toBe(0);
  expect(step('a', 'Downloading', 50, 100)).toBeCloseTo(0.4);
  expect(step('b', 'Already exists')).toBeCloseTo(0.7);
  expect(step('c', 'Pulling fs layer')).toBeCloseTo(0.7);
  expect(step('a', 'Download complete')).toBeCloseTo(0.7);
  expect(step('a', 'Pull complete')).toBeCloseTo(0.7);
  expect(step('c', 'Pull complete')).toBe(1);
});
