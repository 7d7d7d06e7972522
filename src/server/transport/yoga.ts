/**
 * GraphQL over HTTP with Yoga, which reads requests and negotiates responses. Everything between is
 * the pipeline, as for every transport.
 */
import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { type ExecutionResult, GraphQLError } from 'graphql';
import { createYoga, type Plugin } from 'graphql-yoga';
import type { Logger } from 'pino';
import type { Pipeline } from '../execution/pipeline.ts';
import type { Requester } from '../execution/request.ts';
import { maskError, refusedRequest } from '../wire/request-error.ts';
import type { SlowConsumers } from '../wire/slow-consumers.ts';
import type { StreamLimits } from '../wire/stream-limits.ts';
import { EventStream } from './sse.ts';

/** The media types of responses; a subscription has events alone. */
export const responseTypes = [
  'application/graphql-response+json',
  'application/json',
  'text/event-stream',
];
export const notAcceptableMessage =
  'Queries and mutations are answered with Accept: application/graphql-response+json or ' +
  'application/json, subscriptions with Accept: text/event-stream.';

interface ServerContext {
  readonly requester: Requester;
  readonly response: ServerResponse;
}

export interface YogaHandler {
  /** Answers one request of a viewer whose headers have been checked; `body` is that of a POST. */
  handle(
    request: IncomingMessage,
    response: ServerResponse,
    body: string,
    requester: Requester,
  ): Promise<void>;
  /**
   * Ends the event streams of this key, or all because the server stops; their clients reconnect.
   */
  closeStreams(accessKeyId?: string): void;
  /** The keys whose event streams are open. */
  accessKeyIds(): Iterable<string>;
}

export function createYogaHandler(options: {
  readonly pipeline: Pipeline;
  readonly streamLimits: StreamLimits;
  readonly slowConsumers: SlowConsumers;
  readonly log: Logger;
}): YogaHandler {
  const { pipeline, log } = options;
  const streams = new Map<EventStream, string>();
  const opened = new WeakMap<Request, EventStream>();
  let isStopping = false;

  /** The stream of a request. It can be closed from now on, even before it is answered. */
  function openStream(request: Request, { requester, response }: ServerContext): EventStream {
    const known = opened.get(request);
    if (known) return known;
    const stream = new EventStream(response, options);
    opened.set(request, stream);
    streams.set(stream, requester.viewer.accessKeyId);
    stream.onLeave(() => streams.delete(stream));
    if (isStopping) stream.close();
    // The body is not cancelled if nobody reads it: the client had left before there was a
    // response, had sent a POST in full, or is answered with JSON.
    if (response.closed || response.destroyed) stream.gone();
    else response.once('close', () => stream.gone());
    return stream;
  }

  const transport: Plugin<object, ServerContext> = {
    onParams({ setParamsHandler }) {
      setParamsHandler(async ({ params, request, context }) => {
        const { requester } = context;
        const running = pipeline.run(params, {
          ...requester,
          // Both are created on use; for the first one, only subscriptions use it.
          get subscriber() {
            return requester.transport === 'SSE' ? openStream(request, context) : undefined;
          },
          get signal() {
            return request.signal;
          },
        });
        const stream = opened.get(request);
        return stream ? joinedOrOver(running, stream) : running;
      });
    },
    onResultProcess({ request, result, serverContext, setResultProcessor, resultProcessor }) {
      const accept = request.headers.get('accept') ?? '';
      if (!accept.includes('text/event-stream') || !resultProcessor || Array.isArray(result))
        return;
      const results = result as AsyncIterable<ExecutionResult> | ExecutionResult;
      if (!(Symbol.asyncIterator in results) && accept.includes('json')) return;
      setResultProcessor(() => {
        const stream = openStream(request, serverContext);
        void stream.follow(results);
        return stream.response;
      }, 'text/event-stream');
    },
  };

  const yoga = createYoga<ServerContext>({
    graphqlEndpoint: '/graphql',
    plugins: [transport],
    cors: false,
    graphiql: false,
    landingPage: false,
    multipart: false,
    batching: false,
    logging: false,
    fetchAPI: { Response },
    maskedErrors: {
      maskError(error) {
        if (!(error instanceof GraphQLError) || typeof error.extensions.code !== 'string')
          return maskError(error, { requestId: randomUUID(), log });
        // Refusals by Yoga itself: no JSON, no query.
        return error.extensions.code === 'BAD_REQUEST'
          ? refusedRequest('BAD_REQUEST', error.message)
          : error;
      },
    },
  });

  return {
    async handle(request, response, body, requester) {
      // Yoga takes a body that was already read from this property, as Express sets it.
      await yoga.handle(Object.assign(request, { body }), response, { requester, response });
    },
    closeStreams(accessKeyId) {
      isStopping ||= accessKeyId === undefined;
      for (const [stream, owner] of streams)
        if (accessKeyId === undefined || owner === accessKeyId) stream.close();
    },
    accessKeyIds: () => new Set(streams.values()),
  };
}

/**
 * If the stream is closed while it joins a group, this resolves at once, whatever the join waits
 * for.
 */
function joinedOrOver(
  joining: ReturnType<Pipeline['run']>,
  stream: EventStream,
): ReturnType<Pipeline['run']> {
  const over = new Promise<EventStream>((resolve) => stream.onLeave(() => resolve(stream)));
  // A result that arrives too late is released.
  joining.then(
    (results) => {
      if (stream.isOver && results !== stream) void stream.follow(results);
    },
    () => {}, // The error is handled by whoever awaits it.
  );
  return Promise.race([joining, over]);
}
