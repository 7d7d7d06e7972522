/**
 * The process that owns one temporary PostgreSQL: it starts the server in a folder of its own and ends
 * both when its standard input closes, which is what happens when whoever asked for the server ends, by
 * SIGKILL too. It runs detached, so a signal to the test run's process group does not take it along.
 *
 * Standard input, one line each: `restart` (as after a crash), `restart fast`, `copy` (a standby made of it), `stop`.
 * Standard output, one line of JSON each: `{ url }` when the server is up, again after a restart, that
 * of the copy after `copy`, or `{ failure }`.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  accessSync,
  chmodSync,
  chownSync,
  closeSync,
  constants,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Binaries, findBinaries } from './binaries.ts';

/** The user the server runs as; undefined for ourselves. PostgreSQL refuses to run as root. */
type User = { uid: number; gid: number } | undefined;

const startSeconds = 60;

/** An unprivileged user with an entry in /etc/passwd, which initdb asks for. */
function unprivilegedUser(): User {
  if (process.geteuid?.() !== 0) return undefined;
  const entries = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .map((line) => line.split(':'))
    .filter(([, , uid]) => Number(uid) > 0);
  const entry =
    entries.find(([name]) => name === 'postgres') ??
    entries.find(([name]) => name === 'nobody') ??
    entries[0];
  if (!entry) throw new Error('root cannot run PostgreSQL and /etc/passwd names no other user');
  return { uid: Number(entry[2]), gid: Number(entry[3]) };
}

/** A new folder that only `user` can use and that it can reach; TMPDIR may be closed to it. */
function createFolder(user: User): string {
  const refusals: string[] = [];
  for (const parent of new Set([tmpdir(), '/tmp', '/var/tmp', '/dev/shm'])) {
    let folder: string | undefined;
    try {
      accessSync(parent, constants.W_OK);
      folder = mkdtempSync(join(parent, 'instance-manager-postgres-'));
      chmodSync(folder, 0o700);
      if (user) chownSync(folder, user.uid, user.gid);
      const probe = spawnSync('/bin/sh', ['-c', 'cd "$0" && : > probe', folder], { ...user });
      if (probe.status === 0 || process.platform === 'win32') return folder;
      refusals.push(`${parent}: ${probe.error?.message ?? probe.stderr.toString().trim()}`);
    } catch (error) {
      refusals.push(`${parent}: ${String(error)}`);
    }
    if (folder) rmSync(folder, { recursive: true, force: true });
  }
  throw new Error(`no folder for a temporary PostgreSQL: ${refusals.join('; ')}`);
}

/** A port that was free a moment ago. */
function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      const port = typeof address === 'object' && address ? address.port : 0;
      server.close(() => resolve(port));
    });
  });
}

class Server {
  #folder: string;
  #user: User;
  #binaries: Binaries;
  #password: string;
  #port = 0;
  #process: ChildProcess | undefined;
  #copies: Server[] = [];
  /** Of the folder and of the log, beside those of its copies. */
  #name = 'data';

  constructor(original?: Server) {
    if (original) {
      this.#password = original.#password;
      this.#user = original.#user;
      this.#folder = original.#folder;
      this.#binaries = original.#binaries;
      this.#name = `${original.#name}-${original.#copies.length + 1}`;
      return;
    }
    this.#password = randomBytes(18).toString('hex');
    this.#user = unprivilegedUser();
    this.#folder = createFolder(this.#user);
    try {
      this.#binaries = findBinaries({
        asUser: this.#user,
        copyTo: join(this.#folder, 'native'),
      });
    } catch (error) {
      this.remove();
      throw error;
    }
  }

  get url(): string {
    return `postgres://postgres:${this.#password}@127.0.0.1:${this.#port}/postgres`;
  }

  get #data(): string {
    return join(this.#folder, this.#name);
  }

  /** Creates the cluster. */
  initialize(): void {
    const passwordFile = join(this.#folder, 'password');
    writeFileSync(passwordFile, this.#password, { mode: 0o600 });
    if (this.#user) chownSync(passwordFile, this.#user.uid, this.#user.gid);
    const run = spawnSync(
      this.#binaries.initdb,
      [
        ...['--pgdata', this.#data, '--username', 'postgres', '--no-sync'],
        ...['--auth', 'scram-sha-256', '--pwfile', passwordFile],
        ...['--encoding', 'UTF8', '--locale', 'C'],
      ],
      { cwd: this.#folder, env: this.#environment, ...this.#user },
    );
    rmSync(passwordFile);
    if (run.status !== 0) {
      throw new Error(`initdb failed: ${run.error?.message ?? run.stderr.toString()}`);
    }
  }

  /** Starts the server; another port if this one was taken between the look and the bind. */
  async start(): Promise<void> {
    for (let attempt = 1; ; attempt += 1) {
      const port = this.#port || (await freePort());
      const failure = await this.#startOn(port);
      if (!failure) {
        this.#port = port;
        return;
      }
      if (attempt === 5) throw new Error(`PostgreSQL does not start: ${failure}`);
      await sleep(this.#port ? 200 : 0);
    }
  }

  async #startOn(port: number): Promise<string | undefined> {
    const logFile = join(this.#folder, `log-${this.#name}`);
    const log = openSync(logFile, 'w');
    const settings = {
      listen_addresses: '127.0.0.1',
      unix_socket_directories: '',
      port,
      max_connections: 200,
      shared_buffers: '64MB',
      fsync: 'off',
      full_page_writes: 'off',
      max_wal_size: '256MB',
    };
    const server = spawn(
      this.#binaries.postgres,
      [
        ...['-D', this.#data],
        ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]),
      ],
      {
        cwd: this.#folder,
        env: this.#environment,
        stdio: ['ignore', log, log],
        ...this.#user,
      },
    );
    closeSync(log);
    this.#process = server;
    let spawnFailure: string | undefined;
    server.on('error', (error) => {
      spawnFailure = error.message;
    });
    const deadline = performance.now() + startSeconds * 1000;
    while (performance.now() < deadline) {
      if (spawnFailure || server.exitCode !== null || server.signalCode !== null) {
        return spawnFailure ?? readFileSync(logFile, 'utf8');
      }
      if (this.#isReady(server.pid)) return undefined;
      await sleep(10);
    }
    await this.#end('SIGKILL');
    return `not ready after ${startSeconds} s: ${readFileSync(logFile, 'utf8')}`;
  }

  /** Whether postmaster.pid, whose eighth line is the status, is this server's and says that it answers. */
  #isReady(pid: number | undefined): boolean {
    try {
      const lines = readFileSync(join(this.#data, 'postmaster.pid'), 'utf8').split('\n');
      return Number(lines[0]) === pid && ['ready', 'standby'].includes(lines[7]?.trim() ?? '');
    } catch {
      return false;
    }
  }

  get #environment(): NodeJS.ProcessEnv {
    return { PATH: process.env.PATH, LC_ALL: 'C', TZ: 'UTC', TMPDIR: this.#folder };
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const server = this.#process;
    if (!server || server.exitCode !== null || server.signalCode !== null) return;
    const ended = new Promise((resolve) => server.once('exit', resolve));
    server.kill(signal);
    const killed = setTimeout(() => server.kill('SIGKILL'), 10_000);
    await ended;
    clearTimeout(killed);
  }

  /** SIGQUIT: as after a crash, every backend dies at once and the next start recovers. */
  async restart(signal: 'SIGQUIT' | 'SIGINT'): Promise<void> {
    await this.#end(signal);
    await this.start();
  }

  /** Stops, copies its folder and goes on; the copy is a standby that nobody feeds. */
  async copy(): Promise<Server> {
    await this.#end('SIGINT');
    const copy = new Server(this);
    this.#copies.push(copy);
    const run = spawnSync('cp', ['-Rp', this.#data, copy.#data], {
      cwd: this.#folder,
      ...this.#user,
    });
    if (run.status !== 0) throw new Error(`the copy failed: ${run.stderr.toString()}`);
    const signal = join(copy.#data, 'standby.signal');
    writeFileSync(signal, '', { mode: 0o600 });
    if (this.#user) chownSync(signal, this.#user.uid, this.#user.gid);
    await this.start();
    await copy.start();
    return copy;
  }

  /** Ends the server without a checkpoint, for nothing of it stays. */
  async stop(): Promise<void> {
    for (const server of [...this.#copies, this]) await server.#end('SIGQUIT');
    this.remove();
  }

  remove(): void {
    rmSync(this.#folder, { recursive: true, force: true, maxRetries: 5 });
  }
}

function report(message: { url: string } | { failure: string }): void {
  process.stdout.write(`${JSON.stringify(message)}\n`);
}

async function main(): Promise<void> {
  // The reader of our reports may be gone; our end is standard input's, not a broken pipe's.
  process.stdout.on('error', () => {});

  let server: Server | undefined;
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.once(signal, () => process.stdin.destroy());
  }
  try {
    server = new Server();
    server.initialize();
    await server.start();
    report({ url: server.url });
  } catch (error) {
    server?.remove();
    report({ failure: error instanceof Error ? error.message : String(error) });
    process.exit(1);
  }

  for await (const line of createInterface({ input: process.stdin })) {
    if (line === 'stop') break;
    try {
      if (line.startsWith('restart')) {
        await server.restart(line === 'restart' ? 'SIGQUIT' : 'SIGINT');
        report({ url: server.url });
      } else if (line === 'copy') {
        report({ url: (await server.copy()).url });
      }
    } catch (error) {
      report({ failure: error instanceof Error ? error.message : String(error) });
    }
  }
  await server.stop();
  process.exit(0);
}

await main();
