/**
 * 50 instances on one Docker engine, started at once: until all are RUNNING, beside `docker run` of the same 50
 * containers until the program of each answers. And what the server of them takes while nothing happens.
 */
import { execFile } from 'node:child_process';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import type Docker from 'dockerode';
import { hasDocker, startDockerEngine, type TestEngine } from '../harness/docker-engine.ts';
import { importRuntime } from '../integration/docker-images.ts';
import { type Figure, figure, median } from './figures.ts';
import {
  expectHistories,
  mutate,
  removeFleet,
  untilHost,
  untilInstances,
} from './running-fleet.ts';
import { type ServerProcess, startServer } from './server.ts';
import type { Bench } from './stores.ts';

const instances = 50;
const host = 'engine-host';
/** As src/executor/groups.ts says. */
const atOnce = 8;
const rounds = 3;
/** The port of /healthz in the containers of the reference; ours have none without the image's setting. */
const healthPort = 65530;
const idleSeconds = Number(process.env.BENCH_SECONDS ?? 120);
/** The most that the server may take of a core for events and checks, in percent. */
const mostPercent = 2;
/** Many starts at once are no failure on a busy machine. */
const patient = Object.fromEntries(
  ['STARTING_RUNTIME', 'INITIALIZING', 'STARTING', 'STOPPING'].map((state) => [
    `INSTANCE_${state}_DEADLINE_SECONDS`,
    '900',
  ]),
);

const execute = promisify(execFile);

export async function measureDocker(bench: Bench): Promise<Figure[]> {
  if (!hasDocker) return []; // Which is said where it is found out.
  const engine = await startDockerEngine();
  const { url: databaseUrl } = await bench.createDatabase(0);
  const dataDir = await bench.createFolder();
  writeFileSync(keyFile, '{"runKey":"nothing"}', { mode: 0o644 });
  try {
    await importRuntime(engine, 'instance-manager/runtime:1.0');
    const settings = { SAMPLE_DATA: 'on', ...patient };
    const server = await startServer({ dataDir, databaseUrl, settings });
    try {
      const keys = await createInstances(server, engine);
      const idle = await processorShare(server.pid);
      const { ours, theirs } = await measureStarts(server, engine, keys);
      await commandAll(server, 'startInstance', keys);
      await untilInstances(server, 'RUNNING', instances);
      const busy = await processorShare(server.pid);
      process.stderr.write(`idle, % of a core: ${busy.toFixed(2)}, without ${idle.toFixed(2)}\n`);
      await removeFleet(server, host);
      const left = await engine.docker.listContainers({ all: true });
      if (left.length > 0) throw new Error(`${left.length} containers are left.`);
      const name = `${instances} instances at once until RUNNING, beside docker run, s`;
      return [
        figure(name, median(ours), { reference: median(theirs), atMost: 1.3 }),
        {
          ...figure(`  server of ${instances} that are idle, beside none, % of a core`, busy),
          ...{ reference: idle, aim: `+ <= ${mostPercent}`, met: busy - idle <= mostPercent },
        },
      ];
    } finally {
      await server.stop();
    }
  } finally {
    rmSync(keyFile);
    await engine.close();
  }
}

/** The instances, on one host of the engine, which is up. Those of the App edition have no size of their own. */
async function createInstances(server: ServerProcess, engine: TestEngine): Promise<string[]> {
  const keys = Array.from({ length: instances }, (_, at) => `docked-${at + 1}`);
  const docker = { endpoint: engine.endpoint };
  await mutate(server, 'createComputeProvider', { key: 'engine', configuration: { docker } });
  await mutate(server, 'createHost', { key: host, provider: 'engine', size: 'SMALL' });
  await mutate(server, 'deployHost', { host });
  await untilHost(server, host, 'RUNNING');
  for (const key of keys) {
    const deviceRepository = `${key}-devices`;
    await mutate(server, 'createDeviceRepository', { key: deviceRepository, storage: 'CLOUD' });
    await mutate(server, 'createInstance', {
      ...{ key, solution: 'greenhouse', subscription: 'trial', deviceRepository },
      ...{ configuration: { app: {} }, host },
    });
  }
  return keys;
}

/** The command for each, all at once. */
const commandAll = async (server: ServerProcess, command: string, keys: readonly string[]) => {
  await Promise.all(keys.map((instance) => mutate(server, command, { instance })));
};

/** Seconds of each round, in turns. */
async function measureStarts(server: ServerProcess, engine: TestEngine, keys: readonly string[]) {
  const [ours, theirs]: [number[], number[]] = [[], []];
  for (let round = 0; round < rounds; round += 1) {
    const began = performance.now();
    await commandAll(server, round === 0 ? 'deployInstance' : 'startInstance', keys);
    await untilInstances(server, 'RUNNING', instances);
    ours.push((performance.now() - began) / 1000);
    await expectHistories(server, keys, [
      'STARTING_RUNTIME',
      'INITIALIZING',
      'STARTING',
      'RUNNING',
    ]);
    const containers = await engine.docker.listContainers();
    if (containers.length !== instances) throw new Error(`${containers.length} containers run.`);
    const samples = await Promise.all(
      containers.map(({ Id }) => engine.docker.getContainer(Id).inspect()),
    );
    await commandAll(server, 'stopInstance', keys);
    await untilInstances(server, 'STOPPED', instances);
    theirs.push(await runAll(engine, samples));
  }
  process.stderr.write(
    `rounds, s: ${ours.map((each) => each.toFixed(1)).join(' ')} beside ${theirs.map((each) => each.toFixed(1)).join(' ')}\n`,
  );
  return { ours, theirs };
}

/**
 * Seconds until the programs of containers that are made as these answer: by the command line, as many at once as
 * the server starts.
 */
async function runAll(engine: TestEngine, samples: Docker.ContainerInspectInfo[]): Promise<number> {
  const began = performance.now();
  const waiting = samples.entries();
  const answers: Promise<void>[] = [];
  const runInTurn = async (): Promise<void> => {
    for (const [at, sample] of waiting) {
      const name = `beside-${at}`;
      const flags = ['run', '-d', '--name', name, ...flagsOf(sample)];
      await execute('docker', ['-H', engine.endpoint, ...flags]);
      answers.push(untilAnswers(engine, name));
    }
  };
  await Promise.all(Array.from({ length: atOnce }, runInTurn));
  await Promise.all(answers);
  const seconds = (performance.now() - began) / 1000;
  for (const { Id } of await engine.docker.listContainers({ filters: { name: ['beside-'] } }))
    await engine.docker.getContainer(Id).remove({ force: true, v: true });
  return seconds;
}

/** Waits until the program of a container answers. Rejects if it has ended. */
async function untilAnswers({ docker }: TestEngine, name: string): Promise<void> {
  for (;;) {
    const { State, NetworkSettings } = await docker.getContainer(name).inspect();
    if (!State.Running) throw new Error(`${name} has ended with ${State.ExitCode}.`);
    const [network] = Object.values(NetworkSettings.Networks);
    const asked = fetch(`http://${network?.IPAddress}:${healthPort}/healthz`);
    if (
      await asked.then(
        () => true,
        () => false,
      )
    )
      return;
    await sleep(100);
  }
}

/** The flags of `docker run` that make such a container; its key comes from a file, for want of an input. */
function flagsOf({ Config, HostConfig, Image }: Docker.ContainerInspectInfo): string[] {
  const { NanoCpus = 0, Memory, PidsLimit, NetworkMode, Tmpfs = {} } = HostConfig;
  const environment = [...Config.Env, `RUNTIME_HEALTH_PORT=${healthPort}`, `RUNTIME_KEY_FILE=/key`];
  const ports = Object.keys(Config.ExposedPorts ?? {}).map((port) => `127.0.0.1::${port}`);
  return [
    ...['--cpus', `${NanoCpus / 1e9}`, '--memory', `${Memory}`, '--memory-swap', `${Memory}`],
    ...['--pids-limit', `${PidsLimit}`, '--read-only', '--cap-drop', 'ALL'],
    ...[
      '--security-opt',
      'no-new-privileges:true',
      '--user',
      Config.User,
      '--log-driver',
      'json-file',
    ],
    ...['--log-opt', 'max-size=1m', '--log-opt', 'max-file=2', '--network', `${NetworkMode}`],
    ...Object.entries(Tmpfs).flatMap(([path, options]) => ['--tmpfs', `${path}:${options}`]),
    ...['--volume', Config.WorkingDir, '--volume', `${keyFile}:/key:ro`],
    ...environment.flatMap((each) => ['--env', each]),
    ...ports.flatMap((port) => ['--publish', port]),
    Image,
  ];
}

/** A key for programs that reach no API, and go on to try. */
const keyFile = join(tmpdir(), `bench-key-${process.pid}`);

/** Percent of a core that a process takes. */
async function processorShare(pid: number): Promise<number> {
  const began = processorSeconds(pid);
  await sleep(idleSeconds * 1000);
  return (100 * (processorSeconds(pid) - began)) / idleSeconds;
}

/** Seconds of processor time, its threads' too. Linux counts in hundredths. */
function processorSeconds(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /, '')
    .split(' ');
  return (Number(fields[11]) + Number(fields[12])) / 100;
}
