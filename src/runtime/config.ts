/**
 * The configuration of a runtime: from the environment, and its key from the first line of stdin.
 */
import { readFileSync, statSync } from 'node:fs';
import { isIP } from 'node:net';
import type { Readable } from 'node:stream';

/** The configuration. It does not contain the key of the run, so it may be shown. */
export interface RuntimeConfig {
  readonly instance: string;
  readonly run: string;
  /** The IP address that everything listens on. */
  readonly address: string;
  readonly workFolder: string;
  readonly heartbeatSeconds: number;
  /** DNS names that the Host of a request may carry, besides the address. */
  readonly hostNames: readonly string[];
  /** The present address of the API; called before each connection. */
  readonly endpoint: () => Promise<string>;
}

/** The configuration is wrong. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
}

const keyLineBytes = 16_384;
const keyTimeoutMilliseconds = 10_000;

/** Reads the environment. Rejects with a `ConfigError` that names every faulty variable. */
export async function readConfig(
  env: Readonly<Record<string, string | undefined>>,
): Promise<RuntimeConfig> {
  const faults: string[] = [];
  const required = (name: string): string => {
    const value = env[name] ?? '';
    if (value === '') faults.push(`${name} is missing.`);
    return value;
  };
  const instance = required('RUNTIME_INSTANCE');
  const run = required('RUNTIME_RUN');
  const address = required('RUNTIME_ADDRESS');
  const workFolder = required('RUNTIME_WORK_FOLDER');
  const endpointFile = env.RUNTIME_ENDPOINT_FILE ?? '';
  const endpoint = endpointFile === '' ? required('RUNTIME_ENDPOINT') : env.RUNTIME_ENDPOINT;
  const heartbeatSeconds = Number(env.RUNTIME_HEARTBEAT_SECONDS ?? '10');
  const hostNames = (env.RUNTIME_HOST_NAMES ?? '').split(',').map((name) => name.trim());
  if (address !== '' && isIP(address) === 0) faults.push('RUNTIME_ADDRESS takes an IP address.');
  if (!(heartbeatSeconds > 0 && heartbeatSeconds <= 3600)) {
    faults.push('RUNTIME_HEARTBEAT_SECONDS takes a number over 0, 3600 at most.');
  }
  if (endpoint !== undefined && endpoint !== '' && !isEndpoint(endpoint)) {
    faults.push('RUNTIME_ENDPOINT takes a ws:// or wss:// address.');
  }
  if (workFolder !== '' && !isFolder(workFolder)) {
    faults.push(`RUNTIME_WORK_FOLDER takes a folder that exists; ${workFolder} is none.`);
  }
  if (faults.length > 0) throw new ConfigError(faults.join(' '));
  return {
    instance,
    run,
    address,
    workFolder,
    heartbeatSeconds,
    hostNames: hostNames.filter((name) => name !== '').map((name) => name.toLowerCase()),
    endpoint: () => currentEndpoint(endpointFile, endpoint),
  };
}

/** Reads `{"runKey":"…"}`, the first line of stdin. What follows it is left unread. */
export async function readRunKey(input: Readable): Promise<string> {
  const timer = setTimeout(
    () => input.destroy(new ConfigError('No run key came by stdin within 10 s.')),
    keyTimeoutMilliseconds,
  );
  try {
    let text = '';
    for await (const chunk of input) {
      text += String(chunk);
      if (text.includes('\n') || text.length > keyLineBytes) break;
    }
    return parseKey(text.split('\n', 1)[0] ?? '');
  } finally {
    clearTimeout(timer);
  }
}

function parseKey(line: string): string {
  try {
    const parsed: unknown = JSON.parse(line);
    if (typeof parsed === 'object' && parsed !== null && 'runKey' in parsed) {
      if (typeof parsed.runKey === 'string' && parsed.runKey !== '') return parsed.runKey;
    }
  } catch {
    // Reported below without the text, which may contain a part of the key.
  }
  throw new ConfigError('The first line of stdin must be {"runKey":"…"}.');
}

async function currentEndpoint(file: string, fallback: string | undefined): Promise<string> {
  const endpoint = (file !== '' && readText(file)) || (fallback ?? '');
  if (isEndpoint(endpoint)) return endpoint;
  throw new Error(`${file === '' ? 'RUNTIME_ENDPOINT' : file} holds no ws:// or wss:// address`);
}

/** Empty where there is none. */
function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8').trim();
  } catch {
    return '';
  }
}

function isEndpoint(text: string): boolean {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  return url?.protocol === 'ws:' || url?.protocol === 'wss:';
}

function isFolder(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch {
    return false;
  }
}
