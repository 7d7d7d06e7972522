/** A server process of its own, as `npm start` runs it. */
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

const script = fileURLToPath(new URL('../../src/start.mjs', import.meta.url));
const giveUpMilliseconds = 60_000;

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
  const url = `http://127.0.0.1:${port}`;
  const profiling = options.profile ? ['--cpu-prof', `--cpu-prof-dir=${options.profile}`] : [];
  const { PATH, HOME, TMPDIR } = process.env;
  const began = performance.now();
  const flags = [...profiling, ...(options.flags ?? [])];
  const server = spawn(process.execPath, [...flags, script], {
    env: {
      ...{ PATH, HOME, TMPDIR },
      PORT: `${port}`,
      DNS_PORT: '0',
      DATA_DIR: options.dataDir,
      ADMIN_TOKEN: adminToken,
      SAMPLE_DATA: 'off',
      LOG_LEVEL: 'error',
      INSTANCE_PAUSING_DEADLINE_SECONDS: `${pausingDeadlineSeconds}`,
      ...options.settings,
      ...(options.databaseUrl ? { DATABASE_URL: options.databaseUrl } : {}),
    },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const stop = async (): Promise<void> => {
    if (server.exitCode !== null || server.signalCode !== null) return;
    server.kill('SIGTERM');
    await once(server, 'exit');
  };
  while (!(await isReady(url))) {
    const late = performance.now() - began > giveUpMilliseconds;
    if (late || server.exitCode !== null || server.signalCode !== null) {
      await stop();
      throw new Error('The server did not get ready.');
    }
    await sleep(10);
  }
  return { url, pid: server.pid ?? 0, readyMilliseconds: performance.now() - began, stop };
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
