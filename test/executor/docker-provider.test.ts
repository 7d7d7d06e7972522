/** A host on a Docker engine that was registered as a provider: from its first check to its removal. */
import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { labels } from '../../src/drivers/docker/names.ts';
import { openDriver, openedKinds } from '../../src/drivers/open/open.ts';
import { startExecutor } from '../../src/executor/executor.ts';
import { defaultImage } from '../../src/lifecycle/compute.ts';
import { hastenCheck } from '../../src/store/command/provider-check.ts';
import type { StoredProviderStatus } from '../../src/store/table/schema.ts';
import { raiseFence } from '../../src/store/work/fences.ts';
import {
  hasDocker,
  makeRootfs,
  nodeInImage,
  programInImage,
  startDockerEngine,
} from '../harness/docker-engine.ts';
import { eventually } from '../harness/eventually.ts';
import { createFleet } from './fleet.ts';

const standIn = fileURLToPath(new URL('../drivers/fixtures/runtime.ts', import.meta.url));

test.skipIf(!hasDocker)('an engine is a provider of hosts', { timeout: 180_000 }, async () => {
  const engine = await startDockerEngine();
  const fleet = await createFleet('POSTGRES');
  const folder = mkdtempSync(join(tmpdir(), 'im-image-'));
  const { store } = fleet;
  const installationId = randomUUID();
  const executor = await startExecutor(store, {
    drivers: [fleet.driver],
    opener: {
      kinds: openedKinds,
      open: (provider) =>
        openDriver(provider, {
          installationId,
          fences: { raise: (subject, token) => raiseFence(store, subject, token) },
          apiSocket: null,
        }),
    },
    dns: {
      kind: 'TEST',
      publish: async ({ name, address }) => void fleet.records.set(name, address),
      withdraw: async (name) => void fleet.records.delete(name),
      resolve: async (name) => [
        { server: 'test', addresses: [fleet.records.get(name) ?? []].flat() },
      ],
    },
    endpoint: () => 'ws://127.0.0.1:1/graphql',
    name: 'test',
    heartbeatSeconds: 1,
    settleSeconds: 0,
    log: { warn: () => undefined, error: (details) => console.error(details) },
  });
  const providerId = randomUUID();
  const status = async () => {
    await hastenCheck(store, providerId);
    const [row] = await store.database.query<{ status: StoredProviderStatus | null }>(
      'select status from compute_providers where id = $1::uuid',
      [providerId],
    );
    return row?.status;
  };
  try {
    await makeRootfs(join(folder, 'rootfs'), { standIn, runtime: 'runtime' });
    const entrypoint = [nodeInImage, programInImage('standIn')];
    const name = `${defaultImage.image}:${defaultImage.tag}`;
    await engine.importImage(name, join(folder, 'rootfs'), entrypoint);
    const { endpoint } = engine;
    const configuration = { endpoint, tls: null, insecure: false, publishAddress: '127.0.0.1' };
    await store.database.query(
      `insert into compute_providers (id, organization_id, key, name, kind, configuration)
       select $1::uuid, id, 'engine', 'engine', 'DOCKER', $2::text::jsonb
         from organizations where key = 'test'`,
      [providerId, JSON.stringify(configuration)],
    );
    await fleet.host('host');
    await store.database.query(`update hosts set provider_id = $1::uuid, driver = 'DOCKER'`, [
      providerId,
    ]);
    await eventually(async () =>
      expect(await status()).toMatchObject({
        ...{ reachable: true, version: expect.stringMatching(/^\d+\./) },
        ...{ platform: expect.stringMatching(/^linux\//), failure: null },
        capacity: { cpus: expect.any(Number), memoryBytes: expect.any(Number) },
      }),
    );
    await fleet.hostCommand('DEPLOY', 'host');
    await fleet.until('host', 'RUNNING', 60);
    const networks = async () =>
      (await engine.docker.listNetworks()).filter(({ Labels }) =>
        Object.values(Labels ?? {}).includes(installationId),
      );
    expect(await networks()).toHaveLength(1);

    // What nobody knows any more is removed; what another installation has made is left alone.
    for (const [name, owner] of [
      ['forgotten', installationId],
      ['of-others', randomUUID()],
    ] as const) {
      const Labels = { [labels.installation]: owner, [labels.host]: randomUUID() };
      await engine.docker.createNetwork({ Name: name, Labels });
    }
    await store.database.query('update compute_providers set sweep_due_at = clock_timestamp()');
    await hastenCheck(store, providerId);
    await eventually(async () => {
      const names = (await engine.docker.listNetworks()).map(({ Name }) => Name);
      expect(names).not.toContain('forgotten');
      expect(names).toContain('of-others');
    });
    await engine.docker.getNetwork('of-others').remove();
    expect(await networks()).toHaveLength(1);

    await engine.stop();
    await fleet.until('host', 'FAILED_HEALTH_CHECK', 60);
    await eventually(
      async () =>
        expect(await status()).toMatchObject({
          ...{ reachable: false, version: expect.any(String) },
          failure: { code: 'ENGINE_UNREACHABLE', message: expect.stringContaining(endpoint) },
        }),
      30,
    );
    await engine.start();
    await eventually(async () => expect((await status())?.reachable).toBe(true), 30);
    await fleet.until('host', 'RUNNING', 60);
    await fleet.hostCommand('REMOVE', 'host');
    await fleet.until('host', 'OFFLINE', 60);
    expect(await networks()).toEqual([]);
  } finally {
    await executor.stop();
    await engine.close();
    await fleet.close();
    rmSync(folder, { recursive: true, force: true });
  }
});
