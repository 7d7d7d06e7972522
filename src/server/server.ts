/** The server of the API: HTTP, WebSocket and Server-Sent Events over one port and one pipeline. */
import { readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { type GraphQLSchema, printSchema } from 'graphql';
import type { Logger } from 'pino';
import type { ServerLimits } from '../api/base/limits.ts';
import type { Viewer } from '../api/base/viewer.ts';
import { createDrain, type Drain } from '../http/drain.ts';
import { type AccessKeys, ensureAdminToken, openAccessKeys } from '../store/access-keys.ts';
import type { Store } from '../store/commit/store.ts';
import { createAuth } from './auth/auth.ts';
import { rememberAddress } from './auth/link.ts';
import { createSignIn, type SignIn } from './auth/sign-in.ts';
import { createPipeline } from './execution/pipeline.ts';
import type { Requester } from './execution/request.ts';
import { createHttpListener } from './http.ts';
import { createPages } from './page/page.ts';
import { createPostHandler } from './transport/post.ts';
import { openRunSocket, removeRunSocketFolder, runSocketFolder } from './transport/run-socket.ts';
import { createSockets, type Sockets } from './transport/websocket.ts';
import { createYogaHandler, type YogaHandler } from './transport/yoga.ts';
import { createAdmission } from './wire/admission.ts';
import { createMetrics } from './wire/metrics.ts';
import { watchSlowConsumers } from './wire/slow-consumers.ts';
import type { StreamLimits } from './wire/stream-limits.ts';

/** The part of the configuration that this server needs. */
export interface HttpServerConfig {
  readonly port: number;
  readonly host: string;
  readonly publicUrl?: string;
  readonly allowedHosts: readonly string[];
  readonly tlsCertFile?: string;
  readonly tlsKeyFile?: string;
  readonly dataDir: string;
  /** Nothing of it is kept. */
  readonly ephemeral: boolean;
  readonly adminToken?: string;
  readonly limits: ServerLimits;
  readonly streamLimits: StreamLimits;
  /** Use of the event loop in per cent above which new subscriptions are refused. */
  readonly busyPercent: number;
}

export interface HttpServerOptions {
  readonly config: HttpServerConfig;
  readonly store: Store;
  readonly schema: GraphQLSchema;
  /** Called for each request, and again for each event of a subscription. */
  readonly createContext: (viewer: Viewer, request: Requester) => object;
  readonly log: Logger;
  /** Version of the package. */
  readonly version: string;
  /** Is the store reachable, and are the migrations applied? */
  readonly ready: () => Promise<boolean>;
}

export interface HttpServer {
  /** Opens the keys and listens. The store must be migrated. */
  start(): Promise<{ url: string; port: number }>;
  /** Stops listening, closes what is open so that clients reconnect, and waits for the rest. */
  stop(): Promise<void>;
  /** A link that signs one browser in, for ten minutes. */
  createSignInLink(): Promise<{ url: string; expiresAt: Date }>;
  /** Closes everything that a key has open: its session was revoked, or its run is over. */
  closeSocketsOf(accessKeyId: string): void;
}

/** Interval at which the keys of open sockets are checked: a revoked one loses them within 5 s. */
const recheckMilliseconds = 3_000;
const pruneMilliseconds = 3_600_000;
const drainLimits = { bodyMilliseconds: 2_000, answerMilliseconds: 1_000 };

interface Running {
  readonly drain: Drain;
  readonly keys: AccessKeys;
  readonly sockets: Sockets;
  readonly yoga: YogaHandler;
  readonly signIn: SignIn;
  readonly port: number;
  /** Stops timers and removes files. */
  readonly release: (() => void)[];
}

export function createHttpServer(options: HttpServerOptions): HttpServer {
  const { config, store, log } = options;
  const hasTls = Boolean(config.tlsCertFile && config.tlsKeyFile);
  let running: Running | null = null;
  const started = () => {
    if (!running) throw new Error('The server has not been started.');
    return running;
  };
  const urlOf = (port: number) => {
    const host = config.host.includes(':') ? `[${config.host}]` : config.host;
    const reachable = ['0.0.0.0', '[::]'].includes(host) ? 'localhost' : host;
    return (config.publicUrl ?? `http${hasTls ? 's' : ''}://${reachable}:${port}`).replace(
      /\/$/,
      '',
    );
  };

  async function open(): Promise<Running> {
    const keys = await openAccessKeys(store, await ensureAdminToken(config));
    const server = hasTls
      ? createSecureServer({
          cert: readFileSync(config.tlsCertFile ?? ''),
          key: readFileSync(config.tlsKeyFile ?? ''),
          minVersion: 'TLSv1.2',
        })
      : createServer();
    const drain = createDrain(server, drainLimits);
    server.headersTimeout = 10_000;
    server.requestTimeout = 60_000;
    const port = await listen(server, config);
    const metrics = createMetrics(options.version);
    const auth = createAuth(keys, { ...config, tls: hasTls, port: () => port, metrics });
    const { limits, streamLimits } = config;
    const { payloadBytes } = limits;
    const admission = createAdmission({ ...limits, busyPercent: config.busyPercent });
    const pipeline = createPipeline({ ...options, limits, admission, metrics });
    const slowConsumers = watchSlowConsumers(streamLimits);
    const yoga = createYogaHandler({ pipeline, streamLimits, slowConsumers, log });
    const sockets = createSockets({
      ...{ auth, pipeline, slowConsumers, admission, metrics, log },
      limits: { ...limits, ...streamLimits },
    });
    const end = (accessKeyId: string) => {
      sockets.closeSocketsOf(accessKeyId);
      yoga.closeStreams(accessKeyId);
    };
    const signIn = createSignIn({ keys, auth, baseUrl: () => urlOf(port), ended: end, drain });
    let sdl: string | null = null;
    const listener = createHttpListener({
      ...{ auth, signIn, yoga, drain, metrics, log, payloadBytes, ready: options.ready },
      post: createPostHandler(pipeline),
      pages: createPages(),
      isExposed: config.publicUrl !== undefined || !isLoopbackAddress(config.host),
      sdl: () => {
        sdl ??= `${printSchema(options.schema)}\n`;
        return sdl;
      },
    });
    server.on('request', listener);
    server.on('checkContinue', listener);
    server.on('upgrade', sockets.upgrade);
    const closeRunSocket = await openRunSocket(runSocketFolder(config.dataDir), sockets.upgradeRun)
      // The API can do without; a container on this machine then has no way to it.
      .catch((error: unknown) => {
        log.warn({ error: String(error) }, 'The socket for runtimes in containers is not open.');
        return () => undefined;
      });
    const recheck = async () => {
      const inUse = [...new Set([...sockets.accessKeyIds(), ...yoga.accessKeyIds()])];
      if (inUse.length === 0) return;
      const good = await keys.stillGood(inUse);
      for (const id of inUse) if (!good.has(id)) end(id);
    };
    const release = [
      every(recheckMilliseconds, recheck, log),
      every(pruneMilliseconds, keys.prune, log),
      admission.stop,
      slowConsumers.stop,
      closeRunSocket,
      () => config.ephemeral && removeRunSocketFolder(config.dataDir),
      rememberAddress(config.dataDir, { port, host: config.host, tls: hasTls }),
    ];
    return { drain, keys, sockets, yoga, signIn, port, release };
  }

  return {
    async start() {
      if (running) throw new Error('The server has been started before.');
      running = await open();
      return { url: urlOf(running.port), port: running.port };
    },
    async stop() {
      if (!running) return;
      const { drain, sockets, yoga, release } = running;
      running = null;
      for (const each of release) each();
      const closed = drain.close();
      yoga.closeStreams();
      await Promise.all([closed, sockets.stop()]);
    },
    createSignInLink: () => started().signIn.createLink(),
    closeSocketsOf(accessKeyId) {
      started().sockets.closeSocketsOf(accessKeyId);
      started().yoga.closeStreams(accessKeyId);
    },
  };
}

/**
 * Listens. Requests that arrive before the listener is set are queued until the end of this tick.
 */
function listen(server: Server, { port, host }: HttpServerConfig): Promise<number> {
  return new Promise((resolve, reject) => {
    const fail = (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE')
        error.message = `Another program uses PORT ${port} on ${host}. Stop it, or set PORT to a free port.`;
      reject(error);
    };
    server.once('error', fail);
    server.listen(port, host, () => {
      server.off('error', fail);
      resolve((server.address() as AddressInfo).port);
    });
  });
}

/** Calls repeatedly, never concurrently. A failure is logged. */
function every(milliseconds: number, call: () => Promise<void>, log: Logger): () => void {
  let isBusy = false;
  const timer = setInterval(() => {
    if (isBusy) return;
    isBusy = true;
    call()
      .catch((error: unknown) => log.warn({ error: String(error) }, 'Keys could not be checked.'))
      .finally(() => {
        isBusy = false;
      });
  }, milliseconds);
  return () => clearInterval(timer);
}

const isLoopbackAddress = (host: string) =>
  host === 'localhost' || host === '::1' || host.startsWith('127.');
