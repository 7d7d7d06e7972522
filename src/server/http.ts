/** Every HTTP request: first the checks that apply to all, then its route. */
import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Logger } from 'pino';
import { describeError, isConnectionError } from '../store/database/sql-error.ts';
import { hasCookie, type SignIn } from './auth/sign-in.ts';
import { createGraphqlRoute, type Exchange, type GraphqlRouteOptions } from './graphql-route.ts';
import type { PageName } from './page/files.ts';
import type { Pages } from './page/page.ts';
import { createSchemaText } from './page/schema-text.ts';
import type { Metrics } from './wire/metrics.ts';
import { unavailable } from './wire/request-error.ts';
import { closingMessage, redirect, sendError, sendText } from './wire/respond.ts';

export interface HttpOptions extends Omit<GraphqlRouteOptions, 'graphiql'> {
  readonly pages: Pages;
  readonly signIn: SignIn;
  readonly metrics: Metrics;
  readonly log: Logger;
  /** The printed schema. */
  readonly sdl: () => string;
  readonly ready: () => Promise<boolean>;
  /** Is the port reachable beyond loopback? */
  readonly isExposed: boolean;
}

type Handler = (exchange: Exchange) => Promise<void> | void;

const headers = {
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'cache-control': 'no-store',
};

/** Longest time that the rest of a refused body is read and discarded. */
const discardMilliseconds = 5_000;

/** Makes the listener of a `node:http` server. */
export function createHttpListener(options: HttpOptions) {
  const { auth, signIn, metrics, log } = options;
  const sendSchema = createSchemaText(options.sdl);

  const routes: Readonly<Record<string, Handler>> = {
    '/': page('console'),
    '/assets/': (exchange) => options.pages.asset(exchange),
    '/healthz': ({ response }) => sendText(response, 200, 'ok\n'),
    '/readyz': async ({ response }) => {
      const isReady = await options.ready().catch(() => false);
      sendText(response, isReady ? 200 : 503, isReady ? 'ready\n' : 'not ready\n');
    },
    '/metrics': async (exchange) => {
      if (options.isExposed && !(await signedIn(exchange))) return;
      exchange.response.writeHead(200, { 'content-type': metrics.registry.contentType });
      exchange.response.end(await metrics.registry.metrics());
    },
    '/schema.graphql': async (exchange) => {
      if (await signedIn(exchange)) await sendSchema(exchange.request, exchange.response);
    },
    '/sign-in': ({ request, response }) => signIn.page(request, response),
    '/session': ({ request, response }) => signIn.session(request, response),
    '/session/link': ({ request, response }) => signIn.link(request, response),
    '/graphql': createGraphqlRoute({ ...options, graphiql: page('graphiql') }),
  };
  const writable = ['/graphql', '/session', '/session/link'];
  /** Probes use an address that is in no list, and these paths disclose nothing. */
  const forAnyHost = ['/healthz', '/readyz'];

  /** True if the sender is signed in and not a run; otherwise the request has been answered. */
  async function signedIn({ request, response }: Exchange): Promise<boolean> {
    const found = await auth.ofRequest(request);
    if ('viewer' in found && found.viewer.kind !== 'RUN') return true;
    if ('viewer' in found) sendError(response, 'FORBIDDEN', 'Not for the key of a run.');
    else sendError(response, found.code, found.message);
    return false;
  }

  /** A page, for a session. It contains no secret, but is useless without a session. */
  function page(name: PageName): (exchange: Exchange) => Promise<void> {
    return async (exchange) => {
      const { request, response } = exchange;
      if (!hasCookie(request, auth) || !(await auth.isSession(request)))
        return redirect(response, '/sign-in');
      await options.pages.document(name, exchange);
    };
  }

  async function route(exchange: Exchange, path: string): Promise<void> {
    const { request, response } = exchange;
    if (options.drain.isClosing()) {
      response.setHeader('connection', 'close');
      return sendError(response, 'UNAVAILABLE', closingMessage);
    }
    if (!forAnyHost.includes(path) && !auth.isOurHost(request))
      return sendError(
        response,
        'MISDIRECTED_REQUEST',
        'This server does not go by the name in the Host header; ALLOWED_HOSTS can add it.',
      );
    const handler = Object.hasOwn(routes, path) ? routes[path] : undefined;
    if (!handler) return sendError(response, 'NOT_FOUND', 'There is nothing here.');
    const isRead = request.method === 'GET' || request.method === 'HEAD';
    if (!isRead && !writable.includes(path)) {
      response.setHeader('allow', 'GET, HEAD');
      return sendError(response, 'METHOD_NOT_ALLOWED', 'This takes GET alone.');
    }
    await handler(exchange);
  }

  return (request: IncomingMessage, response: ServerResponse): void => {
    const requestId = randomUUID();
    const path = routeOf((request.url ?? '').split('?', 1)[0] ?? '');
    for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
    response.setHeader('x-request-id', requestId);
    response.once('finish', () => {
      const known = Object.hasOwn(routes, path) ? path : 'other';
      metrics.request(known, request.method ?? '', response.statusCode);
      if (!request.complete) discard(request);
    });
    route({ request, response, requestId }, path).catch((error: unknown) => {
      log.error({ requestId, error: describeError(error) }, 'A request failed.');
      if (response.headersSent) response.destroy();
      else if (isConnectionError(error)) sendError(response, 'UNAVAILABLE', unavailable());
      else sendError(response, 'INTERNAL', `The log has the cause under ${requestId}.`);
    });
  };
}

/** First parts of the console's own addresses: `/instances/greenhouse-1`. */
const consoleAddresses = ['instances', 'hosts', 'create', 'solutions', 'operations', 'history'];

/** The route of a path: its own, or that of all paths that begin like it. */
function routeOf(path: string): string {
  const [, first = '', ...rest] = path.split('/');
  if (first === 'assets' && rest.length > 0) return '/assets/';
  return consoleAddresses.includes(first) ? '/' : path;
}

/** Reads for a limited time what a refused client still sends, so that it receives the answer. */
function discard(request: IncomingMessage): void {
  request.resume();
  const timer = setTimeout(() => request.destroy(), discardMilliseconds);
  request.once('close', () => clearTimeout(timer));
}
