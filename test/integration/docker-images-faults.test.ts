/** Images that are not what they should be, and what is taken on an engine: states and messages of the API. */
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { hasDocker } from '../harness/docker-engine.ts';
import { type DockerWorld, startDockerWorld } from './docker-world.ts';
import { uuidOf } from './paths.ts';

/** In the command line of a process that an image leaves behind. */
const leftBehind = 'left-behind-by-an-image-of-tests';

const programs = {
  ends: 'console.error("a broken build"); process.exit(3)',
  foreign: 'console.log("this is another program"); setInterval(() => {}, 1000)',
  stubborn: `process.on('SIGTERM', () => {});
    require('node:child_process').spawn(process.execPath, ['/runtime/main.mjs'], { stdio: 'inherit' });
    setInterval(() => {}, 1000)`,
  forks: `require('node:child_process').spawn(process.execPath,
      ['-e', 'setInterval(() => {}, 1000)', '${leftBehind}'], { detached: true, stdio: 'ignore' })
      .once('spawn', () => process.exit(0))`,
};

const isThere = (text: string): boolean =>
  readdirSync('/proc').some((name) => {
    try {
      return /^\d+$/.test(name) && readFileSync(`/proc/${name}/cmdline`, 'utf8').includes(text);
    } catch {
      return false; // Gone meanwhile.
    }
  });

describe.skipIf(!hasDocker)('images and names on an engine', { timeout: 120_000 }, () => {
  let world: DockerWorld;
  beforeAll(async () => {
    world = await startDockerWorld();
    for (const [tag, source] of Object.entries(programs)) await world.program(tag, source);
  }, 180_000);
  afterAll(() => world?.close(), 180_000);

  const deploy = async (key: string, wishes: Parameters<DockerWorld['add']>[1]) => {
    await world.add(key, wishes);
    await world.client.accept('deployInstance', key);
  };
  const running = async (key: string) =>
    (await world.containersOf(key)).filter(({ State }) => State === 'running');

  test('an image that exits at once: its exit code and its output', async () => {
    await deploy('ends', { tag: 'ends' });
    const { failure } = await world.client.until('ends', 'FAILED_TO_INITIALIZE', 90);
    expect(failure).toMatchObject({
      ...{ code: 'RUNTIME_EXITED', stage: 'STARTING_RUNTIME', exitCode: 3 },
      logTail: expect.stringContaining('a broken build'),
    });
    await world.client.untilHost('ends-host', 'RUNNING');
  });

  test('an image without our runtime never comes online: that, and its output', async () => {
    await deploy('foreign', { tag: 'foreign' });
    await expect.poll(() => running('foreign'), { timeout: 60_000 }).toHaveLength(1);
    await world.client.until('foreign', 'STARTING_RUNTIME');
    const [container] = await running('foreign');
    await expect
      .poll(
        async () =>
          String(
            await world.engine.docker.getContainer(container?.Id ?? '').logs({ stdout: true }),
          ),
        { timeout: 30_000 },
      )
      .toContain('another program');
    await world.expire('foreign');
    const { failure } = await world.client.until('foreign', 'FAILED_TO_INITIALIZE');
    expect(failure).toMatchObject({
      stage: 'STARTING_RUNTIME',
      message: expect.stringMatching(/this is another program/),
      logTail: expect.stringContaining('this is another program'),
    });
    await expect.poll(() => running('foreign'), { timeout: 30_000 }).toEqual([]);
  });

  test('an image that ignores SIGTERM is killed when the deadline of its stop passes', async () => {
    await deploy('stubborn', { tag: 'stubborn' });
    await world.client.until('stubborn', 'RUNNING', 90);
    await world.client.accept('stopInstance', 'stubborn');
    await world.client.until('stubborn', 'STOPPING');
    expect(await running('stubborn')).toHaveLength(1);
    await world.expire('stubborn');
    await world.client.until('stubborn', 'STOPPED');
    expect(await running('stubborn')).toEqual([]);
    await world.client.expectHistory('stubborn', 'RUNNING', 'STOPPING', 'STOPPED');
  });

  test('an image that forks and leaves: what it left ends with it', async () => {
    await deploy('forks', { tag: 'forks' });
    const { failure } = await world.client.until('forks', 'FAILED_TO_INITIALIZE', 90);
    expect(failure).toMatchObject({ code: 'RUNTIME_EXITED', exitCode: 0 });
    expect(isThere(leftBehind)).toBe(false);
  });

  test('a port that is taken on the engine, and a restart once it is free', async () => {
    const taker = createServer().listen(0, '127.0.0.1');
    await once(taker, 'listening');
    onTestFinished(() => void taker.close());
    const { port } = taker.address() as AddressInfo;
    await deploy('port', { port });
    const { failure } = await world.client.until('port', 'FAILED_TO_INITIALIZE', 90);
    expect(failure).toMatchObject({
      code: 'PORT_TAKEN',
      message: expect.stringMatching(new RegExp(`127\\.0\\.0\\.1:${port} .*Free it`)),
    });
    expect(await world.containersOf('port')).toEqual([]);
    await new Promise((resolve) => taker.close(resolve));
    await world.client.accept('restartInstance', 'port');
    await world.client.until('port', 'RUNNING', 90);
  });

  test('the name of a container that is taken: which one, and it is not touched', async () => {
    await world.add('name');
    const name = `im-${uuidOf((await world.client.instance('name')).id)}`;
    const foreign = await world.engine.docker.createContainer({
      ...{ name, Image: '127.0.0.1:9/team/runtime:1' },
    });
    await world.client.accept('deployInstance', 'name');
    const { failure } = await world.client.until('name', 'FAILED_TO_INITIALIZE', 90);
    expect(failure).toMatchObject({
      code: 'NAME_TAKEN',
      message: expect.stringMatching(new RegExp(`${name}.*restart the instance`)),
    });
    expect((await foreign.inspect()).State.Status).toBe('created');
    await foreign.remove();
    await world.client.accept('restartInstance', 'name');
    await world.client.until('name', 'RUNNING', 90);
  });
});
