/**
 * A Docker engine of one's own: dockerd under a temporary folder, with an image of the runtime. It
 * ends with the process that started it. Machines without dockerd, or without root, skip its tests.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { randomInt } from 'node:crypto';
import {
  chmodSync,
  chownSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import Docker from 'dockerode';
import { writeProgram } from '../../src/drivers/docker/image-folder.ts';
import { until } from './eventually.ts';

export const hasDocker =
  process.getuid?.() === 0 && spawnSync('dockerd', ['--version']).status === 0;
if (!hasDocker) console.log('Docker is not tested: no dockerd here, or no root to run it');

export interface TestEngine {
  /** `unix:///…` */
  readonly endpoint: string;
  readonly socket: string;
  readonly docker: Docker;
  /** Imports the files of a folder as an image that starts this. Its id. */
  importImage(name: string, rootfs: string, entrypoint: readonly string[]): Promise<string>;
  /** Makes an image of another that starts something else. */
  deriveImage(name: string, from: string, entrypoint: readonly string[]): Promise<void>;
  /** Ends dockerd: in good order, or by SIGKILL as in a crash. */
  stop(signal?: 'SIGTERM' | 'SIGKILL'): Promise<void>;
  start(): Promise<void>;
  /** Removes all containers, ends dockerd, removes its folder. */
  close(): Promise<void>;
}

/** Starts dockerd. `flags`: beside its own. */
export async function startDockerEngine(flags: readonly string[] = []): Promise<TestEngine> {
  // Not in memory: images are large. Not deep: a socket has a short path.
  const folder = mkdtempSync('/var/tmp/im-docker-');
  chmodSync(folder, 0o711); // The socket itself says who may use it.
  const socket = join(folder, 'docker.sock');
  const docker = new Docker({ socketPath: socket });
  const log = join(folder, 'log');
  const pidFile = join(folder, 'pid');
  const all = [
    ...['--data-root', join(folder, 'data'), '--exec-root', join(folder, 'exec')],
    ...['-H', `unix://${socket}`, '-p', pidFile, '--shutdown-timeout', '2'],
    // Engines of several tests share the kernel: none writes rules for the others, and their networks differ.
    ...['--iptables=false', '--ip6tables=false'],
    ...['--default-address-pool', `base=10.${randomInt(64, 250)}.0.0/16,size=26`],
    ...flags,
  ];
  let keeper: ChildProcess | null = null;

  async function start(): Promise<void> {
    // Of one that was killed; its processes may not have been reaped, so they seem to live.
    for (const file of [pidFile, join(folder, 'exec/containerd/containerd.pid')])
      rmSync(file, { force: true });
    // Ends dockerd when its input ends, which is when this process does, however that ends.
    const script = 'log=$1; shift; dockerd "$@" >>"$log" 2>&1 & cat >/dev/null; kill %1; wait';
    const started = spawn('bash', ['-mc', script, 'bash', log, ...all], {
      stdio: ['pipe', 'ignore', 'ignore'],
    });
    keeper = started;
    await until('dockerd answers', async () => {
      const gone = existsSync(log) && /failed to start daemon/.test(readFileSync(log, 'utf8'));
      if (gone) throw new Error(readFileSync(log, 'utf8').slice(-2000));
      return docker.ping().then(
        () => true,
        () => false,
      );
    }).catch((error: unknown) => {
      throw new Error(`${error}\n${readFileSync(log, 'utf8').slice(-2000)}`);
    });
  }

  async function stop(signal: 'SIGTERM' | 'SIGKILL' = 'SIGTERM'): Promise<void> {
    const ended = keeper;
    if (!ended) return;
    keeper = null;
    const pid = Number(readFileSync(pidFile, 'utf8'));
    process.kill(pid, signal);
    await until('dockerd has ended', () => !existsSync(`/proc/${pid}`));
    const closed = new Promise((resolve) => ended.once('close', resolve));
    ended.stdin?.end();
    await closed;
  }

  await start();
  return {
    ...{ endpoint: `unix://${socket}`, socket, docker, start, stop },

    async importImage(name, rootfs, entrypoint) {
      const tar = spawn('tar', ['-C', rootfs, '-c', '.'], { stdio: ['ignore', 'pipe', 'inherit'] });
      await create(socket, tar.stdout, name, entrypoint);
      return (await docker.getImage(name).inspect()).Id;
    },

    async deriveImage(name, from, entrypoint) {
      const container = await docker.createContainer({ Image: from, Cmd: ['none'] });
      const [repo, tag] = splitName(name);
      await container.commit({ repo, tag, changes: changesOf(entrypoint) });
      await container.remove();
    },

    async close() {
      if (!keeper) await start(); // Its containers may have outlived it.
      const containers = await docker.listContainers({ all: true });
      await Promise.all(
        containers.map(({ Id }) => docker.getContainer(Id).remove({ force: true, v: true })),
      );
      await docker.pruneNetworks(); // Their bridges would stay.
      await stop();
      endProcessesOf(folder);
      for (const line of readFileSync('/proc/mounts', 'utf8').split('\n').reverse()) {
        const mounted = line.split(' ')[1] ?? '';
        if (mounted.startsWith(`${folder}/`)) spawnSync('umount', ['-l', mounted]);
      }
      rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
    },
  };
}

/** Ends what a killed dockerd has left behind. */
function endProcessesOf(folder: string): void {
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    try {
      if (readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(`${folder}/`))
        process.kill(Number(pid), 'SIGKILL');
    } catch {} // It has ended.
  }
}

const changesOf = (entrypoint: readonly string[]): string =>
  `ENTRYPOINT ${JSON.stringify(entrypoint)}`;

function splitName(name: string): [repository: string, tag: string] {
  const at = name.lastIndexOf(':');
  return [name.slice(0, at), name.slice(at + 1)];
}

/** `docker import`, which the client has no call for that takes changes. */
function create(
  socketPath: string,
  content: NodeJS.ReadableStream,
  name: string,
  entrypoint: readonly string[],
): Promise<void> {
  const [repo, tag] = splitName(name);
  const query = new URLSearchParams({ fromSrc: '-', repo, tag, changes: changesOf(entrypoint) });
  const path = `/images/create?${query}`;
  return new Promise((resolve, reject) => {
    const asked = request({ socketPath, path, method: 'POST' }, (response) => {
      let text = '';
      response.on('data', (chunk) => {
        text += String(chunk);
      });
      response.once('end', () =>
        response.statusCode === 200 && !text.includes('"error"') ? resolve() : reject(text),
      );
    });
    asked.once('error', reject);
    content.pipe(asked);
  });
}

/** Where the image has its programs. */
export const nodeInImage = '/usr/bin/node';
export const programInImage = (name: string): string => `/${name}/main.mjs`;

/**
 * Fills a folder with what an image needs: node with its libraries, programs by their names, and the
 * work folder of the user that runtimes have.
 *
 * @param programs their sources; `runtime` is ours
 */
export async function makeRootfs(
  folder: string,
  programs: Readonly<Record<string, string>> = {},
): Promise<void> {
  const packages = fileURLToPath(new URL('../../node_modules/@libsql', import.meta.url));
  const sqlite = readdirSync(packages).map((name) => join(packages, name, 'index.node'));
  const libraries = [process.execPath, ...sqlite.filter(existsSync)]
    .map((file) => spawnSync('ldd', [file], { encoding: 'utf8' }).stdout)
    .join('');
  const files = [...libraries.matchAll(/(\/\S+) \(0x/g)].map(([, path = '']) => path);
  for (const file of files) cpSync(file, join(folder, file), { dereference: true });
  cpSync(process.execPath, join(folder, nodeInImage), { dereference: true });
  for (const [name, source] of Object.entries(programs)) {
    await writeProgram(source, join(folder, name));
  }
  for (const name of ['tmp', 'work', 'etc']) mkdirSync(join(folder, name), { recursive: true });
  writeFileSync(join(folder, 'etc/passwd'), 'runtime:x:10001:10001::/work:/none\n');
  chownSync(join(folder, 'work'), 10_001, 10_001);
}
