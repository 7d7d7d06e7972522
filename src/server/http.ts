/** Every HTTP request: first the checks that apply to all, then its route. */
import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Logger } from 'pino';
import type { Drain } from '../http/drain.ts';
import { accepts } from '../http/media-type.ts';
import { describeError, isConnectionError } from '../store/database/sql-error.ts';
import type { Auth } from './auth/auth.ts';
import { hasCookie, type SignIn } from './auth/sign-in.ts';
import type { Caller } from './execution/request.ts';
import type { GraphiqlHandler } from './graphiql/graphiql.ts';
import type { PostHandler } from './transport/post.ts';
import { completedEventId } from './transport/sse.ts';
import { answerTypes, notAcceptableMessage, type YogaHandler } from './transport/yoga.ts';
import type { Metrics } from './wire/metrics.ts';
import { unavailable } from './wire/request-error.ts';
import {
  answerError,
  answerText,
  closingMessage,
  isJson,
  readText,
  redirect,
} from './wire/respond.ts';

export interface HttpOptions {
  readonly auth: Auth;
  readonly signIn: SignIn;
  readonly graphiql: GraphiqlHandler;
  readonly post: PostHandler;
  readonly yoga: YogaHandler;
  readonly drain: Drain;
  readonly metrics: Metrics;
  readonly log: Logger;
  readonly payloadBytes: number;
  /** The printed schema. */
  readonly sdl: () => string;
  readonly ready: () => Promise<boolean>;
  /** Is the port reachable beyond loopback? */
  readonly isExposed: boolean;
}

type Handler = (exchange: Exchange) => Promise<void> | void;

interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly requestId: string;
}

const headers = {
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'cache-control': 'no-store',
};

const requestTypes = ['application/json', 'application/graphql+json'];

/** Both handlers replace it: a signal is created for the requests that use it. */
const never = new AbortController().signal;

/** Longest time that the rest of a refused body is read and discarded. */
const discardMilliseconds = 5_000;

/** Makes the listener of a `node:http` server. */
export function createHttpListener(options: HttpOptions) {
  const { auth, signIn, post, yoga, metrics, log } = options;

  const routes: Readonly<Record<string, Handler>> = {
    '/': ({ response }) => redirect(response, '/graphql'),
    '/healthz': ({ response }) => answerText(response, 200, 'ok\n'),
    '/readyz': async ({ response }) => {
      const isReady = await options.ready().catch(() => false);
      answerText(response, isReady ? 200 : 503, isReady ? 'ready\n' : 'not ready\n');
    },
    '/metrics': async (exchange) => {
      if (options.isExposed && !(await signedIn(exchange))) return;
      exchange.response.writeHead(200, { 'content-type': metrics.registry.contentType });
      exchange.response.end(await metrics.registry.metrics());
    },
    '/schema.graphql': async (exchange) => {
      if (await signedIn(exchange)) answerText(exchange.response, 200, options.sdl());
    },
    '/sign-in': ({ request, response }) => signIn.page(request, response),
    '/session': ({ request, response }) => signIn.session(request, response),
    '/session/link': ({ request, response }) => signIn.link(request, response),
    '/graphql': graphql,
  };
  const writable = ['/graphql', '/session', '/session/link'];
  /** Probes use an address that is in no list, and these paths disclose nothing. */
  const forAnyHost = ['/healthz', '/readyz'];

  /** True if the sender is signed in and not a run; otherwise the request has been answered. */
  async function signedIn({ request, response }: Exchange): Promise<boolean> {
    const found = await auth.ofRequest(request);
    if ('viewer' in found && found.viewer.kind !== 'RUN') return true;
    if ('viewer' in found) answerError(response, 'FORBIDDEN', 'Not for the key of a run.');
    else answerError(response, found.code, found.message);
    return false;
  }

  async function graphql(exchange: Exchange): Promise<void> {
    const { request, response } = exchange;
    // Yoga compares media types by their letters, and they have no case.
    const accept = (request.headers.accept ?? '').toLowerCase();
    if (accept !== '') request.headers.accept = accept;
    if (request.method === 'GET' && accept.includes('text/html')) return page(exchange);
    if (request.method !== 'GET' && request.method !== 'POST') {
      response.setHeader('allow', 'GET, POST');
      return answerError(response, 'METHOD_NOT_ALLOWED', 'GraphQL takes GET and POST.');
    }
    const found = await auth.ofRequest(request);
    if (!('viewer' in found)) return answerError(response, found.code, found.message);
    if (!accepts(accept, answerTypes))
      return answerError(response, 'NOT_ACCEPTABLE', notAcceptableMessage);
    if (request.method === 'POST' && !isJson(request, response, requestTypes)) return;
    if (!hasReadableParameters(request))
      return answerError(response, 'BAD_REQUEST', 'variables and extensions must be JSON objects.');
    const wantsEvents = accept.includes('text/event-stream');
    const lastEventId = String(request.headers['last-event-id'] ?? '') || null;
    if (wantsEvents && lastEventId === completedEventId) {
      response.writeHead(204).end();
      return;
    }
    const body = request.method === 'POST' ? await bodyOf(exchange) : '';
    if (body === null) return;
    const caller: Caller = {
      viewer: found.viewer,
      requestId: exchange.requestId,
      transport: wantsEvents ? 'SSE' : 'HTTP',
      method: request.method,
      lastEventId,
      signal: never,
    };
    if (await post.handle(response, { accept, body, caller })) return;
    await yoga.handle(request, response, body, caller);
  }

  /** The body of a POST, or null if it was refused. */
  async function bodyOf({ request, response }: Exchange): Promise<string | null> {
    const { payloadBytes, drain } = options;
    const text = await readText(request, response, { maxBytes: payloadBytes, drain });
    request.headers['content-type'] = 'application/json';
    if (text !== '') return text;
    answerError(response, 'BAD_REQUEST', 'The body is empty: { "query": … } goes there.');
    return null;
  }

  /** GraphiQL, for a session. The page contains no secret, but is useless without a session. */
  async function page({ request, response }: Exchange): Promise<void> {
    if (!hasCookie(request, auth) || !(await auth.isSession(request)))
      return redirect(response, '/sign-in');
    await options.graphiql(request, response);
  }

  async function route(exchange: Exchange, path: string): Promise<void> {
    const { request, response } = exchange;
    if (options.drain.isClosing()) {
      response.setHeader('connection', 'close');
      return answerError(response, 'UNAVAILABLE', closingMessage);
    }
    if (!forAnyHost.includes(path) && !auth.isOurHost(request))
      return answerError(
        response,
        'MISDIRECTED_REQUEST',
        'This server does not go by the name in the Host header; ALLOWED_HOSTS can add it.',
      );
    const handler = Object.hasOwn(routes, path) ? routes[path] : undefined;
    if (!handler) return answerError(response, 'NOT_FOUND', 'There is nothing here.');
    const isRead = request.method === 'GET' || request.method === 'HEAD';
    if (!isRead && !writable.includes(path)) {
      response.setHeader('allow', 'GET, HEAD');
      return answerError(response, 'METHOD_NOT_ALLOWED', 'This takes GET alone.');
    }
    await handler(exchange);
  }

  return (request: IncomingMessage, response: ServerResponse): void => {
    const requestId = randomUUID();
    const path = (request.url ?? '').split('?', 1)[0] ?? '';
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
      else if (isConnectionError(error)) answerError(response, 'UNAVAILABLE', unavailable());
      else answerError(response, 'INTERNAL', `The log has the cause under ${requestId}.`);
    });
  };
}

/** Reads for a limited time what a refused client still sends, so that it receives the answer. */
function discard(request: IncomingMessage): void {
  request.resume();
  const timer = setTimeout(() => request.destroy(), discardMilliseconds);
  request.once('close', () => clearTimeout(timer));
}

/** Is the JSON in the parameters of a GET valid? Yoga would report a fault in it as its own. */
function hasReadableParameters({ method, url }: IncomingMessage): boolean {
  if (method !== 'GET') return true;
  const parameters = new URLSearchParams((url ?? '').split('?').slice(1).join('?'));
  return ['variables', 'extensions'].every((name) => {
    const text = parameters.get(name);
    if (!text) return true;
    try {
      const value: unknown = JSON.parse(text);
      return typeof value === 'object' && !Array.isArray(value);
    } catch {
      return false;
    }
  });
}
