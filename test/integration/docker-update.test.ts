/** Updates of a runtime on a real engine, with images of a real registry. */
import { expect, onTestFinished, test } from 'vitest';
import { hasDocker, nodeInImage, startDockerEngine } from '../harness/docker-engine.ts';
import { hasRegistry, registryUser, startRegistry } from '../harness/registry.ts';
import { addInstance, addSolution, greenhouse } from './builders.ts';
import { type Client, createClient } from './client.ts';
import { importRuntime, pushImage, runtimeEntrypoint } from './docker-images.ts';
import { startServer } from './server.ts';

/** What the instance runs, and how its last operation ended. */
async function lookAt(client: Client) {
  const data = await client.read<{
    instance: {
      state: string;
      updateAvailable: boolean | null;
      run: { image: string; imageDigest: string | null } | null;
      operations: {
        nodes: { kind: string; status: string; phase: string | null; failure: object | null }[];
      };
    };
  }>(`{ instance(instance: "one") { state updateAvailable run { image imageDigest }
    operations(first: 1) { nodes { kind status phase failure { code message logTail } } } } }`);
  const { operations, ...instance } = data.instance;
  return { ...instance, operation: operations.nodes[0] };
}

test.skipIf(!hasDocker || !hasRegistry)(
  'an instance is updated, one that is paused stays so, and a broken image is taken back',
  { timeout: 400_000 },
  async () => {
    const [engine, registry] = await Promise.all([startDockerEngine(), startRegistry()]);
    onTestFinished(() => engine.close(), 60_000);
    onTestFinished(() => registry.stop());
    const image = `${registry.host}/team/runtime`;
    await importRuntime(engine, `${image}:1`);
    const broken = ['-e', 'console.error("a broken build"); process.exit(3)'];
    await engine.deriveImage(`${image}:bad`, `${image}:1`, [nodeInImage, ...broken]);
    const digests = [
      await pushImage(engine, `${image}:1`),
      await pushImage(engine, `${image}:bad`),
    ];
    const server = await startServer();
    onTestFinished(() => server.dispose(), 120_000);
    const client = createClient(server);
    await client.mutate('createComputeProvider', {
      ...{ key: 'engine', default: true },
      configuration: { docker: { endpoint: engine.endpoint } },
    });
    await client.mutate('createContainerRepository', {
      ...{ key: 'team-runtime', image, tags: ['1', 'none'], credentials: registryUser },
    });
    const syncTags = async () => {
      await client.mutate('syncContainerTags', { containerRepository: 'team-runtime' });
      await client.lookUntil(
        () =>
          client.read<{ containerRepository: { stateName: string } }>(
            '{ containerRepository(containerRepository: "team-runtime") { stateName } }',
          ),
        ({ containerRepository }) => expect(containerRepository.stateName).toBe('READY'),
      );
    };
    await syncTags();
    const definition = { ...greenhouse(), listeners: { http: { protocol: 'http', auth: 'NONE' } } };
    await addSolution(client, 'docked', definition);
    const container = {
      ...{ deploymentType: 'ON_PREMISE', workingStorage: 'CLOUD', imageSize: 'SMALL' },
      ...{ containerRepository: 'team-runtime', containerTag: '1' },
    };
    await addInstance(client, 'one', { solution: 'docked', configuration: { container } });
    await client.accept('deployInstance', 'one');
    await client.until('one', 'RUNNING', 90);
    expect(await lookAt(client)).toMatchObject({
      updateAvailable: false,
      run: { image: `${image}:1`, imageDigest: digests[0] },
    });

    const update = (containerTag: string) =>
      client.mutate('updateRuntime', { instance: 'one', containerTag });
    const settled = async (status: string) => {
      await client.lookUntil(
        () => lookAt(client),
        ({ operation }) => expect(operation).toMatchObject({ kind: 'UPDATE_RUNTIME', status }),
      );
      return lookAt(client);
    };
    expect(await update('2')).toMatchObject({
      __typename: 'InvalidInput',
      issues: [{ message: expect.stringMatching(/no such tag; it has .*\b1\b/) }],
    });

    // The tag moves; its reading tells, a restart does not follow it, and an update of a paused one does.
    await engine.deriveImage(`${image}:1`, `${image}:1`, runtimeEntrypoint);
    const moved = await pushImage(engine, `${image}:1`);
    expect(moved).not.toBe(digests[0]);
    await syncTags();
    expect(await lookAt(client)).toMatchObject({ updateAvailable: true });
    await client.accept('restartInstance', 'one');
    await client.until('one', 'RUNNING', 90);
    expect((await lookAt(client)).run).toMatchObject({ imageDigest: digests[0] });
    await client.accept('pauseInstance', 'one');
    await client.until('one', 'PAUSED');
    expect(await update('1')).toMatchObject({ __typename: 'InstanceCommandAccepted' });
    expect(await settled('SUCCEEDED')).toMatchObject({
      ...{ state: 'PAUSED', updateAvailable: false },
      run: { image: `${image}:1`, imageDigest: moved },
    });

    // What cannot be pulled touches nothing; what does not start is taken back.
    await client.accept('resumeInstance', 'one');
    await client.until('one', 'RUNNING');
    await update('none');
    expect(await settled('FAILED')).toMatchObject({
      ...{ state: 'RUNNING', run: { imageDigest: moved } },
      operation: { failure: { code: 'IMAGE_NOT_FOUND' } },
    });
    await update('bad');
    await client.until('one', 'RUNNING', 90);
    expect(await settled('FAILED')).toMatchObject({
      ...{ state: 'RUNNING', run: { image: `${image}:1`, imageDigest: moved } },
      operation: {
        failure: {
          code: 'RUNTIME_EXITED',
          message: expect.stringMatching(/exit code 3 .* image of before is started again/),
          logTail: expect.stringContaining('a broken build'),
        },
      },
    });
    expect((await engine.docker.listContainers({ all: true })).length).toBe(1);
  },
);
