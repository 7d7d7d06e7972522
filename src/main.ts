/**
 * The entry: configuration, signals and the exit code; `app.ts` does the rest. What only a server
 * needs is loaded once a server was asked for.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pino, { type Logger } from 'pino';
import type { App } from './app.ts';
import { type Config, loadConfig } from './config.ts';
import { CannotOpenStore } from './store/database/data-directory.ts';

/** A stop that takes longer than this is cut off; the leases of its work are taken over. */
const STOP_MS = 9_000;

async function link(given: Config): Promise<void> {
  try {
    const { requestSignInLink } = await import('./server/auth/link.ts');
    process.stdout.write(`${(await requestSignInLink(given)).url}\n`);
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    process.exitCode = 1;
  }
}

async function run(given: Config): Promise<void> {
  const log = createLog(given.logLevel);
  const folder = given.ephemeral ? await mkdtemp(join(tmpdir(), 'instance-manager-')) : null;
  const clean = () => (folder ? rm(folder, { recursive: true, force: true }) : undefined);
  let app: App;
  try {
    const { createApp } = await import('./app.ts');
    app = await createApp(folder ? { ...given, dataDir: folder } : given, log);
  } catch (error) {
    await clean();
    const expected = error instanceof CannotOpenStore || hasCode(error);
    process.stderr.write(`${expected ? error.message : inspectable(error)}\n`);
    process.exit(1);
  }

  let stopping = false;
  const stop = async (signal: string): Promise<void> => {
    if (stopping) return;
    stopping = true;
    log.info({ signal }, 'stopping');
    setTimeout(() => process.exit(1), STOP_MS).unref();
    await app.stop();
    await clean()?.catch(() => undefined);
    process.exit(0);
  };
  process.on('SIGTERM', () => void stop('SIGTERM'));
  process.on('SIGINT', () => void stop('SIGINT'));

  process.stdout.write(
    [
      `Instance Manager at ${app.url}/graphql`,
      `Sign a browser in, once and within 10 minutes: ${await app.createSignInLink()}`,
      'Another link: npm run link',
      '',
    ].join('\n'),
  );
}

/**
 * The log: one JSON line per event on stderr, without variables, headers, settings and keys. Values
 * that may contain secrets are removed wherever they occur.
 */
function createLog(level: string): Logger {
  return pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      redact: {
        paths: [
          'authorization',
          '*.authorization',
          'headers',
          '*.headers',
          'variables',
          '*.settings',
        ],
        remove: true,
      },
    },
    pino.destination({ dest: 2, sync: false }),
  );
}

/** Errors made for the operator (such as a port in use) carry a code and one line. */
function hasCode(error: unknown): error is Error {
  return error instanceof Error && 'code' in error && typeof error.code === 'string';
}

function inspectable(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

process.umask(0o077);
const config = loadConfig();
void (config.link ? link(config) : run(config));
