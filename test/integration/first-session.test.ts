/** A newcomer's first session, from the sample data to a removed host, seen by a subscriber. */
import { Resolver } from 'node:dns/promises';
import { connect } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { climate, endpointsOf, send } from './builders.ts';
import { createClient } from './client.ts';
import { processesOf, runtimesOf } from './processes.ts';
import { startServer } from './server.ts';
import { watch } from './watch.ts';

const key = 'greenhouse-1';
const startUp = ['STARTING_RUNTIME', 'INITIALIZING', 'STARTING', 'RUNNING'];

test('deploy, message, pause, resume, stop, kill, restart, remove', {
  timeout: 300_000,
}, async () => {
  const server = await startServer();
  onTestFinished(() => server.dispose());
  const client = createClient(server);
  const watching = watch(server, {
    field: 'instanceTransitions',
    after: await client.feedPosition(),
    variables: { instance: key },
  });

  const deployed = await client.accept('deployInstance', key);
  expect(deployed.operation?.status).toMatch(/QUEUED|RUNNING/);
  const running = await client.until(key, 'RUNNING');
  expect(running).toMatchObject({ takesMessages: true, takesInputCommands: true, failure: null });
  const { messages, commands } = await endpointsOf(client, key);
  if (!messages || !commands) throw new Error(JSON.stringify(running.endpoints));
  expect(await send(messages, climate)).toMatchObject({ status: 202 });
  const refused = await send(messages, { ...climate, temperature: 'hot' });
  expect(refused.status).toBe(400);
  expect(JSON.stringify(refused.body)).toContain('temperature');
  expect(await send(`${commands}climate?bed=bed-1`)).toMatchObject({
    status: 200,
    body: { device: 'bed-1' },
  });

  // Its name and its address are real.
  const host = await client.host(`${key}-host`);
  const resolver = new Resolver({ timeout: 2_000 });
  resolver.setServers([`127.0.0.1:${server.dnsPort}`]);
  expect(await resolver.resolve4(host.dnsName)).toEqual([host.address]);
  for (const { address, port, dnsName } of running.endpoints ?? []) {
    expect({ address, dnsName }).toEqual({ address: host.address, dnsName: host.dnsName });
    await connects(address, port);
  }
  expect(host.billedSince).not.toBeNull();

  await client.accept('pauseInstance', key);
  const paused = await client.until(key, 'PAUSED');
  expect(paused).toMatchObject({ takesMessages: false, takesInputCommands: true });
  await expect(send(messages, climate)).rejects.toThrow('ECONNREFUSED');
  expect(await send(`${commands}status`)).toMatchObject({ status: 200 });
  await client.accept('resumeInstance', key);
  await client.until(key, 'RUNNING');
  expect(await send(messages, climate)).toMatchObject({ status: 202 });

  await client.accept('stopInstance', key);
  await client.until(key, 'STOPPED');
  await expect(send(`${commands}status`)).rejects.toThrow('ECONNREFUSED');
  expect(runtimesOf(server.dataDir, running.id)).toEqual([]);
  await client.accept('startInstance', key);
  await client.until(key, 'RUNNING');

  const [pid = 0] = runtimesOf(server.dataDir, running.id);
  process.kill(pid, 'SIGKILL');
  const dead = await client.until(key, 'FATAL_ERROR');
  expect(dead.failure?.message).toContain('SIGKILL');
  expect(await client.command('startInstance', key)).toMatchObject({ code: 'RESTART_REQUIRED' });
  await client.accept('restartInstance', key);
  await client.until(key, 'RUNNING');
  expect(runtimesOf(server.dataDir, running.id)).toHaveLength(1);

  expect(await client.hostCommand('removeHost', host.key)).toMatchObject({
    code: 'HOST_HAS_LIVE_INSTANCES',
  });
  await client.acceptHost('removeHost', host.key, { force: true });
  const removed = await client.untilHost(host.key, 'OFFLINE');
  expect(removed).toMatchObject({ billedSince: null, address: null });
  expect(await client.instance(key)).toMatchObject({ state: 'OFFLINE', failure: null });
  await expect(resolver.resolve4(host.dnsName)).rejects.toMatchObject({ code: 'ENOTFOUND' });
  expect(processesOf(server.dataDir).filter(({ role }) => role !== 'server')).toEqual([]);

  expect(await client.history(key)).toEqual([
    ...startUp,
    ...['PAUSING', 'PAUSED', 'STARTING', 'RUNNING', 'STOPPING', 'STOPPED'],
    ...startUp,
    'FATAL_ERROR',
    ...startUp,
    ...['STOPPING', 'STOPPED', 'OFFLINE'],
  ]);
  const stored = (await client.log({ instance: [key] })).map(({ row }) => row);
  await expect.poll(() => watching.rows).toEqual(stored);
  expect(watching.faults).toEqual([]);
  expect(watching.connections).toBe(1);
  await client.expectHostHistory(
    host.key,
    ...['DEPLOYING', 'CONFIGURING_DNS', 'DEPLOYING_CONTAINER', 'STARTING_CONTAINER', 'RUNNING'],
    'OFFLINE',
  );
});

async function connects(address: string, port: number): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const socket = connect({ host: address, port }, () => {
      socket.destroy();
      resolve();
    });
    socket.once('error', reject);
  });
}
