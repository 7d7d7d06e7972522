/** How the container of a run is made: its limits, what it may reach, what it is told. */
import type Docker from 'dockerode';
import type { ListenerPort, PublishedPort, RuntimeRequest } from '../driver.ts';
import { containerName, type Labels, volumeName } from './names.ts';

/** Where the container finds what is mounted. */
const workFolder = '/work';
const apiFolder = '/run/instance-manager';
/** The user and group of the image, without any right on the engine's machine. */
const user = '10001:10001';
const mostProcesses = 256;
const scratchBytes = 64 * 1024 ** 2;
const logSize = { 'max-size': '1m', 'max-file': '2' };
/** The first port inside: the network is the container's own, so any will do. */
const firstPort = 20_000;

export interface ContainerRequest {
  readonly runtime: RuntimeRequest;
  readonly imageId: string;
  readonly networkId: string;
  readonly labels: Labels;
  /** Labels of the volume, which outlives the run. */
  readonly volumeLabels: Labels;
  readonly publishAddress: string;
  /** The addresses of the API as the container reaches them. */
  readonly endpoints: readonly string[];
  /** A folder of this machine with the socket of the API; null: it is reached otherwise. */
  readonly apiFolder: string | null;
}

/** What the engine is asked to create. It has no secret: whoever may inspect it reads all of it. */
export function containerOptions(request: ContainerRequest): Docker.ContainerCreateOptions {
  const { runtime, publishAddress } = request;
  const { cpus, memoryBytes } = runtime.resources;
  const inside = insidePorts(runtime.ports);
  return {
    name: containerName(runtime.instanceId),
    Image: request.imageId,
    Hostname: runtime.instanceKey.slice(0, 63),
    User: user,
    WorkingDir: workFolder,
    Labels: { ...request.labels },
    Env: Object.entries(environment(request)).map(([name, value]) => `${name}=${value}`),
    OpenStdin: true,
    // A server that is replaced in the middle of a start sends the key again.
    StdinOnce: false,
    AttachStdin: true,
    AttachStdout: false,
    AttachStderr: false,
    Tty: false,
    ExposedPorts: Object.fromEntries(inside.map(({ inner }) => [inner, {}])),
    HostConfig: {
      NetworkMode: request.networkId,
      RestartPolicy: { Name: 'no' },
      NanoCpus: Math.round(cpus * 1e9),
      Memory: memoryBytes,
      MemorySwap: memoryBytes,
      PidsLimit: mostProcesses,
      ReadonlyRootfs: true,
      CapDrop: ['ALL'],
      SecurityOpt: ['no-new-privileges:true'],
      Tmpfs: { '/tmp': `rw,noexec,nosuid,nodev,size=${scratchBytes},mode=1777` },
      LogConfig: { Type: 'json-file', Config: logSize },
      PortBindings: Object.fromEntries(
        inside.map(({ inner, port }) => [
          inner,
          [{ HostIp: publishAddress, HostPort: port === 0 ? '' : String(port) }],
        ]),
      ),
      Mounts: mounts(request),
    },
  };
}

/**
 * The volume keeps values that were accepted and not yet delivered, over restarts of the runtime, and
 * what is stored on the host.
 */
function mounts({ runtime, volumeLabels, apiFolder: folder }: ContainerRequest) {
  const volume = {
    Type: 'volume',
    Source: volumeName(runtime.instanceId),
    Target: workFolder,
    VolumeOptions: { NoCopy: false, Labels: { ...volumeLabels }, DriverConfig: undefined },
  };
  const api = { Type: 'bind', Source: folder ?? '', Target: apiFolder, ReadOnly: true };
  return (folder === null ? [volume] : [volume, api]) as Docker.MountSettings[];
}

function environment({ runtime, endpoints }: ContainerRequest): Record<string, string> {
  const ports = insidePorts(runtime.ports).map(({ listener, number }) => [listener, number]);
  return {
    NODE_ENV: 'production',
    RUNTIME_ENDPOINT: endpoints.join(' '),
    RUNTIME_INSTANCE: runtime.instanceId,
    RUNTIME_RUN: runtime.runId,
    RUNTIME_ADDRESS: '0.0.0.0',
    ...(runtime.hostNames.length > 0 ? { RUNTIME_HOST_NAMES: runtime.hostNames.join() } : {}),
    RUNTIME_WORK_FOLDER: workFolder,
    RUNTIME_HEARTBEAT_SECONDS: String(runtime.heartbeatSeconds),
    RUNTIME_PORTS: JSON.stringify(Object.fromEntries(ports)),
  };
}

/** The address of the mounted socket, as `ws` takes it. */
export const socketEndpoint = (socketName: string): string =>
  `ws+unix:${apiFolder}/${socketName}:/graphql`;

/** Each listener has a port of its own inside, in the order of the request. */
function insidePorts(ports: readonly ListenerPort[]) {
  return ports.map(({ listener, port }, index) => {
    const number = firstPort + index;
    return { listener, port, number, inner: `${number}/tcp` };
  });
}

/** Where the listeners of a container that runs are reached from outside. */
export function publishedOf(
  found: Docker.ContainerInspectInfo,
  ports: readonly ListenerPort[],
): Record<string, PublishedPort> {
  const bindings = found.NetworkSettings.Ports as Record<
    string,
    { HostIp: string; HostPort: string }[] | null
  >;
  return Object.fromEntries(
    insidePorts(ports).flatMap(({ listener, inner }) => {
      const [bound] = bindings[inner] ?? [];
      return bound ? [[listener, { address: bound.HostIp, port: Number(bound.HostPort) }]] : [];
    }),
  );
}
