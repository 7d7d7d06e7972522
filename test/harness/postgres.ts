/** A real PostgreSQL that ends with the process that started it; a run shares one (`run.ts`). */
import { spawn } from 'node:child_process';
import { createRequire } from 'node:module';
import { createInterface } from 'node:readline';
import { fileURLToPath, pathToFileURL } from 'node:url';

/** A temporary PostgreSQL of one's own. It ends with this process at the latest, however that ends. */
export interface TemporaryPostgres {
  /** The address of a superuser's connection; a restart keeps it. */
  readonly url: string;
  /** Kills every backend at once and starts again with recovery, as after a crash; or in good order. */
  restart(how?: 'CRASH' | 'FAST'): Promise<void>;
  /**
   * Makes a standby of what there is now, restarting the server for it. It lags behind from then on,
   * for it follows nobody, and ends with the server. Its address; `select pg_promote()` ends its recovery.
   */
  copy(): Promise<string>;
  /** Ends the server and removes its folder. */
  stop(): Promise<void>;
}

/** Starts a temporary PostgreSQL on a free loopback port. */
export async function startPostgres(): Promise<TemporaryPostgres> {
  const loader = pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href;
  const script = fileURLToPath(new URL('./supervisor.ts', import.meta.url));
  const { NODE_OPTIONS: _, ...env } = process.env;
  const supervisor = spawn(process.execPath, ['--import', loader, script], {
    detached: true,
    env,
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  supervisor.stdin.on('error', () => {}); // It has ended: the next report says so.
  const ended = new Promise<void>((resolve) => supervisor.once('close', () => resolve()));
  const reports = createInterface({ input: supervisor.stdout })[Symbol.asyncIterator]();

  async function nextUrl(): Promise<string> {
    const line = await reports.next();
    const report = line.done ? { failure: 'its supervisor has ended' } : JSON.parse(line.value);
    if (report.failure) throw new Error(`no temporary PostgreSQL: ${report.failure}`);
    return report.url;
  }

  const url = await nextUrl();
  return {
    url,
    async restart(how = 'CRASH') {
      supervisor.stdin.write(how === 'FAST' ? 'restart fast\n' : 'restart\n');
      await nextUrl();
    },
    copy() {
      supervisor.stdin.write('copy\n');
      return nextUrl();
    },
    async stop() {
      supervisor.stdin.end('stop\n');
      await ended;
    },
  };
}
