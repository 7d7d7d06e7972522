/**
 * `graphql-transport-ws` over ws. graphql-ws implements the protocol. This file adds admission
 * (host, origin, token), the limits of a socket, and how sockets are closed. A fault of one socket
 * does not affect others.
 */
import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { GraphQLError } from 'graphql';
import { CloseCode, handleProtocols, makeServer } from 'graphql-ws';
import type { Logger } from 'pino';
import { type WebSocket, WebSocketServer } from 'ws';
import type { Viewer } from '../../api/base/viewer.ts';
import { isConnectionError } from '../../store/database/sql-error.ts';
import { type Auth, authorizationsOf } from '../auth/auth.ts';
import type { Pipeline } from '../execution/pipeline.ts';
import type { OperationRequest, Prepared } from '../execution/request.ts';
import type { Admission } from '../wire/admission.ts';
import type { Metrics } from '../wire/metrics.ts';
import { refusedRequest, toPlainError, unavailable } from '../wire/request-error.ts';
import type { SlowConsumers } from '../wire/slow-consumers.ts';
import {
  createSocketConnections,
  goneMs,
  type SocketConnection,
} from '../wire/socket-connection.ts';
import type { StreamLimits } from '../wire/stream-limits.ts';
import { SocketOperations } from './socket-operations.ts';

export interface Sockets {
  /** Handles a request for a protocol upgrade. */
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void;
  /** The same for the keys of runs alone. */
  upgradeRun(request: IncomingMessage, socket: Duplex, head: Buffer): void;
  /** Closes the sockets that a key opened: it was revoked, or its run is over. */
  closeSocketsOf(accessKeyId: string): void;
  /** The keys whose sockets are open. */
  accessKeyIds(): Iterable<string>;
  /** Closes all with a code that makes clients reconnect, and waits until they have closed. */
  stop(): Promise<void>;
}

export interface SocketLimits extends StreamLimits {
  readonly operationsPerSocket: number;
  readonly payloadBytes: number;
  readonly socketsPerToken: number;
}

export interface SocketOptions {
  readonly auth: Auth;
  readonly pipeline: Pipeline;
  readonly limits: SocketLimits;
  readonly slowConsumers: SlowConsumers;
  readonly admission: Admission;
  readonly metrics: Metrics;
  readonly log: Logger;
}

/** The state of a socket, as graphql-ws passes it around. */
class Extra {
  readonly socket: WebSocket;
  readonly connection: SocketConnection;
  readonly operations: SocketOperations;
  /** Is it for the keys of runs alone? */
  readonly isForRuns: boolean;
  /** The request of the upgrade, until the viewer is known. */
  request: IncomingMessage | null;
  viewer: Viewer | null = null;
  #ended: AbortController | null = null;
  #isOver = false;

  constructor(
    socket: WebSocket,
    connection: SocketConnection,
    { request, isForRuns }: { request: IncomingMessage; isForRuns: boolean },
  ) {
    this.socket = socket;
    this.connection = connection;
    this.isForRuns = isForRuns;
    this.operations = new SocketOperations(connection);
    this.request = request;
  }

  /** Aborted with the socket; created on first use. */
  get signal(): AbortSignal {
    this.#ended ??= new AbortController();
    if (this.#isOver) this.#ended.abort();
    return this.#ended.signal;
  }

  end(): void {
    this.#isOver = true;
    this.#ended?.abort();
    this.operations.end();
  }
}

const initMilliseconds = 5_000;
/** Service going away: the clients of graphql-ws and of this package reconnect. */
const goingAway = 1001;
const tryAgainLater = 1013;
const { Forbidden: forbidden, TooManyInitialisationRequests: tooMany } = CloseCode;

export function createSockets(options: SocketOptions): Sockets {
  const { auth, pipeline, limits, admission, metrics, log } = options;
  const connections = createSocketConnections(limits, options.slowConsumers);
  const opened = new Map<string, Set<Extra>>();
  let stopping = false;
  const server = new WebSocketServer({
    noServer: true,
    maxPayload: limits.payloadBytes,
    perMessageDeflate: false,
    handleProtocols,
  });

  const protocol = makeServer<Record<string, unknown>, Extra>({
    connectionInitWaitTimeout: initMilliseconds,
    async onConnect({ connectionParams, extra }) {
      const { request } = extra;
      if (!request) return false;
      const found = await auth.ofSocket(request, connectionParams);
      extra.request = null;
      if (!('viewer' in found)) {
        const hasCredentials = authorizationsOf(connectionParams).length > 0;
        const code = hasCredentials ? forbidden : CloseCode.Unauthorized;
        extra.socket.close(code, reasonOf(`${found.code}: ${found.message}`));
        return false;
      }
      if (extra.socket.readyState !== extra.socket.OPEN) return false;
      if (extra.isForRuns && found.viewer.kind !== 'RUN') {
        extra.socket.close(forbidden, 'FORBIDDEN: This socket is for the keys of runs alone.');
        return false;
      }
      const { accessKeyId } = found.viewer;
      const others = opened.get(accessKeyId) ?? new Set();
      if (others.size >= limits.socketsPerToken) {
        extra.connection.close(
          tooMany,
          `${limits.socketsPerToken} sockets are open with this token.`,
        );
        return false;
      }
      extra.viewer = found.viewer;
      opened.set(accessKeyId, others.add(extra));
      return true;
    },
    onSubscribe({ extra, subscriptions }, id, payload) {
      const { viewer, connection, operations } = extra;
      if (!viewer) return [refusedRequest('UNAUTHENTICATED', 'The socket has no viewer.')];
      if (Object.keys(subscriptions).length > limits.operationsPerSocket)
        return [
          refusedRequest(
            'RATE_LIMITED',
            `${limits.operationsPerSocket} operations are open on this socket. Complete one first.`,
          ),
        ];
      const prepared = pipeline.prepare(payload as OperationRequest, {
        viewer,
        requestId: randomUUID(),
        transport: 'WEBSOCKET',
        method: 'SOCKET',
        lastEventId: null,
        get signal() {
          return extra.signal;
        },
        subscriber: operations.subscriber(id),
      });
      if (!('requester' in prepared)) {
        metrics.operation('WEBSOCKET', 'unknown', 'refused');
        return prepared;
      }
      if (prepared.operation.operation !== 'subscription') return prepared;
      // A socket that already has subscriptions is not closed: its client would reconnect and
      // subscribe to all of them again.
      const isServed = Object.keys(subscriptions).length > 1;
      if (isServed || !admission.isBusy(viewer)) return prepared;
      // Not an error of the subscription, because the client would give it up.
      connection.close(tryAgainLater, 'The server is too busy. Reconnect with the last cursor.');
      return [refusedRequest('RATE_LIMITED', 'The server is too busy. Retry later.')];
    },
    execute: (prepared) => pipeline.execute(prepared as Prepared),
    async subscribe(args) {
      const prepared = args as Prepared;
      const result = await pipeline.subscribe(prepared);
      if (result === prepared.requester.subscriber) {
        // Otherwise these would be kept for as long as the subscriber stays.
        Object.assign(prepared, { contextValue: null, variableValues: null, requester: null });
      }
      return result;
    },
    onNext: (_context, _id, _payload, _args, { errors, ...rest }) =>
      errors ? { errors: errors.map(toPlainError), ...rest } : undefined,
    onError({ extra }, id, _payload, errors) {
      extra.operations.free(id);
      return errors.map((error) =>
        toPlainError(error instanceof GraphQLError ? error : new GraphQLError('Unknown error')),
      );
    },
    onComplete: ({ extra }, id) => extra.operations.free(id),
  });

  function connected(socket: WebSocket, request: IncomingMessage, isForRuns: boolean): void {
    const connection = connections.open(socket, request.socket);
    const extra = new Extra(socket, connection, { request, isForRuns });
    metrics.socketOpened();
    socket.on('pong', () => connection.heard());
    // ws has already started to close it with the code that says what was wrong with the frame.
    socket.on('error', (error) => log.debug({ error: error.message }, 'A socket failed.'));
    const failed = (error: unknown) => {
      if (socket.readyState !== socket.OPEN) return;
      const message = error instanceof Error ? error.message : 'unknown';
      log.warn({ error: message }, 'A message could not be handled.');
      if (isConnectionError(error)) socket.close(tryAgainLater, unavailable());
      else socket.close(CloseCode.InternalServerError, 'Internal error');
    };
    const closed = protocol.opened(
      {
        protocol: socket.protocol,
        send: (data) => send(socket, connection, data),
        close: (code, reason) => socket.close(code, reasonOf(reason)),
        onMessage(take) {
          const handle = (text: string) => take(text).catch(failed);
          socket.on('message', (data) => {
            connection.heard();
            extra.operations.take(String(data), handle);
          });
        },
      },
      extra,
    );
    socket.once('close', (code, reason) => {
      connections.close(connection);
      metrics.socketClosed(code);
      extra.end();
      forget(extra);
      closed(code, String(reason)).catch((error: unknown) =>
        log.warn({ error: String(error) }, 'Operations of a closed socket could not be ended.'),
      );
    });
  }

  const upgradeFor =
    (isForRuns: boolean): Sockets['upgrade'] =>
    (request, socket, head) => {
      socket.on('error', ignored);
      const refusal = refusalOf(request);
      if (refusal) return sendStatus(socket, refusal);
      server.handleUpgrade(request, socket, head, (client) =>
        connected(client, request, isForRuns),
      );
    };

  function forget(extra: Extra): void {
    const { viewer } = extra;
    if (!viewer) return;
    const others = opened.get(viewer.accessKeyId);
    others?.delete(extra);
    if (others?.size === 0) opened.delete(viewer.accessKeyId);
  }

  return {
    upgrade: upgradeFor(false),
    upgradeRun: upgradeFor(true),
    closeSocketsOf(accessKeyId) {
      for (const { connection } of opened.get(accessKeyId) ?? [])
        connection.close(forbidden, 'The session or the run is over.');
    },
    accessKeyIds: () => opened.keys(),
    async stop() {
      stopping = true;
      const clients = [...server.clients];
      connections.stop(goingAway, 'The server is going away.');
      server.close();
      await Promise.all(clients.map(isClosed));
    },
  };

  /**
   * The status line of a refused upgrade, or null. Without an Origin the client is not a browser and
   * is accepted; an Origin must be that of this server.
   */
  function refusalOf(request: IncomingMessage): string | null {
    if (stopping) return '503 Service Unavailable';
    if (!auth.isOurHost(request)) return '421 Misdirected Request';
    if ((request.url ?? '').split('?', 1)[0] !== '/graphql') return '404 Not Found';
    if (request.headers.origin !== undefined && auth.isOwnPage(request) !== true)
      return '403 Forbidden';
    return null;
  }
}

/** Sends one message of the protocol, after everything that was written before. */
function send(socket: WebSocket, connection: SocketConnection, data: string): Promise<void> {
  if (socket.readyState !== socket.OPEN || !connection.admits(Buffer.byteLength(data)))
    return Promise.resolve();
  return new Promise((resolve) => socket.send(data, () => resolve()));
}

/**
 * This listener lives as long as the socket, so it must not close over the request of the upgrade.
 */
const ignored = () => {};

/** The reason of a close frame is limited to 123 bytes. */
const reasonOf = (text = '') => Buffer.from(text).subarray(0, 120).toString().replace('\ufffd', '');

function isClosed(socket: WebSocket): Promise<void> {
  if (socket.readyState === socket.CLOSED) return Promise.resolve();
  return new Promise((resolve) => socket.once('close', () => resolve()));
}

/** Sends a status and closes the connection, even if its client keeps its side open. */
function sendStatus(socket: Duplex, statusLine: string): void {
  const cut = setTimeout(() => socket.destroy(), goneMs).unref();
  socket.once('close', () => clearTimeout(cut));
  socket.once('finish', () => socket.destroy());
  socket.end(`HTTP/1.1 ${statusLine}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
}
