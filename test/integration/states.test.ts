/** Every state of instances and hosts by its real cause: real agents, real runtimes, real faults. */
import { once } from 'node:events';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import {
  afterAll,
  beforeAll,
  describe,
  expect,
  onTestFinished,
  type TestContext,
  test,
} from 'vitest';
import {
  addHost,
  addInstance,
  addSolution,
  climate,
  endpointsOf,
  greenhouse,
  send,
} from './builders.ts';
import { type Client, createClient } from './client.ts';
import { agentsOf, runtimesOf } from './processes.ts';
import { type Server, startServer } from './server.ts';

let server: Server;
let client: Client;
const startUp = ['STARTING_RUNTIME', 'INITIALIZING', 'STARTING', 'RUNNING'];

beforeAll(async () => {
  server = await startServer({ environment: { HOST_DEPLOYING_DEADLINE_SECONDS: '10' } });
  client = createClient(server);
});
afterAll(() => server?.dispose(), 120_000);

/** An instance that runs on a host of its own, which is removed after the test. */
async function deployed({ onTestFinished }: TestContext, key: string, solution = 'greenhouse') {
  await addInstance(client, key, { solution });
  await client.accept('deployInstance', key);
  const { id } = await client.until(key, 'RUNNING');
  const host = `${key}-host`;
  onTestFinished(() => remove(host));
  const { id: hostId, address } = await client.untilHost(host, 'RUNNING');
  return { id, host, hostId, address };
}

async function remove(host: string): Promise<void> {
  await client.acceptHost('removeHost', host, { force: true });
  await client.untilHost(host, 'OFFLINE');
}

describe('instances', () => {
  test('a solution that does not load: FAILED_TO_INITIALIZE', async () => {
    const definition = { ...greenhouse(), runtime: { minimumVersion: '99.0.0' } };
    await addSolution(client, 'from-the-future', definition);
    await addInstance(client, 'too-old', { solution: 'from-the-future' });
    await client.accept('deployInstance', 'too-old');
    const failed = await client.until('too-old', 'FAILED_TO_INITIALIZE');
    onTestFinished(() => remove('too-old-host'));
    expect(failed.failure?.message).toContain('99.0.0');
    expect(failed).toMatchObject({ takesMessages: false, takesInputCommands: false });
    expect(failed.endpoints ?? []).toEqual([]);
    await client.untilHost('too-old-host', 'RUNNING');
    await client.expectHistory(
      'too-old',
      ...['STARTING_RUNTIME', 'INITIALIZING', 'FAILED_TO_INITIALIZE'],
    );
    await client.lookUntil(
      async () => runtimesOf(server.dataDir, failed.id),
      (left) => expect(left, 'an error state keeps no runtime').toEqual([]),
    );
  });

  test('a taken port: FAILED_TO_START; freed, a restart makes it RUNNING', async () => {
    const definition = greenhouse();
    const port = 19_321;
    const http = { ...definition.listeners.http, port };
    await addSolution(client, 'fixed-port', { ...definition, listeners: { http } });
    await addInstance(client, 'port-taken', { solution: 'fixed-port' });
    await client.acceptHost('deployHost', 'port-taken-host');
    onTestFinished(() => remove('port-taken-host'));
    const { address } = await client.lookUntil(
      () => client.host('port-taken-host'),
      (host) => expect(host.address).not.toBeNull(),
    );
    const squatter = createServer().listen(port, address ?? '');
    await once(squatter, 'listening');
    onTestFinished(() => void squatter.close());
    const failed = await client.until('port-taken', 'FAILED_TO_START');
    expect(failed.failure?.message).toContain(`${address}:${port}`);
    await client.expectHistory(
      'port-taken',
      ...['STARTING_RUNTIME', 'INITIALIZING', 'STARTING', 'FAILED_TO_START'],
    );
    squatter.close();
    await client.untilHost('port-taken-host', 'RUNNING');
    await client.accept('restartInstance', 'port-taken');
    const running = await client.until('port-taken', 'RUNNING');
    expect(running.failure).toBeNull();
  });

  test('kill -9 of its runtime: FATAL_ERROR, and restart is the one way out', async (context) => {
    const { id } = await deployed(context, 'killed');
    for (const pid of runtimesOf(server.dataDir, id)) process.kill(pid, 'SIGKILL');
    const dead = await client.until('killed', 'FATAL_ERROR');
    expect(dead.failure?.message).toContain('SIGKILL');
    expect(dead).toMatchObject({ takesMessages: false, takesInputCommands: false });
    expect(await client.command('stopInstance', 'killed')).toMatchObject({
      code: 'RESTART_REQUIRED',
    });
    await client.accept('restartInstance', 'killed');
    await client.until('killed', 'RUNNING');
    await client.expectHistory('killed', 'RUNNING', 'FATAL_ERROR', ...startUp);
  });

  test('SIGSTOP of its runtime: RUNNING, but UNKNOWN because of the RUNTIME', async (context) => {
    const { id } = await deployed(context, 'frozen');
    const { sequence } = await client.instance('frozen');
    const [pid = 0] = runtimesOf(server.dataDir, id);
    process.kill(pid, 'SIGSTOP');
    const unknown = await client.lookUntil(
      () => client.instance('frozen'),
      (now) => expect(now.reachability).toBe('UNKNOWN'),
    );
    expect(unknown).toMatchObject({
      state: 'RUNNING',
      unreachableBecause: 'RUNTIME',
      takesMessages: null,
      takesInputCommands: null,
      endpoints: null,
      sequence,
    });
    process.kill(pid, 'SIGCONT');
    const back = await client.lookUntil(
      () => client.instance('frozen'),
      (now) => expect(now.reachability).toBe('OK'),
    );
    expect(back).toMatchObject({ state: 'RUNNING', takesMessages: true, sequence });
  });

  test('a forced stop in the middle of a restart never comes back', async (context) => {
    const { id } = await deployed(context, 'forced');
    const restart = await client.accept('restartInstance', 'forced');
    await client.lookUntil(
      () => client.instance('forced'),
      (now) => expect(['STARTING_RUNTIME', 'INITIALIZING', 'STARTING']).toContain(now.state),
    );
    await client.accept('stopInstance', 'forced', { force: true });
    await client.until('forced', 'STOPPED');
    const over = await client.read<{ operation: { status: string } }>(
      'query ($id: ID!) { operation(operation: $id) { status } }',
      { id: restart.operation?.id },
    );
    expect(over.operation.status).toBe('SUPERSEDED');
    const { sequence } = await client.instance('forced');
    // Two health checks later it still is what it was.
    await client.lookUntil(
      () =>
        client.read<{ host: { lastCheckAt: string } }>(
          '{ host(host: "forced-host") { lastCheckAt } }',
        ),
      ({ host }) => expect(Date.now() - Date.parse(host.lastCheckAt)).toBeLessThan(3000),
    );
    expect(await client.instance('forced')).toMatchObject({
      state: 'STOPPED',
      desiredState: 'STOPPED',
      converged: true,
      sequence,
    });
    expect(runtimesOf(server.dataDir, id)).toEqual([]);
  });
});

// Most of the time they wait for a check that fails, or for a deadline.
describe.concurrent('hosts', () => {
  test('kill -9 of its agent: FAILED_HEALTH_CHECK; restartHost brings all back', async (context) => {
    const { id, host, hostId } = await deployed(context, 'orphan');
    const [agent = 0] = agentsOf(server.dataDir, hostId);
    process.kill(agent, 'SIGKILL');
    const failed = await client.untilHost(host, 'FAILED_HEALTH_CHECK');
    expect(failed.failure).not.toBeNull();
    expect(failed.billedSince).not.toBeNull();
    const unknown = await client.instance('orphan');
    expect(unknown).toMatchObject({ reachability: 'UNKNOWN', unreachableBecause: 'HOST' });
    expect(await client.command('pauseInstance', 'orphan')).toMatchObject({
      code: 'HOST_NOT_READY',
      blockedBy: { key: host },
    });
    await client.acceptHost('restartHost', host);
    await client.untilHost(host, 'RUNNING');
    const back = await client.until('orphan', 'RUNNING');
    expect(back.reachability).toBe('OK');
    expect(runtimesOf(server.dataDir, id)).toHaveLength(1);
    expect(agentsOf(server.dataDir, hostId)).toHaveLength(1);
    await client.expectHostHistory(
      host,
      ...['RUNNING', 'FAILED_HEALTH_CHECK', 'RESTARTING_HOST', 'STARTING_CONTAINER', 'RUNNING'],
    );
    await client.expectHistory('orphan', 'OFFLINE', ...startUp);
  });

  test('SIGSTOP of its agent: FAILED_HEALTH_CHECK, and back by itself', async (context) => {
    const { host, hostId } = await deployed(context, 'sleepy');
    const [agent = 0] = agentsOf(server.dataDir, hostId);
    process.kill(agent, 'SIGSTOP');
    await client.untilHost(host, 'FAILED_HEALTH_CHECK');
    process.kill(agent, 'SIGCONT');
    await client.untilHost(host, 'RUNNING');
    await client.expectHostHistory(host, 'RUNNING', 'FAILED_HEALTH_CHECK', 'RUNNING');
    const back = await client.lookUntil(
      () => client.instance('sleepy'),
      (now) => expect(now.reachability).toBe('OK'),
    );
    expect(back.state).toBe('RUNNING');
  });

  test('a paused instance through a restart of its host takes no message', async (context) => {
    const definition = greenhouse();
    const port = 19_322;
    const http = { ...definition.listeners.http, port };
    await addSolution(client, 'known-port', { ...definition, listeners: { http } });
    const { host, address } = await deployed(context, 'paused', 'known-port');
    const { messages } = await endpointsOf(client, 'paused');
    expect(messages).toBe(`http://${address}:${port}/messages`);
    await client.accept('pauseInstance', 'paused');
    await client.until('paused', 'PAUSED');
    let tried = 0;
    const taken: unknown[] = [];
    let over = false;
    const knocking = (async () => {
      while (!over) {
        tried += 1;
        await send(messages ?? '', climate).then(
          (reply) => taken.push(reply),
          (error: Error) => error.message === 'ECONNREFUSED' || taken.push(error.message),
        );
      }
    })();
    await client.acceptHost('restartHost', host);
    await client.untilHost(host, 'RUNNING');
    const back = await client.until('paused', 'PAUSED');
    over = true;
    await knocking;
    expect(taken).toEqual([]);
    expect(tried).toBeGreaterThan(20);
    expect(back).toMatchObject({ takesMessages: false, takesInputCommands: true });
    await client.expectHistory(
      'paused',
      ...['PAUSED', 'OFFLINE', 'STARTING_RUNTIME', 'INITIALIZING', 'STARTING', 'PAUSED'],
    );
    expect(await client.history('paused')).toHaveLength(11);
  });

  test('restartContainer: what was RUNNING or in error comes back, what was STOPPED stays', async (context) => {
    const { id, host } = await deployed(context, 'first');
    await addInstance(client, 'second', { host });
    await client.accept('startInstance', 'second');
    const { id: second } = await client.until('second', 'RUNNING');
    await addInstance(client, 'third', { host });
    await client.accept('startInstance', 'third');
    await client.until('third', 'RUNNING');
    await client.accept('stopInstance', 'third');
    await client.until('third', 'STOPPED');
    for (const pid of runtimesOf(server.dataDir, second)) process.kill(pid, 'SIGKILL');
    await client.until('second', 'FATAL_ERROR');
    await client.acceptHost('restartContainer', host);
    await client.untilHost(host, 'RUNNING');
    await client.until('first', 'RUNNING');
    await client.until('second', 'RUNNING');
    await client.expectHistory('first', 'RUNNING', 'STOPPING', 'STOPPED', ...startUp);
    await client.expectHistory('second', 'FATAL_ERROR', ...startUp);
    await client.expectHistory('third', 'RUNNING', 'STOPPING', 'STOPPED');
    await client.expectHostHistory(host, 'RUNNING', 'RESTARTING_CONTAINER', 'RUNNING');
    expect(runtimesOf(server.dataDir, id)).toHaveLength(1);
  });

  test('a work folder that cannot be made: FAILED_DEPLOYMENT, then removed and deployed', async () => {
    await addHost(client, 'cursed');
    const { id } = await client.host('cursed');
    const [, uuid = ''] = Buffer.from(id, 'base64').toString('utf8').split(':');
    const inTheWay = join(server.dataDir, 'hosts', uuid);
    mkdirSync(join(server.dataDir, 'hosts'), { recursive: true });
    writeFileSync(inTheWay, 'a file where the folder belongs');
    await client.acceptHost('deployHost', 'cursed');
    const failed = await client.untilHost('cursed', 'FAILED_DEPLOYMENT');
    expect(failed).toMatchObject({ failedStage: 'DEPLOYING', billedSince: null });
    expect(failed.failure?.message).toMatch(/ENOTDIR|EEXIST/);
    expect(await client.hostCommand('deployHost', 'cursed')).toMatchObject({
      code: 'REMOVE_REQUIRED',
    });
    rmSync(inTheWay, { force: true, recursive: true });
    await client.acceptHost('removeHost', 'cursed');
    expect(await client.untilHost('cursed', 'OFFLINE')).toMatchObject({ failure: null });
    await client.acceptHost('deployHost', 'cursed');
    await client.untilHost('cursed', 'RUNNING');
    await remove('cursed');
    await client.expectHostHistory(
      'cursed',
      ...['DEPLOYING', 'FAILED_DEPLOYMENT', 'OFFLINE', 'DEPLOYING', 'CONFIGURING_DNS'],
      ...['DEPLOYING_CONTAINER', 'STARTING_CONTAINER', 'RUNNING', 'OFFLINE'],
    );
  });
});
