/** The route `/graphql`: GraphiQL for a browser; for the rest the checks of HTTP, then an operation. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Drain } from '../http/drain.ts';
import { accepts } from '../http/media-type.ts';
import type { Auth } from './auth/auth.ts';
import type { Requester } from './execution/request.ts';
import type { PostHandler } from './transport/post.ts';
import { completedEventId } from './transport/sse.ts';
import { notAcceptableMessage, responseTypes, type YogaHandler } from './transport/yoga.ts';
import { isJson, readText, sendError } from './wire/respond.ts';

/** One request and its response. */
export interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly requestId: string;
}

export interface GraphqlRouteOptions {
  readonly auth: Auth;
  /** GraphiQL, for a browser. */
  readonly graphiql: (exchange: Exchange) => Promise<void>;
  readonly post: PostHandler;
  readonly yoga: YogaHandler;
  readonly drain: Drain;
  readonly payloadBytes: number;
}

const requestTypes = ['application/json', 'application/graphql+json'];

/** Both handlers replace it: a signal is created for the requests that use it. */
const never = new AbortController().signal;

export function createGraphqlRoute(
  options: GraphqlRouteOptions,
): (exchange: Exchange) => Promise<void> {
  const { auth, post, yoga } = options;

  async function graphql(exchange: Exchange): Promise<void> {
    const { request, response } = exchange;
    // Yoga compares media types by their letters, and they have no case.
    const accept = (request.headers.accept ?? '').toLowerCase();
    if (accept !== '') request.headers.accept = accept;
    if (request.method === 'GET' && accept.includes('text/html')) return options.graphiql(exchange);
    if (request.method !== 'GET' && request.method !== 'POST') {
      response.setHeader('allow', 'GET, POST');
      return sendError(response, 'METHOD_NOT_ALLOWED', 'GraphQL takes GET and POST.');
    }
    const found = await auth.ofRequest(request);
    if (!('viewer' in found)) return sendError(response, found.code, found.message);
    if (!accepts(accept, responseTypes))
      return sendError(response, 'NOT_ACCEPTABLE', notAcceptableMessage);
    if (request.method === 'POST' && !isJson(request, response, requestTypes)) return;
    if (!hasReadableParameters(request))
      return sendError(response, 'BAD_REQUEST', 'variables and extensions must be JSON objects.');
    const wantsEvents = accept.includes('text/event-stream');
    const lastEventId = String(request.headers['last-event-id'] ?? '') || null;
    if (wantsEvents && lastEventId === completedEventId) {
      response.writeHead(204).end();
      return;
    }
    const body = request.method === 'POST' ? await bodyOf(exchange) : '';
    if (body === null) return;
    const requester: Requester = {
      viewer: found.viewer,
      requestId: exchange.requestId,
      transport: wantsEvents ? 'SSE' : 'HTTP',
      method: request.method,
      lastEventId,
      signal: never,
    };
    if (await post.handle(response, { accept, body, requester })) return;
    await yoga.handle(request, response, body, requester);
  }

  /** The body of a POST, or null if it was refused. */
  async function bodyOf({ request, response }: Exchange): Promise<string | null> {
    const { payloadBytes, drain } = options;
    const text = await readText(request, response, { maxBytes: payloadBytes, drain });
    request.headers['content-type'] = 'application/json';
    if (text !== '') return text;
    sendError(response, 'BAD_REQUEST', 'The body is empty: { "query": … } goes there.');
    return null;
  }

  return graphql;
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
