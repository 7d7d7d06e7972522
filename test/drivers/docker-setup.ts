/** Tests of the Docker driver: an engine with images, drivers of one installation on it. */
import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { DockerDriver, type DockerDriverOptions } from '../../src/drivers/docker/driver.ts';
import { labels } from '../../src/drivers/docker/names.ts';
import {
  makeRootfs,
  nodeInImage,
  programInImage,
  startDockerEngine,
  type TestEngine,
} from '../harness/docker-engine.ts';
import { image } from './calls.ts';
import { createFences } from './docker-fences.ts';

const standIn = fileURLToPath(new URL('./fixtures/runtime.ts', import.meta.url));

export interface DockerSetup {
  readonly engine: TestEngine;
  readonly installationId: string;
  /** A driver of the installation, as each server has one. */
  open(options?: Partial<DockerDriverOptions>): DockerDriver;
  /** Runs a program in the container of the instance. */
  run(instanceId: string, source: string): Promise<void>;
  countRuntimes(instanceId: string): Promise<number>;
  close(): Promise<void>;
}

/** An engine with the image `runtime:latest`, which is the stand-in of the contract. */
export async function startDockerSetup(flags: readonly string[] = []): Promise<DockerSetup> {
  const engine = await startDockerEngine(flags);
  const folder = mkdtempSync(join(tmpdir(), 'im-image-'));
  await makeRootfs(join(folder, 'rootfs'), { standIn, runtime: 'runtime' });
  const entrypoint = [nodeInImage, programInImage('standIn')];
  await engine.importImage(`${image.image}:${image.tag}`, join(folder, 'rootfs'), entrypoint);
  rmSync(folder, { recursive: true, force: true });
  const fences = createFences();
  const installationId = randomUUID();
  const configuration = {
    ...{ endpoint: engine.endpoint, tls: null, insecure: false, publishAddress: '127.0.0.1' },
  };
  const containersOf = (instanceId: string) =>
    engine.docker.listContainers({ filters: { label: [`${labels.instance}=${instanceId}`] } });
  return {
    ...{ engine, installationId },
    open: (options) =>
      new DockerDriver({
        ...{ configuration, installationId, fences },
        apiSocket: { folder: tmpdir(), name: 'api.sock' },
        ...options,
      }),
    async run(instanceId, source) {
      const [found] = await containersOf(instanceId);
      if (!found) throw new Error(`no container of ${instanceId} runs`);
      const exec = await engine.docker
        .getContainer(found.Id)
        .exec({ Cmd: [nodeInImage, '-e', source], AttachStdout: true, AttachStderr: true });
      const stream = await exec.start({});
      stream.resume();
      await new Promise((resolve) => stream.once('close', resolve));
    },
    countRuntimes: async (instanceId) => (await containersOf(instanceId)).length,
    close: () => engine.close(),
  };
}
