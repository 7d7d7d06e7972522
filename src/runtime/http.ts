/**
 * The HTTP server of listeners and input commands. It listens on one address, checks the Host, the
 * Origin of pages and the key, accepts JSON alone, and bounds sizes and times. While it closes, it
 * answers the requests that have begun and accepts no others; a body that is not complete within
 * `bodyMilliseconds` is refused.
 */
import {
  createServer,
  type IncomingMessage,
  type OutgoingHttpHeaders,
  type ServerResponse,
} from 'node:http';
import type { AddressInfo } from 'node:net';
import { readBody } from '../http/body.ts';
import { createDrain, type Drain } from '../http/drain.ts';
import { accepts, jsonRefusal, textOf } from '../http/media-type.ts';
import { admits } from './key.ts';
import type { Guard } from './solution.ts';
import type { Published } from './start-message.ts';

/** The content of a request that passed the checks. */
export interface Call {
  readonly query: URLSearchParams;
  /** The parsed JSON body; undefined for GET, and for a POST without a body. */
  readonly body: unknown;
}

export interface Reply {
  readonly status: number;
  readonly headers?: OutgoingHttpHeaders;
  readonly body: object;
}

/** The handler of one path. */
export interface Route {
  readonly method: 'GET' | 'POST';
  readonly guard: Guard;
  readonly answer: (call: Call) => Reply | Promise<Reply>;
}

export interface HttpOptions {
  readonly address: string;
  /** 0: any free one. */
  readonly port: number;
  /** DNS names that the Host may carry beside the address. */
  readonly hostNames: readonly string[];
  /** Where it is reached from outside, if that is elsewhere: requests name that in their Host. */
  readonly published?: Published | undefined;
  readonly route: (path: string) => Route | undefined;
  /** Called after every reply; `error` if it is a refusal or a failure. */
  readonly onReply: (status: number, error: string | undefined) => void;
}

export interface HttpServer {
  readonly port: number;
  /**
   * Stops listening and resolves when every request that had begun is answered, refused or cut
   * off, within 6 s. `hurry` refuses immediately the bodies that are not complete.
   */
  close(hurry: AbortSignal): Promise<void>;
}

/** A refusal with its status. */
class Refused extends Error {
  readonly status: number;
  readonly headers: OutgoingHttpHeaders;

  constructor(status: number, message: string, headers: OutgoingHttpHeaders = {}) {
    super(message);
    this.status = status;
    this.headers = headers;
  }
}

const bodyBytes = 65_536;
const discardedBytes = 1_048_576;
const drainLimits = { bodyMilliseconds: 5_000, answerMilliseconds: 1_000 };
const closingMessage = 'This listener is closing; try again later.';

/** Opens a server. Rejects with the system's error (EADDRINUSE, …) if it cannot listen. */
export async function openHttp(options: HttpOptions): Promise<HttpServer> {
  let hosts: readonly string[] = [];
  const server = createServer({
    requestTimeout: 20_000,
    headersTimeout: 10_000,
    keepAliveTimeout: 5_000,
    connectionsCheckingInterval: 1_000,
    maxHeaderSize: 8_192,
  });
  server.maxConnections = 1_000;
  const drain = createDrain(server, drainLimits);
  server.on('request', (request, response) => void serve(request, response));
  server.on('checkContinue', (request, response) => void serve(request, response));
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host: options.address, port: options.port, exclusive: true }, resolve);
  });
  server.on('error', (error) => options.onReply(500, error.message));
  const { port } = server.address() as AddressInfo;
  hosts = hostsOf(options, port);

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const origin = request.headers.origin;
    const headers: OutgoingHttpHeaders = {
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
    };
    let reply: Reply;
    let refusal: string | undefined;
    try {
      if (drain.isClosing()) throw new Refused(503, closingMessage);
      const { route, query } = find(request, hosts, options.route);
      if (origin !== undefined) {
        if (!route.guard.allowedOrigins.includes(origin)) {
          throw new Refused(403, 'Pages of this Origin may not send here.');
        }
        headers['access-control-allow-origin'] = origin;
        headers.vary = 'Origin';
        if (request.method === 'OPTIONS') {
          headers['access-control-allow-methods'] = route.method;
          headers['access-control-allow-headers'] = 'authorization, content-type, x-api-key';
          response.writeHead(204, headers).end();
          return;
        }
      }
      checkMethod(request, route);
      checkKey(request, route.guard);
      if (!accepts(request.headers.accept ?? '', ['application/json'])) {
        throw new Refused(406, 'Answers are application/json, and Accept does not take that.');
      }
      const body = route.method === 'POST' ? await readJson(request, response, drain) : undefined;
      reply = await route.answer({ query, body });
      Object.assign(headers, reply.headers);
    } catch (error) {
      if (request.destroyed && !request.complete) return;
      const refused = error instanceof Refused ? error : undefined;
      if (refused !== undefined) Object.assign(headers, refused.headers);
      refusal = refused?.message ?? `The runtime failed to answer: ${String(error)}`;
      const text = refused?.message ?? 'The runtime failed to answer; its log says why.';
      reply = { status: refused?.status ?? 500, body: { error: text } };
      discard(request);
    }
    if (reply.status >= 400 && refusal === undefined && 'error' in reply.body) {
      refusal = String(reply.body.error);
    }
    if (drain.isClosing()) headers.connection = 'close';
    options.onReply(reply.status, refusal);
    headers['content-type'] = 'application/json; charset=utf-8';
    response.writeHead(reply.status, headers).end(JSON.stringify(reply.body));
  }

  return { port, close: (hurry) => drain.close(hurry) };
}

function hostsOf({ hostNames, published, ...own }: HttpOptions, ownPort: number): string[] {
  const { address, port } = published ?? { address: own.address, port: ownPort };
  const names = [address.includes(':') ? `[${address}]` : address, ...hostNames];
  const withPort = names.map((name) => `${name}:${port}`);
  return port === 80 ? [...names, ...withPort] : withPort;
}

function find(request: IncomingMessage, hosts: readonly string[], route: HttpOptions['route']) {
  if (!hosts.includes((request.headers.host ?? '').toLowerCase())) {
    throw new Refused(421, `The Host must be ${hosts[0]}.`);
  }
  const target = request.url ?? '/';
  const at = target.indexOf('?');
  const path = at === -1 ? target : target.slice(0, at);
  const found = route(path);
  if (found === undefined) throw new Refused(404, 'There is nothing at this path.');
  return { route: found, query: new URLSearchParams(at === -1 ? '' : target.slice(at + 1)) };
}

function checkMethod(request: IncomingMessage, { method }: Route): void {
  if (request.method === method) return;
  throw new Refused(405, `Only ${method} is answered here.`, { allow: method });
}

function checkKey({ headers }: IncomingMessage, guard: Guard): void {
  const bearer = /^Bearer +(\S+)$/i.exec(headers.authorization ?? '')?.[1];
  const given = bearer ?? headers['x-api-key'];
  if (admits(guard, typeof given === 'string' ? given : undefined)) return;
  const message = 'The key is missing or wrong: Authorization: Bearer <key>, or X-Api-Key: <key>.';
  throw new Refused(401, message, { 'www-authenticate': 'Bearer' });
}

async function readJson(
  request: IncomingMessage,
  response: ServerResponse,
  drain: Drain,
): Promise<unknown> {
  const { headers } = request;
  const empty = headers['content-length'] === '0' || !hasBody(headers);
  if (empty && headers['content-type'] === undefined) return undefined;
  const mediaRefusal = jsonRefusal(headers);
  if (mediaRefusal) throw new Refused(415, mediaRefusal);
  const body = await readBody(request, response, { maxBytes: bodyBytes, drain });
  if ('refusal' in body) {
    if (body.refusal === 'tooLarge')
      throw new Refused(413, `A body has ${bodyBytes} bytes at most.`);
    throw new Refused(503, closingMessage);
  }
  try {
    return JSON.parse(textOf(body.bytes) ?? '');
  } catch {
    throw new Refused(400, 'The body is no JSON in UTF-8.');
  }
}

function hasBody(headers: IncomingMessage['headers']): boolean {
  return headers['content-length'] !== undefined || headers['transfer-encoding'] !== undefined;
}

/** Reads and drops the rest of a refused request, up to a limit, so that its answer arrives. */
function discard(request: IncomingMessage): void {
  let bytes = 0;
  request.on('error', () => {});
  request.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes > discardedBytes) request.destroy();
  });
}
