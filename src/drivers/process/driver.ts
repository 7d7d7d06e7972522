/**
 * Hosts as processes of this machine: each host is an agent with a loopback address of its own,
 * each runtime a child of its agent. They outlive the server. Processes are no isolation boundary.
 */
import { existsSync, readFileSync, realpathSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import {
  type AllocatedHost,
  type Call,
  type ContainerImage,
  type Driver,
  DriverError,
  type Handle,
  type HostObservation,
  type RuntimeObservation,
  type RuntimeRef,
} from '../driver.ts';
import { type Bundle, bundleProgram, findPrograms, placeBundle } from './bundle.ts';
import { askAgent, askHealth, silent } from './client.ts';
import {
  type ContainerRecord,
  type HostRecord,
  type Lifeline,
  makeFolder,
  type RuntimeRecord,
  readJson,
  writeJson,
  writeWhole,
} from './files.ts';
import {
  endHost,
  findAgent,
  type Host,
  hostOf,
  removeFiles,
  startAgent,
  waitOnline,
} from './host.ts';
import { findMarked, isAlive, type ProcessIdentity } from './identity.ts';
import { createInFlight } from './in-flight.ts';
import { withHost } from './lock.ts';
import { readTail } from './output.ts';
import type { ProgramName } from './program.ts';
import type { CommandName, Commands } from './protocol.ts';

export interface ProcessDriverOptions {
  /**
   * Contains everything that this driver stores: hosts, bundles, locks. Mode 0700; one per
   * installation.
   */
  readonly folder: string;
  /** Null: hosts live until they are released. Otherwise the server touches the file regularly. */
  readonly lifeline: Lifeline | null;
  readonly log?: { info(fields: object, message: string): void };
  /** The source of the runtime program; tests may pass another one. */
  readonly runtimeEntry?: string;
}

/** The content of a handle of this driver. */
interface ProcessHandle {
  readonly hostId: string;
  readonly address: string;
  readonly agent: ProcessIdentity;
}

/** The driver for hosts on this machine. Several servers may share one folder. */
export function createProcessDriver(options: ProcessDriverOptions): Driver {
  makeFolder(resolve(options.folder));
  // Marks of hosts are derived from this path, so it must have one spelling.
  const folder = realpathSync(resolve(options.folder));
  makeFolder(join(folder, 'hosts'));
  makeFolder(join(folder, 'bundles'));
  const { lifeline: file, log } = options;
  const lifeline = file && { file: resolve(file.file), seconds: file.seconds };
  const calls = createInFlight();
  const bundles = new Map<ProgramName, Promise<Bundle>>();

  const programOf = findPrograms(options.runtimeEntry);

  /** Written on first use, then kept; retried after a failure. */
  const bundle = (name: ProgramName): Promise<Bundle> => {
    const known =
      bundles.get(name) ??
      programOf(name).then((program) => bundleProgram(program, join(folder, 'bundles')));
    bundles.set(name, known);
    known.catch(() => bundles.delete(name));
    return known;
  };

  /** Runs a verb of the whole host: exclusively, and refused if a newer worker has acted. */
  const locked = <T>(
    hostId: string,
    outerCall: Call,
    work: (host: Host, call: Call) => Promise<T>,
  ): Promise<T> =>
    calls.run(outerCall, async (call) => {
      const host = hostOf(folder, hostId);
      return withHost({ folder: join(folder, 'locks'), hostId, call }, () => work(host, call));
    });

  const start = async (host: Host, address: string | null) => {
    const { file } = await bundle('agent');
    const started = await startAgent(host, { folder, bundle: file, lifeline, address });
    log?.info({ hostId: host.hostId, pid: started.identity.pid }, 'started the agent of a host');
    return started;
  };

  const ask = async <Name extends CommandName>(
    handle: Handle,
    [command, body]: readonly [Name, Commands[Name]['takes']],
    call: Call,
  ): Promise<Commands[Name]['answers']> => {
    const { hostId } = parseHandle(handle);
    const found = findAgent(hostOf(folder, hostId));
    if (!found) throw silent(hostId, 'its agent is dead');
    return askAgent({ socket: found.record.socket, hostId, command, body, ...call });
  };

  const deploy = async (host: Host, image: ContainerImage): Promise<{ imageDigest: string }> => {
    const runtime = await bundle('runtime');
    makeFolder(host.files.containers);
    placeBundle(runtime, host.files.containers);
    const { repository, tag } = image;
    const record = { digest: runtime.digest, repository, image: image.image, tag };
    writeJson(host.files.container, record satisfies ContainerRecord);
    return { imageDigest: runtime.digest };
  };

  /** Stops or kills. The end of a run is known without the agent too, if that has died. */
  const end = async (
    command: 'stopRuntime' | 'killRuntime',
    handle: Handle,
    [{ instanceId, runId }, call]: readonly [RuntimeRef, Call],
  ): Promise<void> => {
    try {
      await ask(handle, [command, { instanceId, runId }], call);
    } catch (error) {
      const host = hostOf(folder, parseHandle(handle).hostId);
      const isGone = !findAgent(host) && inspectFromOutside(host, { instanceId, runId }) !== null;
      if (!isGone) throw error;
    }
  };

  return {
    kind: 'PROCESS',
    capabilities: { sharedHosts: true },

    allocateHost: ({ hostId }, outerCall) =>
      locked(hostId, outerCall, async (host, call) => {
        const found = findAgent(host);
        if (found) {
          const { record, agent } = found;
          await waitOnline(host, { record, identity: agent.identity }, call);
          return allocated(record, agent.identity);
        }
        await endHost(host, [], call.signal);
        const started = await start(host, null);
        await waitOnline(host, started, call);
        return allocated(started.record, started.identity);
      }),

    checkHost: (handle, endpoint, outerCall) =>
      calls.run(outerCall, async (call): Promise<HostObservation> => {
        const host = hostOf(folder, parseHandle(handle).hostId);
        const found = findAgent(host);
        if (!found) return { answers: false, reason: whyNoAgent(host) };
        const { address, socket } = found.record;
        const port = found.agent.healthPort;
        const { hostId } = host;
        try {
          const [problem] = await Promise.all([
            askHealth({ address, port, hostId, signal: call.signal }),
            askAgent({ socket, hostId, command: 'setEndpoint', body: { endpoint }, ...call }),
          ]);
          return problem === null ? { answers: true } : { answers: false, reason: problem };
        } catch (error) {
          return { answers: false, reason: messageOf(error) };
        }
      }),

    restartHost: ({ hostId }, handle, outerCall) =>
      locked(hostId, outerCall, async (host, call) => {
        const { agent, address } = parseHandle(handle);
        await bundle('agent'); // before anything ends
        await endHost(host, [agent], call.signal);
        const started = await start(host, address);
        return allocated(started.record, started.identity);
      }),

    releaseHost: (hostId, handle, outerCall) =>
      locked(hostId, outerCall, async (host, call) => {
        await endHost(host, handle ? [parseHandle(handle).agent] : [], call.signal);
        removeFiles(host, folder);
        log?.info({ hostId }, 'released a host');
      }),

    deployContainer: async (handle, image, outerCall) =>
      locked(parseHandle(handle).hostId, outerCall, async (host) => {
        if (!findAgent(host)) throw silent(host.hostId, 'its agent is dead');
        return deploy(host, image);
      }),

    startRuntime: (handle, runtime, outerCall) =>
      calls.run(outerCall, async (call) => {
        const { instanceId, runId, runKey, endpoint, heartbeatSeconds } = runtime;
        const host = hostOf(folder, parseHandle(handle).hostId);
        // A host without instances may never have been given an image.
        if (findAgent(host) && !existsSync(host.files.container)) await deploy(host, runtime.image);
        placeAuthorities(host, runtime.authorities);
        const body = { instanceId, runId, runKey, endpoint, heartbeatSeconds };
        return ask(handle, ['startRuntime', body], call);
      }),

    stopRuntime: (handle, runtime, outerCall) =>
      calls.run(outerCall, (call) => end('stopRuntime', handle, [runtime, call])),

    killRuntime: (handle, runtime, outerCall) =>
      calls.run(outerCall, (call) => end('killRuntime', handle, [runtime, call])),

    inspectRuntime: (handle, { instanceId, runId }, outerCall) =>
      calls.run(outerCall, async (call): Promise<RuntimeObservation> => {
        const name = { instanceId, runId };
        try {
          return await ask(handle, ['inspectRuntime', name], call);
        } catch (error) {
          if (error instanceof DriverError && error.code === 'INVALID_ID') throw error;
          const host = hostOf(folder, parseHandle(handle).hostId);
          return inspectFromOutside(host, name) ?? { state: 'unknown', reason: messageOf(error) };
        }
      }),

    async close() {
      calls.endAll();
    },
  };
}

/**
 * Stores the authorities that the runtimes of the host trust, because the given file may go away.
 */
function placeAuthorities({ files }: Host, authorities: string | null): void {
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
function inspectFromOutside(host: Host, name: RuntimeRef): RuntimeObservation | null {
  const logTail = readTail(host.files.output(name.instanceId));
  const ended = { state: 'exited', exitCode: null, signal: null, logTail } as const;
  if (!existsSync(host.files.host)) return findMarked(host.mark).length === 0 ? ended : null;
  const run = readJson<RuntimeRecord>(host.files.runtime(name.instanceId))?.run;
  if (run?.runId !== name.runId) return null;
  if (run.exit) return { state: 'exited', ...run.exit };
  return run.identity && !isAlive(run.identity) ? ended : null;
}

function whyNoAgent(host: Host): string {
  if (!readJson<HostRecord>(host.files.host)) return 'this host was released or never allocated';
  const tail = readTail(host.files.agentLog).split('\n').at(-1);
  return `its agent is not up; its last line: ${tail || 'none'}`;
}

function allocated(record: HostRecord, agent: ProcessIdentity): AllocatedHost {
  const handle: ProcessHandle = { hostId: record.hostId, address: record.address, agent };
  return { handle: { ...handle }, address: record.address };
}

function parseHandle(handle: Handle): ProcessHandle {
  const { hostId, address, agent } = handle as Partial<ProcessHandle>;
  if (
    typeof hostId === 'string' &&
    typeof address === 'string' &&
    typeof agent?.pid === 'number' &&
    typeof agent.startTime === 'string' &&
    typeof agent.bootId === 'string'
  ) {
    return { hostId, address, agent };
  }
  throw new DriverError(
    'BAD_HANDLE',
    'The stored handle was not made by the process driver. Remove the host and deploy it again.',
    { retryable: false },
  );
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
