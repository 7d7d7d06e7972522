/**
 * Answers the usual request, one operation in the body of a POST, from the streams of Node. Yoga's
 * `Request` and `Response` took a third of the server's time for a command. A request of any other
 * form is left to Yoga, which answers or refuses it; a test compares the responses of both.
 */
import type { ServerResponse } from 'node:http';
import type { ExecutionResult } from 'graphql';
import { type FetchAPI, processRegularResult } from 'graphql-yoga';
import type { Pipeline } from '../execution/pipeline.ts';
import type { OperationRequest, Requester } from '../execution/request.ts';

export interface PostHandler {
  /** Answers the request. False: it is not of the usual form, and nothing was done. */
  handle(response: ServerResponse, post: Post): Promise<boolean>;
}

interface Post {
  readonly accept: string;
  readonly body: string;
  readonly requester: Requester;
}

export function createPostHandler(pipeline: Pipeline): PostHandler {
  return {
    async handle(response, { accept, body, requester }) {
      const type = requester.transport === 'HTTP' ? responseType(accept) : null;
      const request = type && operationOf(body);
      if (!type || !request) return false;
      let abort: AbortController | null = null;
      const result = await pipeline.run(request, {
        ...requester,
        // Created on use: only operations that wait use it.
        get signal() {
          abort ??= abortedOnClose(response);
          return abort.signal;
        },
      });
      if (response.destroyed) return true;
      // Over HTTP the pipeline refuses subscriptions, so there is one result.
      const { text, init } = responseOf(result as ExecutionResult, type);
      response.writeHead(init.status, {
        ...init.headers,
        'content-length': Buffer.byteLength(text),
      });
      response.end(text);
      return true;
    },
  };
}

const json = 'application/json';
const graphqlJson = 'application/graphql-response+json';

/** The media type of the response, as Yoga negotiates it: the first range that matches decides. */
function responseType(accept: string): string | null {
  for (const each of (accept || '*/*').replace(/\s/g, '').toLowerCase().split(',')) {
    const [range, ...parameters] = each.split(';');
    const charset = parameters.find((parameter) => parameter.includes('charset='));
    if (charset !== undefined && charset !== 'charset=utf-8') continue;
    if (range === json || range === '*/*' || range === 'application/*' || range === '*/json')
      return json;
    if (range === graphqlJson || range === '*/graphql-response+json') return graphqlJson;
  }
  return null;
}

const parameters = ['query', 'variables', 'operationName', 'extensions'];

/** The operation in a body; null if it is not JSON, or not of the form of a request. */
function operationOf(body: string): OperationRequest | null {
  let request: unknown;
  try {
    request = JSON.parse(body);
  } catch {
    return null;
  }
  if (!isObject(request)) return null;
  for (const name in request) if (request[name] != null && !parameters.includes(name)) return null;
  const { query, variables, operationName, extensions } = request;
  const isUsual =
    typeof query === 'string' &&
    (variables == null || isObject(variables)) &&
    (extensions == null || isObject(extensions)) &&
    (operationName == null || typeof operationName === 'string');
  return isUsual ? (request as OperationRequest) : null;
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

interface TextResponse {
  readonly text: string;
  readonly init: { readonly status: number; readonly headers: Record<string, string> };
}

/** Takes what Yoga makes a `Response` of. */
class Taken implements TextResponse {
  readonly text: string;
  readonly init: TextResponse['init'];

  constructor(text: string, init: TextResponse['init']) {
    this.text = text;
    this.init = init;
  }
}
const taking = { Response: Taken } as unknown as FetchAPI;

/** The response with a result, with Yoga's rules for the status. */
const responseOf = (result: ExecutionResult, type: string): TextResponse =>
  processRegularResult(result, taking, type) as unknown as TextResponse;

/** Aborted if the client leaves before it has its response. */
function abortedOnClose(response: ServerResponse): AbortController {
  const controller = new AbortController();
  if (response.destroyed) controller.abort();
  response.once('close', () => {
    if (!response.writableFinished) controller.abort();
  });
  return controller;
}
