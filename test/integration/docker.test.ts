/** Instances in containers of a real engine: the whole program, from the provider to the removal. */
import { expect, onTestFinished, test } from 'vitest';
import { hasDocker, startDockerEngine } from '../harness/docker-engine.ts';
import { addInstance, addSolution, endpointsOf, greenhouse, send } from './builders.ts';
import { createClient } from './client.ts';
import { importRuntime } from './docker-images.ts';
import { followLog } from './log-reader.ts';
import { startServer } from './server.ts';

const patience = { timeout: 30_000 };

test.skipIf(!hasDocker)(
  'an instance runs in a container: started, paused, killed, adopted, removed',
  { timeout: 400_000 },
  async () => {
    const engine = await startDockerEngine();
    onTestFinished(() => engine.close(), 60_000);
    await importRuntime(engine, 'team/runtime:2.1');
    const server = await startServer();
    onTestFinished(() => server.dispose(), 120_000);
    const client = createClient(server);
    const containers = () => engine.docker.listContainers();

    await client.mutate('createComputeProvider', {
      ...{ key: 'engine', default: true },
      configuration: { docker: { endpoint: engine.endpoint } },
    });
    await client.mutate('createContainerRepository', {
      ...{ key: 'team-runtime', image: 'team/runtime', tags: ['2.1'] },
    });
    const definition = { ...greenhouse(), listeners: { http: { protocol: 'http', auth: 'NONE' } } };
    await addSolution(client, 'docked', definition);
    const container = {
      ...{ deploymentType: 'ON_PREMISE', workingStorage: 'LOCAL', imageSize: 'SMALL' },
      containerRepository: 'team-runtime',
    };
    await addInstance(client, 'one', { solution: 'docked', configuration: { container } });
    await client.accept('deployInstance', 'one');
    await client.until('one', 'RUNNING', 90);
    const [made, ...others] = await containers();
    expect(others).toEqual([]);
    const inspected = await engine.docker.getContainer(made?.Id ?? '').inspect();
    expect(inspected.HostConfig).toMatchObject({
      ...{ NanoCpus: 500_000_000, Memory: 512 * 1024 ** 2, ReadonlyRootfs: true },
    });

    // Its log stays in its volume, and is read through the socket of the API that is mounted.
    const log = followLog(server, 'one', 1_000);
    await expect.poll(() => log.lines[0]?.text, patience).toMatch(/^Runtime .* of instance/);
    log.close();

    const message = { device: 'd1', type: 'climate', temperature: 21, humidity: 50 };
    const messages = (await endpointsOf(client, 'one')).messages ?? '';
    expect(await send(messages, message)).toMatchObject({ status: 202 });
    await client.accept('pauseInstance', 'one');
    await client.until('one', 'PAUSED');
    await expect(send(messages, message)).rejects.toThrow(/^(ECONN|UND_ERR_SOCKET)/);
    await client.accept('resumeInstance', 'one');
    await client.until('one', 'RUNNING');

    await server.kill9();
    await server.start();
    await client.lookUntil(
      () => send(messages, message),
      ({ status }) => expect(status).toBe(202),
    );
    expect((await containers()).map(({ Id }) => Id)).toEqual([made?.Id]);

    await engine.docker.getContainer(made?.Id ?? '').kill();
    const { failure } = await client.until('one', 'FATAL_ERROR');
    expect(failure).toMatchObject({ code: 'RUNTIME_EXITED' });
    const late = followLog(server, 'one', 10);
    await expect
      .poll(() => late.failed()?.extensions, patience)
      .toMatchObject({
        code: 'RUNTIME_NOT_REACHABLE',
        lastOutput: expect.stringContaining('Runtime'),
      });
    await client.accept('restartInstance', 'one');
    await client.until('one', 'RUNNING', 90);

    await client.acceptHost('removeHost', 'one-host', { force: true });
    await client.untilHost('one-host', 'OFFLINE');
    expect(await engine.docker.listContainers({ all: true })).toEqual([]);
    const networks = await engine.docker.listNetworks();
    expect(networks.map(({ Name }) => Name).sort()).toEqual(['bridge', 'host', 'none']);
  },
);
