/**
 * `npm run try:docker`: the whole way on Docker, as a user goes it, with a registry, an engine and name servers
 * of its own. It runs as root on Debian with the packages docker.io, iptables, docker-registry, bind9,
 * bind9-utils, bind9-dnsutils and mosquitto-clients; takes some minutes; ends with another code than 0 at the
 * first answer that is not true; and leaves nothing behind. docs/hosts.md explains the steps.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { hasBind, startBind } from '../../harness/bind.ts';
import {
  hasDocker,
  makeRootfs,
  nodeInImage,
  startDockerEngine,
} from '../../harness/docker-engine.ts';
import { hasRegistry, registryUser, startRegistry } from '../../harness/registry.ts';
import { type Answer, type Api, startApi } from './api.ts';
import { Session } from './session.ts';

const lacking = [
  ...(hasDocker ? [] : ['docker.io, iptables, and to be root']),
  ...(hasRegistry ? [] : ['docker-registry']),
  ...(hasBind ? [] : ['bind9, bind9-utils']),
  ...['dig', 'mosquitto_pub', 'docker'].filter((name) => spawnSync('which', [name]).status !== 0),
];

const definition = {
  description: 'A cold store: probes report over MQTT.',
  settings: { probeKey: { type: 'STRING', secret: true } },
  listeners: {
    probes: { protocol: 'mqtt', topic: 'probes/{device}/{type}', keySetting: 'probeKey' },
  },
  messages: { probe: { listener: 'probes', fields: { temperature: { type: 'NUMBER' } } } },
  inputCommands: {
    last: {
      auth: 'NONE',
      parameters: { device: { type: 'STRING' } },
      answer: { kind: 'DEVICE_VALUES', parameter: 'device' },
    },
  },
};
const probeKey = 'the-key-of-the-probes';

async function main(session: Session): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'im-try-'));
  session.atEnd('the folder', () => rmSync(folder, { recursive: true, force: true }));

  session.step('A Docker engine, a registry with a password, and two name servers of one zone');
  const engine = await startDockerEngine();
  session.atEnd('the engine', () => engine.close());
  const registry = await startRegistry();
  session.atEnd('the registry', () => registry.stop());
  const bind = await startBind();
  session.atEnd('the name servers', () => bind.stop());
  const env = { DOCKER_HOST: engine.endpoint, DOCKER_CONFIG: join(folder, 'docker') };
  const docker = (...args: string[]) => session.run(['docker', ...args], { env });
  const { username, password } = registryUser;
  await session.run(['docker', 'login', '-u', username, '--password-stdin', registry.host], {
    ...{ env, input: password },
  });

  session.step(
    'The image of the runtime, and tags of it: 1, 2, one that is broken, one that eats memory',
  );
  // Where images can be pulled, the base is node:22-bookworm-slim, and --base is left out.
  await makeRootfs(join(folder, 'base'));
  await engine.importImage('base:1', join(folder, 'base'), [nodeInImage]);
  const image = `${registry.host}/team/runtime`;
  await session.run(
    ['npm', 'run', '--silent', 'image', '--', '--base', 'base:1', '--tag', `${image}:1`, '--push'],
    { env },
  );
  const variants = {
    2: ['node', '/runtime/main.mjs'],
    broken: ['node', '-e', 'console.error("a broken build"); process.exit(3)'],
    hungry: ['node', '-e', 'const all = []; for (;;) all.push(Buffer.alloc(1e7, 1))'],
  };
  for (const [tag, entrypoint] of Object.entries(variants)) {
    await engine.deriveImage(`${image}:${tag}`, `${image}:1`, entrypoint);
    await docker('push', '--quiet', `${image}:${tag}`);
  }
  for (const tag of ['1', ...Object.keys(variants)])
    await docker('rmi', '--force', `${image}:${tag}`);

  session.step('The server');
  const api = await startApi(session, {
    ...{ DATA_DIR: join(folder, 'data'), SAMPLE_DATA: 'on', HEARTBEAT_SECONDS: '1' },
    ...{ SETTLE_SECONDS: '0', DNS_ZONE: bind.zone, DNS_PROVIDER: 'rfc2136' },
    DNS_SERVER: `${bind.primary.address}:${bind.port}`,
    DNS_TSIG_NAME: bind.key.name,
    DNS_TSIG_SECRET: bind.key.secret.toString('base64'),
  });
  session.atEnd('the server', () => api.stop());
  // A secondary that is told of changes reads them by itself; these are read on demand.
  const transfers = setInterval(() => {
    bind.secondary.control('retransfer', bind.zone).catch(() => undefined);
  }, 1_000);
  session.atEnd('the transfers', () => clearInterval(transfers));

  session.step('Register the engine, the repository and a solution with an MQTT listener');
  await api.must('createComputeProvider', {
    ...{ key: 'docker', configuration: { docker: { endpoint: engine.endpoint } } },
  });
  await api.must('checkComputeProvider', { computeProvider: 'docker' });
  const { computeProvider } = await api.ask(
    '{ computeProvider(computeProvider: "docker") { status { reachable version capacity { cpus memoryBytes } } } }',
  );
  session.tell(JSON.stringify(computeProvider.status));
  session.expect(computeProvider.status.reachable === true, 'the engine answers');
  await api.must('createContainerRepository', {
    ...{ key: 'team-runtime', image, tags: ['1'], credentials: registryUser },
  });
  await api.must('syncContainerTags', { containerRepository: 'team-runtime' });
  await session.eventually('the tags are read from the registry', async () => {
    const { containerRepository } = await api.ask(
      '{ containerRepository(containerRepository: "team-runtime") { tags { name digest } } }',
    );
    return containerRepository.tags.filter(({ digest }: Answer) => digest).length === 4;
  });
  await api.must('createSolution', { key: 'cold-store', definition });
  await api.must('publishSolutionVersion', { solution: 'cold-store' });

  session.step('Deploy an instance on the engine');
  await api.must('createDeviceRepository', { key: 'probes', storage: 'CLOUD' });
  await api.must('createInstance', {
    ...{ key: 'north', provider: 'docker', solution: 'cold-store', subscription: 'trial' },
    ...{ deviceRepository: 'probes', settings: { probeKey } },
    configuration: {
      container: {
        ...{ deploymentType: 'ON_PREMISE', workingStorage: 'CLOUD', imageSize: 'EXTRA_SMALL' },
        ...{ containerRepository: 'team-runtime', containerTag: '1' },
      },
    },
  });
  await api.must('deployInstance', { instance: 'north' });
  await untilState(session, api, 'RUNNING');
  await docker('ps', '--format', '{{.Image}} {{.Status}} {{.Ports}}');
  const { instance } = await api.ask(
    '{ instance(instance: "north") { host { address dnsName } endpoints { kind address port } } }',
  );
  const { address, dnsName } = instance.host;

  session.step('Its name resolves');
  const dig = async () => {
    const query = ['dig', '+short', `@${bind.primary.address}`, '-p', String(bind.port), dnsName];
    return (await session.run(query)).trim();
  };
  session.expect((await dig()) === address, `${dnsName} is ${address}`);

  session.step('A probe sends a value, and it is there');
  const { port } = instance.endpoints.find(({ kind }: Answer) => kind === 'MESSAGES');
  const publish = (temperature: number) =>
    session.run([
      ...['mosquitto_pub', '-h', address, '-p', String(port), '-V', 'mqttv311', '-q', '1'],
      ...['-u', 'probe', '-P', probeKey, '-t', 'probes/door/probe'],
      ...['-m', JSON.stringify({ temperature })],
    ]);
  await publish(3.5);
  await session.eventually('the value is stored', async () => {
    const { deviceRepository } = await api.ask(
      '{ deviceRepository(deviceRepository: "probes") { devices { nodes { name values { field value } } } } }',
    );
    return JSON.stringify(deviceRepository).includes('3.5');
  });

  session.step('Paused, it takes no messages; resumed, it does');
  await api.must('pauseInstance', { instance: 'north' });
  await untilState(session, api, 'PAUSED');
  const refused = await publish(4).then(
    () => false,
    () => true,
  );
  session.expect(refused, 'the probe is refused');
  await api.must('resumeInstance', { instance: 'north' });
  await untilState(session, api, 'RUNNING');
  await publish(4);

  session.step('Update to tag 2');
  await api.must('updateRuntime', { instance: 'north', containerTag: '2' });
  await untilEnded(session, api, 'SUCCEEDED');
  await untilState(session, api, 'RUNNING');

  session.step('Update to a broken image: it is taken back');
  await api.must('updateRuntime', { instance: 'north', containerTag: 'broken' });
  const broken = await untilEnded(session, api, 'FAILED');
  session.expect(broken.logTail.includes('a broken build'), 'the failure has its last output');
  session.expect((await look(api)).run.image === `${image}:2`, 'tag 2 runs again');

  session.step('Update to an image that eats memory: told as such, and taken back');
  await api.must('updateRuntime', { instance: 'north', containerTag: 'hungry' });
  const hungry = await untilEnded(session, api, 'FAILED');
  session.expect(hungry.code === 'OUT_OF_MEMORY', 'the failure is OUT_OF_MEMORY');
  await untilState(session, api, 'RUNNING');

  session.step('Remove the host, and nothing is left');
  await api.must('removeHost', { host: 'north-host', force: true });
  await untilState(session, api, 'OFFLINE');
  await session.eventually('the host is OFFLINE', async () => {
    const { host } = await api.ask('{ host(host: "north-host") { state } }');
    return host.state === 'OFFLINE';
  });
  session.expect((await docker('ps', '--all', '--quiet')) === '', 'there is no container');
  const networks = await docker('network', 'ls', '--format', '{{.Name}}');
  session.expect(!/instance-manager|north/.test(networks), 'there is no network of it');
  session.expect((await docker('volume', 'ls', '--quiet')) === '', 'there is no volume');
  session.expect((await dig()) === '', `${dnsName} is gone`);
}

const look = async (api: Api): Promise<Answer> =>
  (
    await api.ask(`{ instance(instance: "north") { state failure { code message } run { image }
      operations(first: 1) { nodes { kind status failure { code message logTail } } } } }`)
  ).instance;

async function untilState(session: Session, api: Api, state: string): Promise<void> {
  await session.eventually(`the instance is ${state}`, async () => {
    const now = await look(api);
    if (now.state === state) return true;
    if (now.failure && state === 'RUNNING' && now.operations.nodes[0]?.status === 'FAILED')
      session.tell(now.failure.message);
    return false;
  });
}

/** Until its last operation has ended so. Its failure. */
async function untilEnded(session: Session, api: Api, status: string): Promise<Answer> {
  await session.eventually(
    `the operation is ${status}`,
    async () => (await look(api)).operations.nodes[0]?.status === status,
  );
  const [{ failure }] = (await look(api)).operations.nodes;
  if (failure) session.tell(failure.message);
  return failure ?? {};
}

if (lacking.length > 0) {
  process.stderr.write(`This machine lacks: ${lacking.join('; ')}.\n`);
  process.exitCode = 1;
} else {
  const session = new Session();
  const interrupted = () => void session.end().then(() => process.exit(130));
  process.once('SIGINT', interrupted).once('SIGTERM', interrupted);
  try {
    await main(session);
    process.stdout.write('\nAll of it is true.\n');
  } catch (error) {
    process.stderr.write(`\n${String(error instanceof Error ? error.message : error)}\n`);
    process.exitCode = 1;
  } finally {
    await session.end();
  }
}
