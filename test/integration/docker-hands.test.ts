/**
 * What someone else does to a container, on an engine whose clock is an hour behind and that tells of one CPU:
 * states and messages of the API, and whose time a history carries.
 */
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { hasDocker, type TestEngine } from '../harness/docker-engine.ts';
import { type DockerWorld, startDockerWorld } from './docker-world.ts';

const hour = 3_600_000;
let rewritten = 0;

/** Rewrites times and the number of CPUs in what an engine answers, each to a text of the same length. */
function rewrite(bytes: Buffer): Buffer {
  const text = bytes
    .toString('latin1')
    .replace(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d/g, (time) =>
      time.startsWith('0001') ? time : earlier(`${time}Z`).toISOString().slice(0, time.length),
    )
    .replace(/^Date: (.*)\r$/gm, (_, time: string) => `Date: ${earlier(time).toUTCString()}\r`)
    .replace(/"NCPU":(\d+)/g, (all) => `"NCPU":${'1'.padStart(all.length - '"NCPU":'.length)}`);
  return Buffer.from(text, 'latin1');
}

function earlier(time: string): Date {
  rewritten += 1;
  return new Date(Date.parse(time) - hour);
}

/** A way to the engine that rewrites its answers. */
async function startWay(engine: TestEngine): Promise<string> {
  const path = join(engine.socket, '../late.sock');
  const server = createServer({ allowHalfOpen: true }, (client) => {
    const way = connect({ path: engine.socket, allowHalfOpen: true });
    const end = () => {
      client.destroy();
      way.destroy();
    };
    client.on('error', end).on('close', end).pipe(way);
    way
      .on('error', end)
      .on('close', end)
      .on('end', () => client.end())
      .on('data', (bytes) => client.write(rewrite(bytes)));
  }).listen(path);
  server.unref();
  await once(server, 'listening');
  return `unix://${path}`;
}

describe.skipIf(!hasDocker)('by the hand of someone else', { timeout: 120_000 }, () => {
  let world: DockerWorld;
  beforeAll(async () => {
    world = await startDockerWorld({}, startWay);
    await world.add('one');
    await world.client.accept('deployInstance', 'one');
    await world.client.until('one', 'RUNNING', 90);
  }, 180_000);
  afterAll(() => world?.close(), 180_000);

  async function container() {
    const [found, ...others] = await world.containersOf('one');
    expect(others).toEqual([]);
    return world.engine.docker.getContainer(found?.Id ?? '');
  }
  async function restart(): Promise<void> {
    await world.client.accept('restartInstance', 'one');
    await world.client.until('one', 'RUNNING', 90);
    expect(await world.containersOf('one')).toHaveLength(1);
  }
  type Docked = Awaited<ReturnType<typeof container>>;

  test.each([
    ['docker kill', { code: 'RUNTIME_EXITED' }, (c: Docked) => c.kill()],
    ['docker stop', { code: 'RUNTIME_EXITED' }, (c: Docked) => c.stop({ t: 10 })],
    [
      'docker rm -f',
      { message: /removed it on the engine; restart the instance/ },
      (c: Docked) => c.remove({ force: true }),
    ],
    ['docker restart', { code: 'RUNTIME_EXITED' }, (c: Docked) => c.restart({ t: 0 })],
  ] as const)('%s: the instance says so, and a restart runs it once', async (_, expected, act) => {
    await act(await container());
    const { failure } = await world.client.until('one', 'FATAL_ERROR', 90);
    if ('code' in expected) expect(failure?.code).toBe(expected.code);
    else expect(failure?.message).toMatch(expected.message);
    await restart();
  });

  test('docker pause: the instance is not reachable until docker unpause', async () => {
    const reachability = async () => (await world.client.instance('one')).reachability;
    const before = await reachability();
    await (await container()).pause();
    await expect.poll(reachability, { timeout: 30_000 }).not.toBe(before);
    await (await container()).unpause();
    await expect.poll(reachability, { timeout: 30_000 }).toBe(before);
    await world.client.until('one', 'RUNNING');
  });

  test('a host larger than the engine: both figures, and what to do', async () => {
    const { client } = world;
    await client.mutate('createHost', { key: 'large', subscription: 'trial', size: 'LARGE' });
    await client.acceptHost('deployHost', 'large');
    const { failure } = await client.untilHost('large', 'FAILED_DEPLOYMENT', 60);
    expect(failure).toMatchObject({
      code: 'PROVIDER_FULL',
      message: expect.stringMatching(/2 CPUs?\b.*\b1 CPU|1 CPU.*\b2 CPU/),
    });
  });

  test('the history carries the times of the database, not those of the engine', async () => {
    const { instance } = await world.client.read<{
      instance: { history: { nodes: { sequence: number; at: string }[] } };
    }>('{ instance(instance: "one") { history(first: 200) { nodes { sequence at } } } }');
    const times = instance.history.nodes.map(({ at }) => Date.parse(at));
    expect(times.length).toBeGreaterThan(20);
    expect(times).toEqual([...times].sort((a, b) => a - b));
    expect(Date.now() - (times[0] ?? 0)).toBeLessThan(hour / 2);
    expect(rewritten).toBeGreaterThan(50);
  });
});
