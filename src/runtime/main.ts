/** The runtime program: reads its configuration, runs, and exits with a code of `exitCodes`. */
import { ConfigError, readConfig } from './config.ts';
import { serveHealth } from './health.ts';
import { createLog } from './log.ts';
import { exitCodes, startRuntime } from './runtime.ts';
import { readStartMessage } from './start-message.ts';

async function main(): Promise<number> {
  process.umask(0o077);
  // The reader of the output may be gone.
  for (const output of [process.stdout, process.stderr]) output.on('error', () => {});
  const log = createLog((text) => process.stdout.write(text));
  try {
    const config = await readConfig(process.env);
    const message = await readStartMessage(process.env, process.stdin);
    const { address, healthPort: port } = config;
    if (port !== null) serveHealth({ address, port, log });
    const runtime = startRuntime(config, message, log);
    for (const signal of ['SIGTERM', 'SIGINT'] as const) {
      process.on(signal, () => void runtime.stop());
    }
    for (const event of ['uncaughtException', 'unhandledRejection'] as const) {
      process.on(event, (error: unknown) => void runtime.fault(error));
    }
    return await runtime.finished;
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    log.error(error.message);
    return exitCodes.misconfigured;
  }
}

void main().then((code) => process.exit(code));
