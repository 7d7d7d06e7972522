/** Starts and ends the agent of a host, from outside. */
import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { closeSync, existsSync, openSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { type Call, DriverError, type RuntimeObservation, type RuntimeRef } from '../driver.ts';
import { aborted } from '../refusals.ts';
import { pickAddress } from './address.ts';
import { askAgent, silent } from './client.ts';
import {
  type AgentRecord,
  type HeartbeatFile,
  type HostFiles,
  type HostRecord,
  hostFiles,
  makeFolder,
  processTagOf,
  type RuntimeRecord,
  readJson,
  safeName,
  socketPath,
  writeJson,
  writeWhole,
} from './files.ts';
import {
  endByForce,
  findTagged,
  identityOf,
  isAlive,
  type ProcessIdentity,
  processTagVariable,
  signalProcess,
  waitGone,
} from './identity.ts';
import { readTail } from './output.ts';
import { runtimeGraceMs } from './protocol.ts';

const onlineWithinMs = 15_000;
/** Time for the agent to end. It first ends its runtimes. */
const graceMs = runtimeGraceMs + 1_000;
const forceMs = 8_000;

/** A host of this driver: its id, its files, its process tag. */
export interface Host {
  readonly hostId: string;
  readonly files: HostFiles;
  readonly processTag: string;
}

/** The host of an id, before any of its files is read. */
export function hostOf(folder: string, hostId: string): Host {
  return {
    hostId,
    files: hostFiles(join(folder, 'hosts', safeName(hostId))),
    processTag: processTagOf(folder, hostId),
  };
}

/** The agent of the host according to files and processes: null if none has come up, or it died. */
export function findAgent(host: Host): { record: HostRecord; agent: AgentRecord } | null {
  const record = readJson<HostRecord>(host.files.host);
  const agent = readJson<AgentRecord>(host.files.agent);
  if (!record || agent?.nonce !== record.nonce || !isAlive(agent.identity)) return null;
  return { record, agent };
}

/**
 * Starts an agent for a host that has none (see `endHost`). Keeps the address of the host.
 * @param options.address the address of the host, if its files are lost
 * @throws DriverError HOST_DID_NOT_START
 */
export async function startAgent(
  host: Host,
  options: {
    folder: string;
    bundle: string;
    heartbeatFile: HeartbeatFile | null;
    address: string | null;
  },
): Promise<{ record: HostRecord; identity: ProcessIdentity }> {
  const { files, hostId, processTag } = host;
  makeFolder(files.folder);
  const earlier = readJson<HostRecord>(files.host);
  const place = await placeOf(earlier, options);
  const record: HostRecord = {
    hostId,
    nonce: randomUUID(),
    processTag,
    ...place,
    socket: socketPath(options.folder, files.folder),
    heartbeatFile: options.heartbeatFile,
  };
  rmSync(files.agent, { force: true });
  writeJson(files.host, record);
  const log = openSync(files.agentLog, 'a', 0o600);
  try {
    const child = spawn(
      process.execPath,
      [options.bundle, files.folder, record.nonce, processTag],
      {
        cwd: files.folder,
        detached: true,
        env: { NODE_ENV: 'production', [processTagVariable]: processTag },
        stdio: ['ignore', log, log],
      },
    );
    child.unref();
    const identity = child.pid === undefined ? null : identityOf(child.pid);
    await once(child, 'spawn'); // rejects with the reason where it cannot be started
    if (!identity) throw new Error('it ended at once');
    return { record, identity };
  } catch (error) {
    throw didNotStart(host, (error as Error).message, error);
  } finally {
    closeSync(log);
  }
}

/**
 * Waits until the agent answers on its socket.
 * @throws DriverError HOST_DID_NOT_START if it ended, HOST_SILENT if it does not answer
 */
export async function waitOnline(
  host: Host,
  started: { record: HostRecord; identity: ProcessIdentity },
  call: Call,
): Promise<void> {
  const { record, identity } = started;
  const until = performance.now() + onlineWithinMs;
  while (readJson<AgentRecord>(host.files.agent)?.nonce !== record.nonce) {
    if (!isAlive(identity)) throw didNotStart(host, 'it ended at once');
    if (call.signal.aborted || performance.now() > until) {
      throw silent(host.hostId, 'its agent has not come up in time');
    }
    await delay(10);
  }
  const { socket } = record;
  await askAgent({ socket, hostId: host.hostId, command: 'hello', body: {}, ...call });
}

/**
 * Ends every process of a host: first its agent by SIGTERM, so that the runtimes can end orderly;
 * then by force whatever is left, found by records, by the handle and by the process tag in its
 * environment. Works for a host whose agent was killed or never recorded.
 * @throws DriverError STILL_ALIVE, ABORTED: then not everything is confirmed gone
 */
export async function endHost(
  host: Host,
  known: readonly ProcessIdentity[],
  signal: AbortSignal,
): Promise<void> {
  const agent = readJson<AgentRecord>(host.files.agent);
  const agents = agent ? [...known, agent.identity] : known;
  const recorded = () => [...agents, ...runtimesOf(host)];
  let asked = false;
  for (const identity of agents) asked = signalProcess(identity, 'SIGTERM') || asked;
  if (asked) await waitGone(recorded, { withinMs: graceMs, signal });
  const all = () => [...recorded(), ...findTagged(host.processTag)];
  if (await endByForce(all, { withinMs: forceMs, signal })) return;
  const pids = all()
    .filter(isAlive)
    .map((identity) => identity.pid);
  if (signal.aborted) throw aborted(`Processes of host ${host.hostId} may still be there.`);
  throw new DriverError(
    'STILL_ALIVE',
    `Processes of host ${host.hostId} are still there ${forceMs / 1000} s after SIGKILL ` +
      `(pids ${pids.join(', ')}); they are probably stuck in the kernel. ` +
      'Look at the machine, then repeat it.',
    { retryable: true },
  );
}

/** Removes the files of a host whose processes are gone. */
export function removeFiles(host: Host, folder: string): void {
  rmSync(readJson<HostRecord>(host.files.host)?.socket ?? socketPath(folder, host.files.folder), {
    force: true,
  });
  rmSync(host.files.folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 });
}

/**
 * Stores the authorities that the runtimes of the host trust, because the given file may go away.
 */
export function placeAuthorities({ files }: Host, authorities: string | null): void {
  if (!existsSync(files.host)) return;
  if (authorities === null) rmSync(files.authorities, { force: true });
  else if (
    !existsSync(files.authorities) ||
    readFileSync(files.authorities, 'utf8') !== authorities
  )
    writeWhole(files.authorities, authorities);
}

/**
 * What records and processes show of a run whose agent is silent. Only an end is certain, because a
 * run is started once. A released host has no runs.
 */
export function inspectFromOutside(host: Host, name: RuntimeRef): RuntimeObservation | null {
  const logTail = readTail(host.files.output(name.instanceId));
  const ended = { state: 'exited', exitCode: null, signal: null, logTail } as const;
  if (!existsSync(host.files.host)) return findTagged(host.processTag).length === 0 ? ended : null;
  const run = readJson<RuntimeRecord>(host.files.runtime(name.instanceId))?.run;
  if (run?.runId !== name.runId) return null;
  if (run.exit) return { state: 'exited', ...run.exit };
  return run.identity && !isAlive(run.identity) ? ended : null;
}

/** Why the agent of a host is not found. */
export function whyNoAgent(host: Host): string {
  if (!readJson<HostRecord>(host.files.host)) return 'this host was released or never allocated';
  const tail = readTail(host.files.agentLog).split('\n').at(-1);
  return `its agent is not up; its last line: ${tail || 'none'}`;
}

function runtimesOf(host: Host): ProcessIdentity[] {
  if (!existsSync(host.files.runtimes)) return [];
  return readdirSync(host.files.runtimes)
    .filter((name) => name.endsWith('.json'))
    .map((name) => readJson<RuntimeRecord>(join(host.files.runtimes, name))?.run)
    .flatMap((run) => (run?.identity && !run.exit ? [run.identity] : []));
}

async function placeOf(
  earlier: HostRecord | null,
  options: { folder: string; address: string | null },
): Promise<{ address: string; healthPort: number }> {
  if (earlier) return { address: earlier.address, healthPort: earlier.healthPort };
  const taken = new Set<string>();
  for (const name of readdirSync(join(options.folder, 'hosts'))) {
    const other = readJson<HostRecord>(hostFiles(join(options.folder, 'hosts', name)).host);
    if (other) taken.add(other.address);
  }
  const place = await pickAddress(taken);
  return options.address === null ? place : { ...place, address: options.address };
}

function didNotStart(host: Host, problem: string, cause?: unknown): DriverError {
  return new DriverError(
    'HOST_DID_NOT_START',
    `The agent of host ${host.hostId} did not start: ${problem}. ` +
      'What it wrote is attached; mend that, then repeat it.',
    { retryable: true, logTail: readTail(host.files.agentLog), cause },
  );
}
