/**
 * Where secrets must not be found: an instance with a secret setting is deployed on a real engine from a
 * registry with a password, a second provider has a client key, and everything that either side keeps or
 * prints is searched, in clear, in base64 and in hexadecimal.
 */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import postgres from 'postgres';
import { expect, onTestFinished, test } from 'vitest';
import { makeCertificate } from '../harness/certificate.ts';
import { createMigratedDatabase } from '../harness/database.ts';
import { hasDocker, startDockerEngine, type TestEngine } from '../harness/docker-engine.ts';
import { hasRegistry, registryUser, startRegistry } from '../harness/registry.ts';
import { addInstance, addSolution, endpointsOf, greenhouse } from './builders.ts';
import { createClient } from './client.ts';
import { importRuntime, pushImage } from './docker-images.ts';
import { startServer } from './server.ts';

const listenerKey = 'the-key-of-the-listener';
/** Of a session or a run. The code of the printed link is for one sign-in. */
const anyKey = /im[sr]_[A-Za-z0-9_-]{43}/;

/** All that the engine tells of what it has, its own log, and what containers printed. */
async function engineTells({ docker, socket }: TestEngine): Promise<[string, string][]> {
  const containers = (await docker.listContainers({ all: true })).map(({ Id }) =>
    docker.getContainer(Id),
  );
  const images = (await docker.listImages()).map(({ Id }) => docker.getImage(Id));
  const networks = (await docker.listNetworks()).map(({ Id }) => docker.getNetwork(Id));
  expect(containers.length).toBe(1);
  const inspected = [...containers, ...images, ...networks].map((each) => each.inspect());
  const logs = containers.map((each) => each.logs({ stdout: true, stderr: true }));
  const engineLog = readFileSync(join(dirname(socket), 'log'), 'utf8');
  expect(engineLog).toContain('level=debug');
  return [
    ['docker inspect', JSON.stringify(await Promise.all(inspected))],
    ['docker logs', String(Buffer.concat(await Promise.all(logs)))],
    ['the log of the engine', engineLog],
  ];
}

/** Command lines and environments of all processes, this one and its parents without: they made the secrets. */
function processesTell(apart: ReadonlySet<number>): [string, string][] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && !apart.has(Number(name)))
    .flatMap((name) =>
      ['cmdline', 'environ'].map((file): [string, string] => {
        try {
          return [`/proc/${name}/${file}`, readFileSync(`/proc/${name}/${file}`, 'utf8')];
        } catch {
          return ['', '']; // Gone meanwhile.
        }
      }),
    );
}

/** Every row of every table, as text. */
async function databaseTells(url: string): Promise<[string, string][]> {
  const sql = postgres(url, { max: 1, onnotice: () => {} });
  const tables = await sql<{ name: string }[]>`
    select format('%I.%I', schemaname, tablename) as name from pg_tables
     where schemaname not in ('pg_catalog', 'information_schema')`;
  const all: [string, string][] = [];
  for (const { name } of tables) {
    const rows = await sql.unsafe(`select t::text as row from ${name} t`);
    all.push([name, rows.map(({ row }) => row).join('\n')]);
  }
  await sql.end();
  expect(all.some(([name, rows]) => name.endsWith('compute_providers') && rows)).toBe(true);
  return all;
}

/** Every file of a folder. Not the key that secrets are sealed with, which is no secret of a user. */
function filesTell(folder: string): [string, string][] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .map((name) => join(folder, name))
    .filter((path) => statSync(path).isFile())
    .map((path) => [path, readFileSync(path, 'latin1')]);
}

/** The forms in which a text is written down. */
const formsOf = (secret: string): string[] => [
  secret,
  Buffer.from(secret).toString('base64').replace(/=+$/, ''),
  Buffer.from(secret).toString('hex'),
];

test.skipIf(!hasDocker || !hasRegistry)(
  'no secret is in docker inspect, a log, /proc, a file or the database',
  { timeout: 400_000 },
  async () => {
    const engine = await startDockerEngine(['--debug']);
    onTestFinished(() => engine.close(), 60_000);
    const registry = await startRegistry();
    onTestFinished(() => registry.stop());
    const image = `${registry.host}/team/runtime`;
    await importRuntime(engine, `${image}:1`);
    await pushImage(engine, `${image}:1`);
    await engine.docker.getImage(`${image}:1`).remove({ force: true });
    const database = await createMigratedDatabase();
    onTestFinished(() => database.drop());
    const server = await startServer({
      environment: {
        DATABASE_URL: database.url,
        SAMPLE_DATA: 'on',
        SECRETS_KEY: Buffer.alloc(32, 7).toString('base64'),
        LOG_LEVEL: 'debug',
      },
    });
    onTestFinished(() => server.dispose(), 120_000);
    const client = createClient(server);

    const clientKey =
      makeCertificate().match(/-----BEGIN PRIVATE KEY-----[\s\S]+?KEY-----/)?.[0] ?? '';
    const certificate =
      makeCertificate().match(/-----BEGIN CERT[\s\S]+?CERTIFICATE-----/)?.[0] ?? '';
    await client.mutate('createComputeProvider', {
      ...{ key: 'engine', default: true },
      configuration: { docker: { endpoint: engine.endpoint } },
    });
    await client.mutate('createContainerRepository', {
      ...{ key: 'team-runtime', image, tags: ['1'], credentials: registryUser },
    });
    const base = greenhouse() as ReturnType<typeof greenhouse> & { settings?: object };
    const definition = {
      ...base,
      settings: { ...base.settings, listenerKey: { type: 'STRING', secret: true } },
      listeners: { http: { protocol: 'http' } },
    };
    await addSolution(client, 'docked', definition);
    const container = {
      ...{ deploymentType: 'ON_PREMISE', workingStorage: 'LOCAL', imageSize: 'SMALL' },
      containerRepository: 'team-runtime',
    };
    const wishes = { solution: 'docked', configuration: { container }, settings: { listenerKey } };
    await addInstance(client, 'one', wishes);
    await client.accept('deployInstance', 'one');
    await client.until('one', 'RUNNING', 90);
    const { messages } = await endpointsOf(client, 'one');
    const answer = await fetch(messages ?? '', {
      method: 'POST',
      headers: { authorization: `Bearer ${listenerKey}`, 'content-type': 'application/json' },
      body: JSON.stringify({ device: 'd1', type: 'climate', temperature: 21, humidity: 50 }),
    });
    expect(answer.status).toBe(202);
    // What fails may quote what it was given.
    const remote = { endpoint: 'tcp://127.0.0.1:9', tls: { caCertificate: certificate } };
    const refused = await client.mutate('createComputeProvider', {
      key: 'remote',
      configuration: {
        docker: { ...remote, tls: { ...remote.tls, clientCertificate: certificate, clientKey } },
      },
    });

    const secrets = [listenerKey, registryUser.password, ...clientKey.split('\n').slice(1, -1)];
    const parents = new Set([process.pid, process.ppid]);
    const told = [
      ...(await engineTells(engine)),
      ...processesTell(new Set([...parents, server.pid])),
      ...(await databaseTells(database.url)),
      ...filesTell(server.dataDir),
      ...filesTell(join(dirname(engine.socket), 'data/volumes')),
      ['the output of the server', server.output()],
      ['an answer', JSON.stringify(refused)],
    ] as const;
    // The search finds what is there: the image, in the store and on the engine.
    const withImage = told.filter(([, text]) => text.includes(image)).map(([where]) => where);
    expect(withImage).toEqual(
      expect.arrayContaining(['docker inspect', 'public.container_repositories']),
    );
    const found = told.flatMap(([where, text]) =>
      [
        ...secrets.filter((each) => formsOf(each).some((form) => text.includes(form))),
        ...(anyKey.exec(text) ?? []),
      ].map((what) => `${where}: ${what}`),
    );
    expect(found).toEqual([]);
  },
);
