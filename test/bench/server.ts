/** Programs in processes of their own: the server, as `npm start` runs it, and the bare one beside it. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

export const adminToken = 'bench-0123456789abcdef0123456789abcdef';

/** Nothing that the bench has paused expires while it runs. */
export const pausingDeadlineSeconds = 3600;

export interface ServerProcess {
  readonly url: string;
  readonly pid: number;
  /** From the start of the process to the first 200 of `/readyz`. */
  readonly readyMilliseconds: number;
  stop(): Promise<void>;
}

const pathOf = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
const server = pathOf('../../src/start.mjs');
const bare = pathOf('bare.mjs');
const giveUpMilliseconds = 300_000;

/** Starts a server on a free port and waits until it is ready. */
export async function startServer(options: {
  dataDir: string;
  databaseUrl?: string;
  /** Folder for a CPU profile of it. */
  profile?: string | null;
  /** Further options of Node.js. */
  flags?: readonly string[];
  /** Further settings. */
  settings?: Readonly<Record<string, string>>;
}): Promise<ServerProcess> {
  const port = await freePort();
  const profiling = options.profile ? ['--cpu-prof', `--cpu-prof-dir=${options.profile}`] : [];
  return startProgram(port, [...profiling, ...(options.flags ?? []), server], {
    PORT: `${port}`,
    DNS_PORT: '0',
    DATA_DIR: options.dataDir,
    ADMIN_TOKEN: adminToken,
    SAMPLE_DATA: 'off',
    LOG_LEVEL: 'error',
    INSTANCE_PAUSING_DEADLINE_SECONDS: `${pausingDeadlineSeconds}`,
    ...options.settings,
    ...(options.databaseUrl ? { DATABASE_URL: options.databaseUrl } : {}),
  });
}

/** Starts the bare program, with a store or without, and waits until it answers. */
export async function startBare(store?: {
  kind: 'pglite' | 'postgres';
  where: string;
}): Promise<ServerProcess> {
  const port = await freePort();
  return startProgram(port, [bare, `${port}`, ...(store ? [store.kind, store.where] : [])], {});
}

async function startProgram(
  port: number,
  args: readonly string[],
  environment: Readonly<Record<string, string>>,
): Promise<ServerProcess> {
  const url = `http://127.0.0.1:${port}`;
  const { PATH, HOME, TMPDIR } = process.env;
  const began = performance.now();
  const child = spawn(process.execPath, args, {
    env: { ...{ PATH, HOME, TMPDIR }, ...environment },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const stop = async (): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGTERM');
    await once(child, 'exit');
  };
  while (!(await isReady(url))) {
    const late = performance.now() - began > giveUpMilliseconds;
    if (late || child.exitCode !== null || child.signalCode !== null) {
      await stop();
      throw new Error(`${args.at(0)} did not get ready.`);
    }
    await sleep(10);
  }
  return { url, pid: child.pid ?? 0, readyMilliseconds: performance.now() - began, stop };
}

async function isReady(url: string): Promise<boolean> {
  try {
    const { status } = await fetch(`${url}/readyz`);
    return status === 200;
  } catch {
    return false;
  }
}

/** A port that was free a moment ago. */
async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const address = probe.address();
  probe.close();
  await once(probe, 'close');
  return typeof address === 'object' && address ? address.port : 0;
}
