/**
 * Hosts on a Docker engine: a host is a network with labels, each runtime a container on it. The
 * engine holds all state, so any server finds what another one has made. What does not carry the
 * labels of this installation is never touched.
 */
import type {
  AllocatedHost,
  Call,
  ContainerImage,
  DeployCall,
  Driver,
  DriverError,
  Engine,
  Handle,
  Holding,
  HostObservation,
  HostRequest,
  RuntimeObservation,
  RuntimeRef,
  RuntimeRequest,
  StartedRuntime,
  WatchCall,
} from '../driver.ts';
import { createInFlight } from '../in-flight.ts';
import { badHandle } from '../refusals.ts';
import { Containers, ownerOf } from './containers.ts';
import { type DockerConfiguration, EngineConnection } from './engine.ts';
import { refuse, retry } from './errors.ts';
import { admit, type Fences } from './fence.ts';
import { listHoldings, watchExits } from './holdings.ts';
import { dockerLimits, stopGraceSeconds } from './limits.ts';
import { type Labels, labelsOf } from './names.ts';
import { Networks } from './networks.ts';
import { absent, hasExited, isUnstarted, observationOf } from './observation.ts';
import { Images } from './pulls.ts';
import { startContainer } from './start.ts';

export interface DockerDriverOptions {
  readonly configuration: DockerConfiguration;
  /** Tells what this installation has made from what others have. */
  readonly installationId: string;
  readonly fences: Fences;
  /**
   * The socket of the API for runtimes on this machine, as its folder and its name there. Null:
   * runtimes take the endpoint that they are given.
   */
  readonly apiSocket: { readonly folder: string; readonly name: string } | null;
  readonly log?: { info(fields: object, message: string): void };
}

/** The driver of one engine. Several servers may share the engine, and several installations. */
export class DockerDriver implements Driver {
  readonly kind = 'DOCKER';
  readonly limits = dockerLimits;
  readonly #options: DockerDriverOptions;
  readonly #engine: EngineConnection;
  readonly #containers: Containers;
  readonly #networks: Networks;
  readonly #images: Images;
  readonly #calls = createInFlight();

  /** @throws DriverError if the configuration itself is wrong */
  constructor(options: DockerDriverOptions) {
    this.#options = options;
    this.#engine = new EngineConnection(options.configuration);
    this.#containers = new Containers(this.#engine);
    this.#networks = new Networks(this.#engine);
    this.#images = new Images(this.#engine);
  }

  inspectEngine(outerCall: Call): Promise<Engine> {
    return this.#calls.run(outerCall, (call) => this.#engine.inspect(call));
  }

  listHoldings(outerCall: Call): Promise<readonly Holding[]> {
    const on = { containers: this.#containers, networks: this.#networks };
    return this.#calls.run(outerCall, (call) => listHoldings(on, this.#owned(), call));
  }

  watch(outerCall: WatchCall): Promise<void> {
    const { onOpen, onExit } = outerCall;
    return this.#calls.run(outerCall, (call) =>
      watchExits(this.#engine, this.#owned(), { ...call, onOpen, onExit }),
    );
  }

  allocateHost(host: HostRequest, outerCall: Call): Promise<AllocatedHost> {
    return this.#calls.run(outerCall, async (call) => {
      await this.#admitHost(host.hostId, call);
      checkFits(host, await this.#engine.inspect(call));
      const { isNew } = await this.#networks.place(
        this.#owned(host.hostId),
        this.#labels(host.hostId, host.hostKey),
        call,
      );
      try {
        await this.#admitHost(host.hostId, call);
      } catch (error) {
        if (isNew) await this.#networks.removeAll(this.#owned(host.hostId), call);
        throw error;
      }
      return this.#allocated(host.hostId);
    });
  }

  checkHost(handle: Handle, _endpoint: string, outerCall: Call): Promise<HostObservation> {
    return this.#calls.run(outerCall, async (call): Promise<HostObservation> => {
      const hostId = parseHandle(handle);
      try {
        await this.#engine.ping(call);
        if (await this.#networks.find(this.#owned(hostId), call)) return { answers: true };
        const reason = 'the engine answers, and the network of this host is not there';
        return { answers: false, reason };
      } catch (error) {
        return { answers: false, reason: (error as Error).message };
      }
    });
  }

  restartHost(host: HostRequest, handle: Handle, outerCall: Call): Promise<AllocatedHost> {
    return this.#calls.run(outerCall, async (call) => {
      const owner = this.#owned(parseHandle(handle));
      await this.#admitHost(host.hostId, call);
      await this.#endContainers(owner, call);
      await this.#networks.removeAll(owner, call);
      await this.#networks.place(owner, this.#labels(host.hostId, host.hostKey), call);
      return this.#allocated(host.hostId);
    });
  }

  releaseHost(hostId: string, _handle: Handle | null, outerCall: Call): Promise<void> {
    return this.#calls.run(outerCall, async (call) => {
      await this.#admitHost(hostId, call);
      const owner = this.#owned(hostId);
      await this.#endContainers(owner, call);
      await this.#networks.removeAll(owner, call);
      await this.#networks.removeVolumes(owner, call);
      const left = await this.listHoldings(call);
      if (left.some((each) => each.hostId === hostId)) {
        throw retry(
          'STILL_THERE',
          `Something of host ${hostId} was made while it was being released. Repeat it.`,
        );
      }
      this.#options.log?.info({ hostId }, 'released a host');
    });
  }

  deployContainer(handle: Handle, image: ContainerImage, outerCall: DeployCall) {
    return this.#calls.run(outerCall, async (call) => {
      const hostId = parseHandle(handle);
      await this.#admitHost(hostId, call);
      if (!(await this.#networks.find(this.#owned(hostId), call))) throw notAllocated(hostId);
      const { onProgress, anew = false } = outerCall;
      const found = await this.#images.place(image, {
        ...{ ...call, anew },
        ...(onProgress && { onProgress }),
      });
      return { imageDigest: found.digest };
    });
  }

  startRuntime(handle: Handle, runtime: RuntimeRequest, outerCall: Call): Promise<StartedRuntime> {
    return this.#calls.run(outerCall, async (call) => {
      const hostId = parseHandle(handle);
      const { instanceId, instanceKey, runId } = runtime;
      await this.#admitInstance(instanceId, call);
      const network = await this.#networks.find(this.#owned(hostId), call);
      if (!network) throw notAllocated(hostId);
      const { installationId, apiSocket } = this.#options;
      const owner = { installation: installationId, hostId, instanceId };
      const { publishAddress, isLocal } = this.#engine;
      return startContainer({
        ...{ containers: this.#containers, images: this.#images, call, runtime, publishAddress },
        networkId: network.Id,
        owner: { installation: installationId, instanceId },
        labels: labelsOf({ ...owner, runId }, instanceKey),
        volumeLabels: labelsOf(owner, instanceKey),
        apiSocket: isLocal ? apiSocket : null,
        admit: () => this.#admitInstance(instanceId, call),
      });
    });
  }

  stopRuntime(handle: Handle, runtime: RuntimeRef, outerCall: Call): Promise<void> {
    return this.#onRun(handle, [runtime, outerCall], async (found, call) => {
      if (isUnstarted(found)) await this.#containers.remove(found.Id, call);
      else if (!hasExited(found)) await this.#containers.terminate(found, call);
    });
  }

  killRuntime(handle: Handle, runtime: RuntimeRef, outerCall: Call): Promise<void> {
    return this.#onRun(handle, [runtime, outerCall], async (found, call) => {
      if (isUnstarted(found)) await this.#containers.remove(found.Id, call);
      else if (!hasExited(found)) await this.#containers.kill(found, call);
    });
  }

  removeRuntime(handle: Handle, runtime: RuntimeRef, outerCall: Call): Promise<void> {
    return this.#onRun(handle, [runtime, outerCall], (found, call) =>
      this.#containers.remove(found.Id, call),
    );
  }

  inspectRuntime(
    handle: Handle,
    runtime: RuntimeRef,
    outerCall: Call,
  ): Promise<RuntimeObservation> {
    return this.#calls.run(outerCall, async (call): Promise<RuntimeObservation> => {
      const owner = { ...this.#owned(parseHandle(handle)), ...runtime };
      try {
        const [found] = await this.#containers.list(owner, call);
        if (!found) return absent;
        return observationOf(found, await this.#containers.logTail(found.Id, call));
      } catch (error) {
        return { state: 'unknown', reason: (error as Error).message };
      }
    });
  }

  async close(): Promise<void> {
    this.#calls.endAll();
  }

  /** Acts on the container of a run, once the call is admitted. Nothing is done if there is none. */
  #onRun(
    handle: Handle,
    [runtime, outerCall]: readonly [RuntimeRef, Call],
    act: (found: Awaited<ReturnType<Containers['list']>>[number], call: Call) => Promise<void>,
  ): Promise<void> {
    return this.#calls.run(outerCall, async (call) => {
      const owner = { ...this.#owned(parseHandle(handle)), ...runtime };
      await this.#admitInstance(runtime.instanceId, call);
      for (const found of await this.#containers.list(owner, call)) await act(found, call);
    });
  }

  async #endContainers(owner: { installation: string; hostId: string }, call: Call) {
    const all = await this.#containers.list(owner, call);
    await this.#containers.endAll(all, stopGraceSeconds, call);
    const left = await this.#containers.list(owner, call);
    const [first] = left;
    if (!first) return;
    const names = left.map(({ Name }) => Name).join(', ');
    const { hostId } = ownerOf(first);
    throw retry(
      'STILL_THERE',
      `Containers of host ${hostId} are still there: ${names}. Repeat it.`,
    );
  }

  #owned(): { installation: string };
  #owned(hostId: string): { installation: string; hostId: string };
  #owned(hostId?: string) {
    const installation = this.#options.installationId;
    return hostId === undefined ? { installation } : { installation, hostId };
  }

  #labels(hostId: string, key: string): Labels {
    return labelsOf(this.#owned(hostId), key);
  }

  #allocated(hostId: string): AllocatedHost {
    return { handle: { hostId, engine: 'docker' }, address: this.#engine.publishAddress };
  }

  #admitHost(hostId: string, call: Call): Promise<void> {
    return admit(this.#options.fences, `host ${hostId}`, call);
  }

  #admitInstance(instanceId: string, call: Call): Promise<void> {
    return admit(this.#options.fences, `instance ${instanceId}`, call);
  }
}

function parseHandle({ hostId, engine }: Handle): string {
  if (typeof hostId === 'string' && engine === 'docker') return hostId;
  throw badHandle('Docker');
}

/** @throws DriverError PROVIDER_FULL if the engine is smaller than the host */
function checkFits({ size, resources }: HostRequest, { capacity }: Engine): void {
  const { cpus, memoryBytes } = resources;
  if (cpus <= capacity.cpus && memoryBytes <= capacity.memoryBytes) return;
  const gigabytes = (bytes: number) => `${(bytes / 1024 ** 3).toFixed(1)} GiB`;
  throw refuse(
    'PROVIDER_FULL',
    `A host of size ${size} has ${cpus} CPUs and ${gigabytes(memoryBytes)}; the whole engine has ` +
      `${capacity.cpus} CPUs and ${gigabytes(capacity.memoryBytes)}. Choose a smaller size, or another provider.`,
  );
}

function notAllocated(hostId: string): DriverError {
  return retry(
    'HOST_SILENT',
    `Host ${hostId} has no network on the engine: someone removed it. Restart the host.`,
  );
}
