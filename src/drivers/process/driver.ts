/**
 * Hosts as processes of this machine: each host is an agent with a loopback address of its own,
 * each runtime a child of its agent. They outlive the server. Processes are no isolation boundary.
 */
import { existsSync, realpathSync } from 'node:fs';
import { join, resolve } from 'node:path';
import {
  type AllocatedHost,
  type Call,
  type ContainerImage,
  type Driver,
  DriverError,
  type Engine,
  type Handle,
  type Holding,
  type HostObservation,
  type HostRequest,
  type RuntimeObservation,
  type RuntimeRef,
  type RuntimeRequest,
  type StartedRuntime,
} from '../driver.ts';
import { createInFlight } from '../in-flight.ts';
import { aborted, badHandle } from '../refusals.ts';
import { type Bundle, bundleProgram, findPrograms, placeBundle } from './bundle.ts';
import { askAgent, askHealth, silent } from './client.ts';
import {
  type ContainerRecord,
  type HeartbeatFile,
  type HostRecord,
  makeFolder,
  writeJson,
} from './files.ts';
import {
  endHost,
  findAgent,
  type Host,
  hostOf,
  inspectFromOutside,
  placeAuthorities,
  removeFiles,
  startAgent,
  waitOnline,
  whyNoAgent,
} from './host.ts';
import type { ProcessIdentity } from './identity.ts';
import { withHost } from './lock.ts';
import { holdingsOf, inspectMachine, processLimits } from './machine.ts';
import type { ProgramName } from './program.ts';
import type { CommandName, Commands } from './protocol.ts';

export interface ProcessDriverOptions {
  /**
   * Contains everything that this driver stores: hosts, bundles, locks. Mode 0700; one per
   * installation.
   */
  readonly folder: string;
  /** Null: hosts live until they are released. Otherwise the server touches this file regularly. */
  readonly heartbeatFile: HeartbeatFile | null;
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
export class ProcessDriver implements Driver {
  readonly kind = 'PROCESS';
  readonly limits = processLimits;
  readonly #folder: string;
  readonly #heartbeatFile: HeartbeatFile | null;
  readonly #log: ProcessDriverOptions['log'];
  readonly #calls = createInFlight();
  readonly #bundles = new Map<ProgramName, Promise<Bundle>>();
  readonly #programOf: ReturnType<typeof findPrograms>;

  constructor({ folder, heartbeatFile, log, runtimeEntry }: ProcessDriverOptions) {
    makeFolder(resolve(folder));
    // The process tags of hosts are derived from this path, so it must have one spelling.
    this.#folder = realpathSync(resolve(folder));
    makeFolder(join(this.#folder, 'hosts'));
    makeFolder(join(this.#folder, 'bundles'));
    this.#heartbeatFile = heartbeatFile && { ...heartbeatFile, file: resolve(heartbeatFile.file) };
    this.#log = log;
    this.#programOf = findPrograms(runtimeEntry);
  }

  async inspectEngine({ signal }: Call): Promise<Engine> {
    if (signal.aborted) throw aborted('');
    return inspectMachine();
  }

  async listHoldings({ signal }: Call): Promise<readonly Holding[]> {
    if (signal.aborted) throw aborted('');
    return holdingsOf(this.#folder);
  }

  allocateHost({ hostId }: HostRequest, outerCall: Call): Promise<AllocatedHost> {
    return this.#locked(hostId, outerCall, async (host, call) => {
      const found = findAgent(host);
      if (found) {
        const { record, agent } = found;
        await waitOnline(host, { record, identity: agent.identity }, call);
        return allocated(record, agent.identity);
      }
      await endHost(host, [], call.signal);
      const started = await this.#start(host, null);
      await waitOnline(host, started, call);
      return allocated(started.record, started.identity);
    });
  }

  checkHost(handle: Handle, endpoint: string, outerCall: Call): Promise<HostObservation> {
    return this.#calls.run(outerCall, async (call): Promise<HostObservation> => {
      const host = this.#hostOf(handle);
      const found = findAgent(host);
      if (!found) return { answers: false, reason: whyNoAgent(host) };
      const { hostId, address, socket } = found.record;
      const port = found.agent.healthPort;
      try {
        const [problem] = await Promise.all([
          askHealth({ address, port, hostId, signal: call.signal }),
          askAgent({ socket, hostId, command: 'setEndpoint', body: { endpoint }, ...call }),
        ]);
        return problem === null ? { answers: true } : { answers: false, reason: problem };
      } catch (error) {
        return { answers: false, reason: messageOf(error) };
      }
    });
  }

  restartHost({ hostId }: HostRequest, handle: Handle, outerCall: Call): Promise<AllocatedHost> {
    return this.#locked(hostId, outerCall, async (host, call) => {
      const { agent, address } = parseHandle(handle);
      await this.#bundle('agent'); // before anything ends
      await endHost(host, [agent], call.signal);
      const started = await this.#start(host, address);
      return allocated(started.record, started.identity);
    });
  }

  releaseHost(hostId: string, handle: Handle | null, outerCall: Call): Promise<void> {
    return this.#locked(hostId, outerCall, async (host, call) => {
      await endHost(host, handle ? [parseHandle(handle).agent] : [], call.signal);
      removeFiles(host, this.#folder);
      this.#log?.info({ hostId }, 'released a host');
    });
  }

  async deployContainer(
    handle: Handle,
    image: ContainerImage,
    outerCall: Call,
  ): Promise<{ imageDigest: string }> {
    return this.#locked(parseHandle(handle).hostId, outerCall, async (host) => {
      if (!findAgent(host)) throw silent(host.hostId, 'its agent is dead');
      return this.#deploy(host, image);
    });
  }

  startRuntime(handle: Handle, runtime: RuntimeRequest, outerCall: Call): Promise<StartedRuntime> {
    return this.#calls.run(outerCall, async (call) => {
      const { instanceId, runId, runKey, endpoint, heartbeatSeconds, hostNames } = runtime;
      const host = this.#hostOf(handle);
      // A host without instances may never have been given an image.
      if (findAgent(host) && !existsSync(host.files.container)) {
        await this.#deploy(host, runtime.image);
      }
      placeAuthorities(host, runtime.authorities);
      const body = { instanceId, runId, runKey, endpoint, heartbeatSeconds, hostNames };
      // Runtimes listen on the address of the host themselves.
      return { ...(await this.#ask(handle, ['startRuntime', body], call)), published: {} };
    });
  }

  stopRuntime(handle: Handle, runtime: RuntimeRef, outerCall: Call): Promise<void> {
    return this.#calls.run(outerCall, (call) => this.#end('stopRuntime', handle, [runtime, call]));
  }

  killRuntime(handle: Handle, runtime: RuntimeRef, outerCall: Call): Promise<void> {
    return this.#calls.run(outerCall, (call) => this.#end('killRuntime', handle, [runtime, call]));
  }

  /** The exit stays on record, for as long as the host. */
  removeRuntime(handle: Handle, runtime: RuntimeRef, outerCall: Call): Promise<void> {
    return this.killRuntime(handle, runtime, outerCall);
  }

  inspectRuntime(
    handle: Handle,
    { instanceId, runId }: RuntimeRef,
    outerCall: Call,
  ): Promise<RuntimeObservation> {
    return this.#calls.run(outerCall, async (call): Promise<RuntimeObservation> => {
      const name = { instanceId, runId };
      try {
        return await this.#ask(handle, ['inspectRuntime', name], call);
      } catch (error) {
        if (error instanceof DriverError && error.code === 'INVALID_ID') throw error;
        const found = inspectFromOutside(this.#hostOf(handle), name);
        return found ?? { state: 'unknown', reason: messageOf(error) };
      }
    });
  }

  async close(): Promise<void> {
    this.#calls.endAll();
  }

  #hostOf(handle: Handle): Host {
    return hostOf(this.#folder, parseHandle(handle).hostId);
  }

  /** Written on first use, then kept; retried after a failure. */
  #bundle(name: ProgramName): Promise<Bundle> {
    const known =
      this.#bundles.get(name) ??
      this.#programOf(name).then((program) =>
        bundleProgram(program, join(this.#folder, 'bundles')),
      );
    this.#bundles.set(name, known);
    known.catch(() => this.#bundles.delete(name));
    return known;
  }

  /** Runs a verb of the whole host: exclusively, and refused if a newer worker has acted. */
  #locked<T>(
    hostId: string,
    outerCall: Call,
    work: (host: Host, call: Call) => Promise<T>,
  ): Promise<T> {
    return this.#calls.run(outerCall, async (call) => {
      const host = hostOf(this.#folder, hostId);
      const locks = join(this.#folder, 'locks');
      return withHost({ folder: locks, hostId, call }, () => work(host, call));
    });
  }

  async #start(host: Host, address: string | null) {
    const { file } = await this.#bundle('agent');
    const [folder, heartbeatFile] = [this.#folder, this.#heartbeatFile];
    const started = await startAgent(host, { folder, bundle: file, heartbeatFile, address });
    const { pid } = started.identity;
    this.#log?.info({ hostId: host.hostId, pid }, 'started the agent of a host');
    return started;
  }

  async #ask<Name extends CommandName>(
    handle: Handle,
    [command, body]: readonly [Name, Commands[Name]['takes']],
    call: Call,
  ): Promise<Commands[Name]['answers']> {
    const host = this.#hostOf(handle);
    const found = findAgent(host);
    if (!found) throw silent(host.hostId, 'its agent is dead');
    const { socket } = found.record;
    return askAgent({ socket, hostId: host.hostId, command, body, ...call });
  }

  async #deploy(host: Host, image: ContainerImage): Promise<{ imageDigest: string }> {
    const runtime = await this.#bundle('runtime');
    makeFolder(host.files.containers);
    placeBundle(runtime, host.files.containers);
    const { repository, tag } = image;
    const record = { digest: runtime.digest, repository, image: image.image, tag };
    writeJson(host.files.container, record satisfies ContainerRecord);
    return { imageDigest: runtime.digest };
  }

  /** Stops or kills. The end of a run is known without the agent too, if that has died. */
  async #end(
    command: 'stopRuntime' | 'killRuntime',
    handle: Handle,
    [{ instanceId, runId }, call]: readonly [RuntimeRef, Call],
  ): Promise<void> {
    try {
      await this.#ask(handle, [command, { instanceId, runId }], call);
    } catch (error) {
      const host = this.#hostOf(handle);
      const isGone = !findAgent(host) && inspectFromOutside(host, { instanceId, runId }) !== null;
      if (!isGone) throw error;
    }
  }
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
  throw badHandle('process');
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
