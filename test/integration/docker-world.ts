/** A server with a Docker engine as its default provider, and instances of images made on that engine. */
import postgres from 'postgres';
import { createMigratedDatabase } from '../harness/database.ts';
import { nodeInImage, startDockerEngine, type TestEngine } from '../harness/docker-engine.ts';
import { addInstance, addSolution, greenhouse } from './builders.ts';
import { type Client, createClient } from './client.ts';
import { importRuntime } from './docker-images.ts';
import { uuidOf } from './paths.ts';
import { type Server, startServer } from './server.ts';

/** No registry is there: an image that the engine does not have cannot be pulled. */
export const image = '127.0.0.1:9/team/runtime';

export interface DockerWorld {
  readonly engine: TestEngine;
  readonly server: Server;
  readonly client: Client;
  /** Makes an image under this tag that runs a program in place of the runtime. */
  program(tag: string, source: string): Promise<void>;
  /** Adds an instance on a host of its own; its listener has a port that is free, unless one is given. */
  add(key: string, wishes?: AddWishes): Promise<void>;
  /** The containers of the instance, whatever their state. */
  containersOf(key: string): Promise<Awaited<ReturnType<TestEngine['docker']['listContainers']>>>;
  /** Lets the deadline of the state that the instance is in pass now. */
  expire(key: string): Promise<void>;
  /** The code of what an attempt to start the instance has met; null: nothing yet. */
  firstCause(key: string): Promise<string | null>;
  /** Lets so much time pass at once for all that is due at some time. */
  passMinutes(minutes: number): Promise<void>;
  close(): Promise<void>;
}

export interface AddWishes {
  /** Of the repository; the runtime itself, unless it is given. */
  readonly tag?: string;
  readonly port?: number;
  /** Another repository than that of the images made on the engine. */
  readonly repository?: string;
}

/**
 * @param environment settings of the server
 * @param wayTo makes the endpoint of the provider of that of the engine
 */
export async function startDockerWorld(
  environment: Readonly<Record<string, string>> = {},
  wayTo: (engine: TestEngine) => Promise<string> = async ({ endpoint }) => endpoint,
): Promise<DockerWorld> {
  const [engine, database] = await Promise.all([startDockerEngine(), createMigratedDatabase()]);
  await importRuntime(engine, `${image}:1`);
  const SECRETS_KEY = Buffer.alloc(32, 7).toString('base64');
  const server = await startServer({
    environment: { DATABASE_URL: database.url, SECRETS_KEY, SAMPLE_DATA: 'on', ...environment },
  });
  const client = createClient(server);
  const sql = postgres(database.url, { max: 1, onnotice: () => {} });
  await client.mutate('createComputeProvider', {
    ...{ key: 'engine', default: true },
    configuration: { docker: { endpoint: await wayTo(engine) } },
  });
  await client.mutate('createContainerRepository', { key: 'team-runtime', image, tags: ['1'] });
  const idOf = async (key: string) => uuidOf((await client.instance(key)).id);
  return {
    ...{ engine, server, client },
    async program(tag, source) {
      await engine.deriveImage(`${image}:${tag}`, `${image}:1`, [nodeInImage, '-e', source]);
      await client.mutate('addContainerTag', { containerRepository: 'team-runtime', tag });
    },
    async add(key, { tag = '1', port = 0, repository = 'team-runtime' } = {}) {
      const listeners = { http: { protocol: 'http', auth: 'NONE', port } };
      await addSolution(client, `of-${key}`, { ...greenhouse(), listeners });
      const container = {
        ...{ deploymentType: 'ON_PREMISE', workingStorage: 'CLOUD', imageSize: 'EXTRA_SMALL' },
        ...{ containerRepository: repository, containerTag: tag },
      };
      await addInstance(client, key, { solution: `of-${key}`, configuration: { container } });
    },
    async containersOf(key) {
      const label = [`instance-manager/instance=${await idOf(key)}`];
      return engine.docker.listContainers({ all: true, filters: { label } });
    },
    async expire(key) {
      await sql`update work set due_at = clock_timestamp() - interval '1 second'
        where kind = 'INSTANCE_DEADLINE' and resource_id = ${await idOf(key)}`;
    },
    async firstCause(key) {
      const [row] = await sql<{ code: string | null }[]>`select first_cause ->> 'code' as code
        from work where kind = 'START_RUNTIME' and resource_id = ${await idOf(key)}`;
      return row?.code ?? null;
    },
    async passMinutes(minutes) {
      await sql`update work set due_at = due_at - make_interval(mins => ${minutes})`;
    },
    async close() {
      try {
        await server.dispose();
      } finally {
        await Promise.all([engine.close(), sql.end()]);
        await database.drop();
      }
    },
  };
}
