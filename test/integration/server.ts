/** The real server as a process of its own: started, killed, started again, and nothing left of it. */
import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { expect } from 'vitest';
import { createClient } from './client.ts';
import { processesOf } from './processes.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const startSeconds = 180;

export interface ServerOptions {
  /** Where it keeps its files; null: a new folder. Two nodes over one database share one. */
  readonly dataDir?: string;
  readonly token?: string;
  /** What differs from the settings of a test. */
  readonly environment?: Readonly<Record<string, string>>;
}

export interface Server {
  /** `http://127.0.0.1:<port>`; another port after each start. */
  readonly url: string;
  readonly token: string;
  readonly dataDir: string;
  readonly dnsPort: number;
  readonly pid: number;
  readonly isUp: boolean;
  /** All that it printed, since the first start. */
  output(): string;
  start(): Promise<void>;
  /** Kills its process group; returns when it is gone. */
  kill9(): Promise<void>;
  /** Asks it to end, and expects code 0 within 10 s. */
  stop(): Promise<void>;
  restart(): Promise<void>;
  /**
   * Removes every host, stops the server and expects that no process of the data folder is left.
   * Whatever is left is killed all the same.
   */
  dispose(): Promise<void>;
}

/** Starts a server on free ports, with a folder of its own unless one is given. */
export async function startServer(options: ServerOptions = {}): Promise<Server> {
  const dataDir = options.dataDir ?? mkdtempSync(join(tmpdir(), 'im-'));
  const token = options.token ?? randomBytes(24).toString('hex');
  const dnsPort = await freePort();
  let child: ChildProcess | null = null;
  let url = '';
  let output = '';
  let ended: Promise<number | null> = Promise.resolve(null);

  const server: Server = {
    get url() {
      return url;
    },
    token,
    dataDir,
    dnsPort,
    get pid() {
      return child?.pid ?? 0;
    },
    get isUp() {
      return child !== null && child.exitCode === null && child.signalCode === null;
    },
    output: () => output,
    async start() {
      const { NODE_OPTIONS: _, VITEST: __, NODE_ENV: ___, ...inherited } = process.env;
      const begins = output.length;
      const started = spawn(process.execPath, ['src/start.mjs'], {
        cwd: root,
        detached: true,
        stdio: ['ignore', 'pipe', 'pipe'],
        env: {
          ...inherited,
          ...settings,
          DATA_DIR: dataDir,
          ADMIN_TOKEN: token,
          DNS_PORT: String(dnsPort),
          ...options.environment,
        },
      });
      child = started;
      for (const stream of [started.stdout, started.stderr]) {
        stream.setEncoding('utf8').on('data', (text: string) => {
          output += text;
        });
      }
      ended = new Promise((resolve) => started.once('close', (code) => resolve(code)));
      const deadline = performance.now() + startSeconds * 1000;
      while (performance.now() < deadline) {
        if (!server.isUp) {
          const code = await ended;
          throw new Error(`the server ended with ${code}:\n${output.slice(-4000)}`);
        }
        const printed = /Instance Manager at (\S+)\/\n/.exec(output.slice(begins))?.[1];
        if (printed && (await isReady(printed))) {
          url = printed;
          return;
        }
        await delay(50);
      }
      await server.kill9();
      throw new Error(`the server was not ready within ${startSeconds} s:\n${output.slice(-4000)}`);
    },
    async kill9() {
      if (!server.isUp) return;
      process.kill(-server.pid, 'SIGKILL');
      await ended;
    },
    async stop() {
      if (!server.isUp) return;
      child?.kill('SIGTERM');
      const code = await Promise.race([ended, delay(10_000, 'still there after 10 s')]);
      expect(code, `exit code after SIGTERM; it printed:\n${output.slice(-2000)}`).toBe(0);
    },
    async restart() {
      await server.stop();
      await server.start();
    },
    async dispose() {
      try {
        if (server.isUp) {
          await createClient(server).removeEverything();
          await server.stop();
        }
        const left = processesOf(dataDir).filter(({ role }) => role !== 'server');
        expect(left, 'agents and runtimes that are left').toEqual([]);
      } finally {
        await server.kill9();
        const left = processesOf(dataDir);
        for (const { pid } of left) {
          try {
            process.kill(pid, 'SIGKILL');
          } catch {} // Gone meanwhile.
        }
        if (!options.dataDir) rmSync(dataDir, { recursive: true, force: true, maxRetries: 3 });
      }
    },
  };
  try {
    await server.start();
  } catch (error) {
    await server.kill9();
    throw error;
  }
  return server;
}

/** Short, so that a test sees in seconds what takes minutes. */
const settings = {
  PORT: '0',
  HOST: '127.0.0.1',
  HEARTBEAT_SECONDS: '1',
  HEALTH_CHECK_SECONDS: '1',
  SETTLE_SECONDS: '0.5',
  LOG_LEVEL: 'info',
  STREAM_BUSY_PERCENT: '100',
} as const;

async function isReady(url: string): Promise<boolean> {
  try {
    const answer = await fetch(`${url}/readyz`, { signal: AbortSignal.timeout(5000) });
    await answer.arrayBuffer();
    return answer.ok;
  } catch (error) {
    // The certificate of a test is trusted by nobody; whoever shows one listens.
    const { cause } = error as { cause?: { code?: string } };
    return cause?.code === 'DEPTH_ZERO_SELF_SIGNED_CERT';
  }
}

/**
 * A port that was free a moment ago, for UDP and TCP. Below those that the system gives out itself:
 * a server keeps its port over a restart, and nobody's connection takes it meanwhile.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = 20_000 + Math.floor(Math.random() * 10_000);
    const udp = createSocket('udp4');
    const tcp = createServer();
    const isFree = await Promise.all([
      new Promise<boolean>((resolve) => {
        udp.once('error', () => resolve(false)).bind(port, '127.0.0.1', () => resolve(true));
      }),
      new Promise<boolean>((resolve) => {
        tcp.once('error', () => resolve(false)).listen(port, '127.0.0.1', () => resolve(true));
      }),
    ]);
    udp.close();
    await new Promise((resolve) => tcp.close(resolve));
    if (isFree.every(Boolean)) return port;
  }
}
