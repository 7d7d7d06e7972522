/** The configuration of a runtime, from the environment. */
import { readFileSync, statSync } from 'node:fs';
import { isIP } from 'node:net';

/** The configuration. It does not contain the key of the run, so it may be shown. */
export interface RuntimeConfig {
  readonly instance: string;
  readonly run: string;
  /** The IP address that everything listens on. */
  readonly address: string;
  readonly workFolder: string;
  readonly heartbeatSeconds: number;
  /** Where `/healthz` answers; null: nowhere. */
  readonly healthPort: number | null;
  /** DNS names that the Host of a request may carry, besides the address. */
  readonly hostNames: readonly string[];
  /** Ports to listen on, by the names of listeners; the others take those of the solution. */
  readonly ports: ReadonlyMap<string, number>;
  /**
   * The present addresses of the API, of which any will do; called before each connection. Rejects if
   * there is none.
   */
  readonly endpoints: () => Promise<readonly string[]>;
}

/** The configuration is wrong. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
}

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
  if (endpoint !== undefined && endpoint !== '' && !endpointsOf(endpoint)) {
    faults.push(`RUNTIME_ENDPOINT takes ${endpointForm}.`);
  }
  const healthPort = env.RUNTIME_HEALTH_PORT ? Number(env.RUNTIME_HEALTH_PORT) : null;
  if (healthPort !== null && !(healthPort >= 1 && healthPort <= 65535)) {
    faults.push('RUNTIME_HEALTH_PORT takes a port, 1 to 65535.');
  }
  const ports = portsOf(env.RUNTIME_PORTS ?? '{}');
  if (!ports) faults.push('RUNTIME_PORTS takes JSON: {"listener": port}.');
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
    healthPort,
    hostNames: hostNames.filter((name) => name !== '').map((name) => name.toLowerCase()),
    ports: ports ?? new Map(),
    endpoints: () => currentEndpoints(endpointFile, endpoint),
  };
}

const endpointForm = 'ws://, wss:// or ws+unix:// addresses, with spaces between them';

async function currentEndpoints(
  file: string,
  fallback: string | undefined,
): Promise<readonly string[]> {
  const endpoints = endpointsOf((file !== '' && readText(file)) || (fallback ?? ''));
  if (endpoints) return endpoints;
  throw new Error(`${file === '' ? 'RUNTIME_ENDPOINT' : file} holds no ${endpointForm}`);
}

/** Empty where there is none. */
function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8').trim();
  } catch {
    return '';
  }
}

/** Null: it is none, or one of several is not an address. */
function endpointsOf(text: string): readonly string[] | null {
  const endpoints = text.split(' ').filter((each) => each !== '');
  const isEach = endpoints.every(
    (each) => URL.canParse(each) && /^ws(s|\+unix)?:$/.test(new URL(each).protocol),
  );
  return isEach && endpoints.length > 0 ? endpoints : null;
}

function portsOf(text: string): ReadonlyMap<string, number> | null {
  try {
    const ports = Object.entries(JSON.parse(text) as Record<string, unknown>);
    const isPort = ([, port]: [string, unknown]) => Number.isInteger(port);
    return ports.every(isPort) ? new Map(ports as [string, number][]) : null;
  } catch {
    return null;
  }
}

function isFolder(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch {
    return false;
  }
}
