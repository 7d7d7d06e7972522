/**
 * `graphql-transport-ws` over ws. graphql-ws has the protocol; here are the doors (host, origin,
 * token), the limits of a socket, and how sockets are ended. A fault of one socket stays its own.
 */
import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { GraphQLError } from 'graphql';
import { CloseCode, handleProtocols, makeServer } from 'graphql-ws';
import type { Logger } from 'pino';
import { type WebSocket, WebSocketServer } from 'ws';
import type { Auth } from './auth.ts';
import type { ServerLimits } from './context.ts';
import type { Metrics } from './metrics.ts';
import type { OperationRequest, Pipeline, Prepared } from './pipeline.ts';
import { refusedRequest, toPlainError } from './request-error.ts';
import type { Viewer } from './viewer.ts';

export interface Sockets {
  /** Takes over a request for a protocol upgrade. */
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void;
  /** Closes the sockets that a key opened: it was revoked, or its run is over. */
  closeSocketsOf(accessKeyId: string): void;
  /** The keys whose sockets are open. */
  accessKeyIds(): Iterable<string>;
  /** Closes all with a code that makes clients come back, and waits until they are gone. */
  stop(): Promise<void>;
}

export interface SocketOptions {
  readonly auth: Auth;
  readonly pipeline: Pipeline;
  readonly limits: Pick<ServerLimits, 'operationsPerSocket' | 'payloadBytes'>;
  readonly metrics: Metrics;
  readonly log: Logger;
  /** The last socket of a run closed. */
  readonly onRuntimeDisconnected?: (instanceId: string, runId: string) => void;
}

interface Extra {
  readonly socket: WebSocket;
  readonly request: IncomingMessage;
  viewer: Viewer | null;
  readonly ended: AbortController;
}

const initMilliseconds = 5_000;
const pingMilliseconds = 12_000;
const goneMilliseconds = 2_000;
/** Services going away: graphql-ws' client and ours connect again. */
const goingAway = 1001;
const tryAgainLater = 1013;
const forbidden = CloseCode.Forbidden;

export function createSockets(options: SocketOptions): Sockets {
  const { auth, pipeline, limits, metrics, log } = options;
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
      const found = await auth.ofSocket(extra.request, connectionParams);
      if (!('viewer' in found)) {
        const code = connectionParams?.authorization ? forbidden : CloseCode.Unauthorized;
        extra.socket.close(code, reasonOf(`${found.code}: ${found.message}`));
        return false;
      }
      if (extra.socket.readyState !== extra.socket.OPEN) return false;
      extra.viewer = found.viewer;
      const { accessKeyId } = found.viewer;
      opened.set(accessKeyId, (opened.get(accessKeyId) ?? new Set()).add(extra));
      return true;
    },
    onSubscribe(context, _id, payload) {
      const { viewer, ended } = context.extra;
      if (!viewer) return [refusedRequest('UNAUTHENTICATED', 'The socket has no viewer.')];
      if (Object.keys(context.subscriptions).length > limits.operationsPerSocket)
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
        signal: ended.signal,
      });
      if ('caller' in prepared) return prepared;
      metrics.operation('WEBSOCKET', 'unknown', 'refused');
      return prepared;
    },
    execute: (prepared) => pipeline.execute(prepared as Prepared),
    subscribe: (prepared) => pipeline.subscribe(prepared as Prepared),
    onNext: (_context, _id, _payload, _args, { errors, ...rest }) =>
      errors ? { errors: errors.map(toPlainError), ...rest } : undefined,
    onError: (_context, _id, _payload, errors) =>
      errors.map((error) =>
        toPlainError(error instanceof GraphQLError ? error : new GraphQLError('Unknown error')),
      ),
  });

  server.on('connection', (socket: WebSocket, request: IncomingMessage) => {
    const extra: Extra = { socket, request, viewer: null, ended: new AbortController() };
    metrics.socketOpened();
    let isAlive = true;
    const pings = setInterval(() => {
      if (!isAlive) return socket.terminate();
      isAlive = false;
      socket.ping();
    }, pingMilliseconds);
    socket.on('pong', () => {
      isAlive = true;
    });
    // ws has already begun to close it with the code that says what was wrong with the frame.
    socket.on('error', (error) => log.debug({ error: error.message }, 'A socket failed.'));
    const closed = protocol.opened(
      {
        protocol: socket.protocol,
        send: (data) => send(socket, data),
        close: (code, reason) => socket.close(code, reason),
        onMessage: (take) =>
          socket.on('message', (data) => {
            isAlive = true;
            take(String(data)).catch((error: unknown) => {
              if (socket.readyState !== socket.OPEN) return;
              const message = error instanceof Error ? error.message : 'unknown';
              log.warn({ error: message }, 'A message could not be handled.');
              socket.close(CloseCode.InternalServerError, 'Internal error');
            });
          }),
      },
      extra,
    );
    socket.once('close', (code, reason) => {
      clearInterval(pings);
      metrics.socketClosed(code);
      extra.ended.abort();
      forget(extra);
      closed(code, String(reason)).catch((error: unknown) =>
        log.warn({ error: String(error) }, 'Operations of a closed socket could not be ended.'),
      );
    });
  });

  function forget(extra: Extra): void {
    const { viewer } = extra;
    if (!viewer) return;
    const others = opened.get(viewer.accessKeyId);
    others?.delete(extra);
    if (others?.size === 0) opened.delete(viewer.accessKeyId);
    if (viewer.kind !== 'RUN' || stopping) return;
    const { runId, instanceId } = viewer;
    const isConnected = [...opened.values()].some((set) =>
      [...set].some((each) => each.viewer?.kind === 'RUN' && each.viewer.runId === runId),
    );
    if (!isConnected) options.onRuntimeDisconnected?.(instanceId, runId);
  }

  return {
    upgrade(request, socket, head) {
      socket.on('error', () => {});
      const refusal = refusalOf(request);
      if (refusal) return answer(socket, refusal);
      server.handleUpgrade(request, socket, head, (client) =>
        server.emit('connection', client, request),
      );
    },
    closeSocketsOf(accessKeyId) {
      for (const { socket } of opened.get(accessKeyId) ?? [])
        close(socket, forbidden, 'The session or the run is over.');
    },
    accessKeyIds: () => opened.keys(),
    async stop() {
      stopping = true;
      const clients = [...server.clients];
      for (const client of clients) close(client, goingAway, 'The server is going away.');
      server.close();
      await Promise.all(clients.map(isClosed));
    },
  };

  /** Status line of a refused upgrade, or null. A program sends no Origin; a page must be ours. */
  function refusalOf(request: IncomingMessage): string | null {
    if (stopping) return '503 Service Unavailable';
    if (!auth.isOurHost(request)) return '421 Misdirected Request';
    if ((request.url ?? '').split('?', 1)[0] !== '/graphql') return '404 Not Found';
    if (request.headers.origin !== undefined && auth.isOwnPage(request) !== true)
      return '403 Forbidden';
    return null;
  }
}

/** Sends one frame; a socket that lets too much pile up is closed, and its client comes back. */
function send(socket: WebSocket, data: string): Promise<void> {
  if (socket.readyState !== socket.OPEN) return Promise.resolve();
  if (socket.bufferedAmount > mostBufferedBytes) {
    close(socket, tryAgainLater, 'The client does not read what it is sent.');
    return Promise.resolve();
  }
  return new Promise((resolve) => socket.send(data, () => resolve()));
}

const mostBufferedBytes = 8 * 1024 * 1024;

function close(socket: WebSocket, code: number, reason: string): void {
  socket.close(code, reason);
  const timer = setTimeout(() => socket.terminate(), goneMilliseconds);
  socket.once('close', () => clearTimeout(timer));
}

/** A close frame has room for 123 bytes. */
const reasonOf = (text: string) =>
  Buffer.from(text).subarray(0, 120).toString().replace('\ufffd', '');

function isClosed(socket: WebSocket): Promise<void> {
  if (socket.readyState === socket.CLOSED) return Promise.resolve();
  return new Promise((resolve) => socket.once('close', () => resolve()));
}

function answer(socket: Duplex, statusLine: string): void {
  socket.end(`HTTP/1.1 ${statusLine}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
}
