/** The connection to one engine. */
import type Docker from 'dockerode';
import { type Call, DriverError, type Engine } from '../driver.ts';
import { engineError, refuse } from './errors.ts';

export interface DockerConfiguration {
  /** `unix:///var/run/docker.sock` or `tcp://10.0.0.5:2376` */
  readonly endpoint: string;
  /** PEM; null: none. */
  readonly tls: {
    readonly caCertificate: string;
    readonly clientCertificate: string | null;
    readonly clientKey: string | null;
  } | null;
  /** Allows an address beyond this machine without TLS: whoever reaches it has the engine. */
  readonly insecure: boolean;
  /** The IP address of the engine on which ports are published. */
  readonly publishAddress: string;
}

/** The calls of the client that take a signal and are not typed so. */
interface WithSignal {
  version(options: object): Promise<Record<'Version' | 'ApiVersion' | 'Os' | 'Arch', string>>;
  info(options: object): Promise<{ NCPU: number; MemTotal: number; OSType: string }>;
  ping(options: object): Promise<unknown>;
}
type Untyped = Omit<Docker, keyof WithSignal> & WithSignal;

/** The oldest API that has what the driver needs: that of Docker 20.10. */
const oldestApi = [1, 41];

/** Fails at once where the configuration itself is wrong. */
export class EngineConnection {
  readonly endpoint: string;
  /** Is it an engine of this machine, which can mount its folders? */
  readonly isLocal: boolean;
  readonly publishAddress: string;
  readonly #options: Docker.DockerOptions;
  #docker: Promise<Docker> | null = null;

  constructor({ endpoint, tls, insecure, publishAddress }: DockerConfiguration) {
    const url = parse(endpoint);
    this.endpoint = endpoint;
    this.isLocal = url.protocol === 'unix:';
    this.publishAddress = publishAddress;
    if (!this.isLocal && !isLoopback(url.hostname) && tls === null && !insecure) {
      throw refuse(
        'ENGINE_INSECURE',
        `Whoever reaches ${endpoint} has its machine. Give the provider TLS certificates, or say insecure: true.`,
      );
    }
    // What is left out would come from the environment of the server (DOCKER_HOST).
    const none = {
      host: undefined,
      port: undefined,
      ca: undefined,
      cert: undefined,
      key: undefined,
    };
    const options = this.isLocal
      ? { ...none, socketPath: url.pathname, protocol: 'http' }
      : {
          ...{ host: url.hostname, port: Number(url.port || (tls ? 2376 : 2375)) },
          ...{ ca: tls?.caCertificate, cert: tls?.clientCertificate ?? undefined },
          key: tls?.clientKey ?? undefined,
          protocol: tls ? 'https' : 'http',
        };
    this.#options = { ...options, version: undefined, timeout: undefined } as Docker.DockerOptions;
  }

  /** Asks the engine. Everything that goes wrong becomes a `DriverError`. */
  async ask<T>(
    { signal }: Pick<Call, 'signal'>,
    run: (docker: Docker, abortSignal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    try {
      signal.throwIfAborted();
      return await run(await this.#open(), signal);
    } catch (error) {
      throw engineError(error, this.endpoint, signal);
    }
  }

  /** Does it answer? Rejects with the reason why not. */
  async ping(call: Pick<Call, 'signal'>): Promise<void> {
    await this.ask(call, (docker, abortSignal) => (docker as Untyped).ping({ abortSignal }));
  }

  /** As `ask`; null: the engine says that there is no such thing. */
  async find<T>(
    call: Pick<Call, 'signal'>,
    run: (docker: Docker, abortSignal: AbortSignal) => Promise<T>,
  ): Promise<T | null> {
    try {
      return await this.ask(call, run);
    } catch (error) {
      if (isMissing(error)) return null;
      throw error;
    }
  }

  /**
   * What the engine is, and what it has.
   * @throws DriverError ENGINE_PLATFORM, ENGINE_TOO_OLD
   */
  async inspect(call: Pick<Call, 'signal'>): Promise<Engine> {
    const [version, info] = await Promise.all([
      this.ask(call, (docker, abortSignal) => (docker as Untyped).version({ abortSignal })),
      this.ask(call, (docker, abortSignal) => (docker as Untyped).info({ abortSignal })),
    ]);
    const platform = `${version.Os}/${version.Arch}`;
    if (info.OSType !== 'linux') {
      throw refuse(
        'ENGINE_PLATFORM',
        `The engine at ${this.endpoint} runs containers of ${platform}; runtimes need Linux. ` +
          'Name an engine that runs Linux containers.',
      );
    }
    if (isOlder(version.ApiVersion)) {
      throw refuse(
        'ENGINE_TOO_OLD',
        `The engine at ${this.endpoint} is Docker ${version.Version} (API ${version.ApiVersion}). ` +
          `Update it to 20.10 (API ${oldestApi.join('.')}) or newer.`,
      );
    }
    const capacity = { cpus: info.NCPU, memoryBytes: info.MemTotal };
    return { version: version.Version, platform, capacity };
  }

  /** The client is large, and needed only where there is such a provider. */
  #open(): Promise<Docker> {
    this.#docker ??= import('dockerode').then(({ default: Client }) => new Client(this.#options));
    this.#docker.catch(() => {
      this.#docker = null;
    });
    return this.#docker;
  }
}

/** Did the engine say that there is no such thing? */
export const isMissing = (error: unknown): boolean =>
  error instanceof DriverError &&
  (error.cause as { statusCode?: number } | null)?.statusCode === 404;

function parse(endpoint: string): URL {
  const url = URL.canParse(endpoint) ? new URL(endpoint) : null;
  if (url && (url.protocol === 'unix:' ? url.pathname.length > 1 : isTcp(url))) return url;
  throw refuse(
    'ENGINE_ENDPOINT',
    `${JSON.stringify(endpoint)} is no address of an engine. Name one like unix:///var/run/docker.sock or tcp://10.0.0.5:2376.`,
  );
}

const isTcp = ({ protocol, hostname }: URL): boolean =>
  ['tcp:', 'http:', 'https:'].includes(protocol) && hostname !== '';

/** Is it this machine, as its name says? */
export const isLoopback = (hostname: string): boolean =>
  hostname === 'localhost' || hostname === '[::1]' || hostname.startsWith('127.');

function isOlder(apiVersion: string): boolean {
  const [major = 0, minor = 0] = apiVersion.split('.').map(Number);
  const [oldestMajor = 0, oldestMinor = 0] = oldestApi;
  return major < oldestMajor || (major === oldestMajor && minor < oldestMinor);
}
