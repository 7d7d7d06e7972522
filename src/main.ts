/**
 * The entry: configuration, signals and the exit code; `app.ts` does the rest. What only a server
 * needs is loaded once a server was asked for.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import pino, { type Logger } from 'pino';
import type { App } from './app.ts';
import { type Config, loadConfig } from './config.ts';
import { CannotOpenStore } from './store/database/data-directory.ts';
import { describeError } from './store/database/sql-error.ts';

/** A stop that takes longer than this is cut off; the leases of its work are taken over. */
const maxStopMs = 9_000;

async function main(): Promise<void> {
  process.umask(0o077);
  const config = loadConfig();
  if (config.rotateSecrets) return await rotate(config);
  await (config.link ? link(config) : run(config));
}

async function rotate(given: Config): Promise<void> {
  const { rotateSecrets } = await import('./store/rotate-secrets.ts');
  const { keyId, rows, unreadable } = await rotateSecrets({
    ...given,
    connections: 2,
    transitionRetentionDays: undefined,
    log: createLog(given.logLevel),
  });
  const done = `Every secret is sealed with the key ${keyId} now; ${rows} resource${rows === 1 ? ' was' : 's were'} changed.`;
  process.stdout.write(
    `${[...unreadable, ...(unreadable.length === 0 ? [done] : [])].join('\n')}\n`,
  );
  if (unreadable.length > 0) process.exitCode = 1;
}

async function link(given: Config): Promise<void> {
  const { CannotLink, requestSignInLink } = await import('./server/auth/link.ts');
  try {
    process.stdout.write(`${(await requestSignInLink(given)).url}\n`);
  } catch (error) {
    if (!(error instanceof CannotLink)) throw error;
    process.stderr.write(`${error.message}\n`);
    process.exitCode = 1;
  }
}

async function run(given: Config): Promise<void> {
  const log = createLog(given.logLevel);
  const folder = given.ephemeral ? await mkdtemp(join(tmpdir(), 'instance-manager-')) : null;
  let app: App | undefined;
  const close = async (): Promise<void> => {
    await app?.stop();
    if (folder) await rm(folder, { recursive: true, force: true }).catch(() => undefined);
  };
  let stopping = false;
  const stop = async (signal: string): Promise<void> => {
    if (stopping) return;
    stopping = true;
    log.info({ signal }, 'stopping');
    setTimeout(() => process.exit(1), maxStopMs).unref();
    await close();
    process.exit(0);
  };
  try {
    const { createApp } = await import('./app.ts');
    app = await createApp(folder ? { ...given, dataDir: folder } : given, log);
    process.on('SIGTERM', () => void stop('SIGTERM'));
    process.on('SIGINT', () => void stop('SIGINT'));
    process.stdout.write(
      [
        `Instance Manager at ${app.url}/`,
        `GraphiQL and the API at ${app.url}/graphql`,
        `Sign a browser in, once and within 10 minutes: ${await app.createSignInLink()}`,
        'Another link: npm run link',
        '',
      ].join('\n'),
    );
  } catch (error) {
    // Before the parts are closed, which may fail because of it, or hang.
    show(error);
    setTimeout(() => process.exit(1), maxStopMs).unref();
    await close().catch(() => undefined);
    process.exit(1);
  }
}

/**
 * The log: one JSON line per event on stderr, without variables, headers, settings, keys and parameters of
 * statements. Values that may contain secrets are removed wherever they occur.
 */
function createLog(level: string): Logger {
  return pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      serializers: { err: describeError },
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

/** Shows why there is no server. */
function show(error: unknown): void {
  process.stderr.write(`${isExpected(error) ? error.message : described(error)}\n`);
}

/** Errors that are made for the operator are one line; those of the system (a port in use) have a code. */
function isExpected(error: unknown): error is Error {
  if (error instanceof CannotOpenStore) return true;
  if (error instanceof Error && error.name === 'CannotRotate') return true;
  return error instanceof Error && error.message !== '' && 'code' in error && !isOfNode(error.code);
}

/** A code of Node's own, such as ERR_INVALID_ARG_TYPE, is a fault of the program. */
function isOfNode(code: unknown): boolean {
  return typeof code !== 'string' || /^ERR_(?!OSSL)/.test(code);
}

function described(error: unknown): string {
  if (!(error instanceof Error)) return `Thrown: ${inspect(error)}`;
  const causes = error instanceof AggregateError ? error.errors : [error.cause ?? []].flat();
  return [
    error.stack ?? String(error),
    ...causes.map((cause) => `Cause: ${described(cause)}`),
  ].join('\n');
}

main().catch((error: unknown) => {
  show(error);
  process.exit(1);
});
