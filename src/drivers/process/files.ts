/** The files of one host, and how they are written. All are 0600, all folders 0700. */
import { createHash, randomBytes } from 'node:crypto';
import { lstatSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DriverError } from '../driver.ts';
import type { ProcessIdentity } from './identity.ts';

/** `host.json`: what the driver decided. An agent with another nonce ends itself. */
export interface HostRecord {
  readonly hostId: string;
  /** Identifies this start of an agent. */
  readonly nonce: string;
  /** Carried by every process of this host, see `findTagged`. */
  readonly processTag: string;
  readonly address: string;
  /** Requested port; 0: the agent chooses. */
  readonly healthPort: number;
  readonly socket: string;
  readonly heartbeatFile: HeartbeatFile | null;
}

/**
 * A file that the server touches regularly. Without a change for this long, the agent ends itself and
 * its runtimes.
 */
export interface HeartbeatFile {
  readonly file: string;
  readonly seconds: number;
}

/** `agent.json`: written by an agent once it answers. */
export interface AgentRecord {
  readonly nonce: string;
  readonly identity: ProcessIdentity;
  readonly healthPort: number;
}

/** `container.json`: the runtime bundle that is in place. */
export interface ContainerRecord {
  readonly digest: string;
  readonly repository: string;
  readonly image: string;
  readonly tag: string;
}

/** `runtimes/<instanceId>.json`: the newest run of an instance, and who may still act on it. */
export interface RuntimeRecord {
  /** The greatest fencing token seen for this instance, decimal. */
  readonly fence: string;
  readonly run: RunRecord | null;
}

export interface RunRecord {
  readonly runId: string;
  readonly imageDigest: string;
  /** Null between the decision to start and the start, and if it could not be started. */
  readonly identity: ProcessIdentity | null;
  readonly exit: RuntimeExit | null;
}

export interface RuntimeExit {
  readonly exitCode: number | null;
  readonly signal: string | null;
  readonly logTail: string;
}

export interface HostFiles {
  readonly folder: string;
  readonly host: string;
  readonly agent: string;
  readonly agentLog: string;
  readonly container: string;
  readonly containers: string;
  readonly endpoint: string;
  readonly authorities: string;
  readonly runtimes: string;
  readonly instances: string;
  readonly runtime: (instanceId: string) => string;
  readonly instance: (instanceId: string) => string;
  readonly output: (instanceId: string) => string;
}

/** The paths of a host's work folder. */
export function hostFiles(folder: string): HostFiles {
  return {
    folder,
    host: join(folder, 'host.json'),
    agent: join(folder, 'agent.json'),
    agentLog: join(folder, 'agent.log'),
    container: join(folder, 'container.json'),
    containers: join(folder, 'containers'),
    endpoint: join(folder, 'endpoint'),
    authorities: join(folder, 'authorities.pem'),
    runtimes: join(folder, 'runtimes'),
    instances: join(folder, 'instances'),
    runtime: (instanceId) => join(folder, 'runtimes', `${safeName(instanceId)}.json`),
    instance: (instanceId) => join(folder, 'instances', safeName(instanceId)),
    output: (instanceId) => join(folder, 'instances', safeName(instanceId), 'output.log'),
  };
}

/** The program's file within a bundle's folder. */
export const bundleFile = 'main.mjs';

/** Where a bundle lies under a folder of bundles. */
export function bundleFolder(target: string, digest: string): string {
  return join(target, digest.slice('sha256:'.length));
}

/**
 * An id that becomes part of a path.
 * @throws DriverError INVALID_ID
 */
export function safeName(id: string): string {
  if (/^[A-Za-z0-9_-]{1,100}$/.test(id)) return id;
  throw new DriverError(
    'INVALID_ID',
    `${JSON.stringify(id.slice(0, 120))} cannot name a folder. ` +
      'Use 1 to 100 letters, digits, hyphens and underscores.',
    { retryable: false },
  );
}

/** The process tag of a host: the same for every process of it, different in every installation. */
export function processTagOf(folder: string, hostId: string): string {
  return shortHash(`${folder}\0${hostId}`);
}

/**
 * The path of the control socket of a host. The path of a socket is limited to 104 (macOS) or 108
 * bytes, and a work folder may be longer. So the socket lies in the work folder if it fits,
 * otherwise in a 0700 folder of this user under the temporary folder of the system, named by a
 * hash.
 * @throws DriverError SOCKET_FOLDER_UNSAFE if another user made that folder
 */
export function socketPath(folder: string, hostFolder: string): string {
  const near = join(hostFolder, 'agent.sock');
  if (Buffer.byteLength(near) <= 100) return near;
  const user = process.getuid?.() ?? 0;
  const short = join(tmpdir(), `instance-manager-${user}-${shortHash(folder).slice(0, 12)}`);
  mkdirSync(short, { recursive: true, mode: 0o700 });
  const found = lstatSync(short);
  if (!found.isDirectory() || found.uid !== user || (found.mode & 0o077) !== 0) {
    throw new DriverError(
      'SOCKET_FOLDER_UNSAFE',
      `The folder for control sockets ${short} belongs to someone else or is open to others. ` +
        'Remove it, or set TMPDIR or a shorter data folder.',
      { retryable: false },
    );
  }
  return join(short, `${shortHash(hostFolder).slice(0, 16)}.sock`);
}

/** Reads a JSON file that this package wrote; null if it is missing or truncated. */
export function readJson<T>(path: string): T | null {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as T;
  } catch {
    return null;
  }
}

/** Writes a file atomically: a reader sees the old one or the new one. */
export function writeWhole(path: string, text: string): void {
  const temporary = `${path}.${randomBytes(6).toString('hex')}.tmp`;
  try {
    writeFileSync(temporary, text, { mode: 0o600, flush: true });
    renameSync(temporary, path);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
}

/** Writes a value as JSON, atomically. */
export function writeJson(path: string, value: unknown): void {
  writeWhole(path, `${JSON.stringify(value)}\n`);
}

/** Creates a folder that only this user can access. */
export function makeFolder(path: string): void {
  mkdirSync(path, { recursive: true, mode: 0o700 });
}

function shortHash(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 32);
}
