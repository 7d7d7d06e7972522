/**
 * The way of every operation, whatever transport brought it: parse, limits, validation, context,
 * execution, masking. Transports only carry.
 */

import { setTimeout as pause } from 'node:timers/promises';
import {
  createSourceEventStream,
  type DocumentNode,
  type ExecutionArgs,
  type ExecutionResult,
  execute,
  GraphQLError,
  type GraphQLSchema,
  getOperationAST,
  type OperationDefinitionNode,
  parse,
  validate,
} from 'graphql';
import type { Logger } from 'pino';
import { isConnectionError } from '../store/database.ts';
import type { ServerLimits } from './context.ts';
import { exceededLimits } from './limits.ts';
import { mapEvents, type Results } from './map-events.ts';
import type { Metrics } from './metrics.ts';
import { maskError, refusedRequest, withCode } from './request-error.ts';
import { refusedToRuns } from './run-keys.ts';
import type { Viewer } from './viewer.ts';

/** What a resolver may want to know of the request, through the context. */
export interface RequestInfo {
  readonly requestId: string;
  readonly transport: 'HTTP' | 'SSE' | 'WEBSOCKET';
  /** Where an EventSource goes on: takes the place of the argument `after`. */
  readonly lastEventId: string | null;
  /** Aborted once nobody waits for the answer any more. */
  readonly signal: AbortSignal;
}

export interface Caller extends RequestInfo {
  readonly viewer: Viewer;
  /** A GET may only read. */
  readonly method: 'GET' | 'POST' | 'SOCKET';
}

export interface OperationRequest {
  readonly query?: string | null;
  readonly operationName?: string | null;
  readonly variables?: Record<string, unknown> | null;
}

/** An operation that may be run. */
export interface Prepared extends ExecutionArgs {
  readonly operation: OperationDefinitionNode;
  readonly caller: Caller;
}

export interface Pipeline {
  prepare(request: OperationRequest, caller: Caller): Prepared | readonly GraphQLError[];
  execute(prepared: Prepared): Promise<ExecutionResult>;
  subscribe(prepared: Prepared): Promise<Results | ExecutionResult>;
  /** All of it. */
  run(request: OperationRequest, caller: Caller): Promise<Results | ExecutionResult>;
}

export interface PipelineOptions {
  readonly schema: GraphQLSchema;
  readonly limits: ServerLimits;
  /** Called for each request, and again for each event of a subscription. */
  readonly createContext: (viewer: Viewer, request: RequestInfo) => object;
  readonly metrics: Metrics;
  readonly log: Logger;
}

type Checked = { readonly document: DocumentNode } | { readonly errors: readonly GraphQLError[] };

/** Reads of one event are tried again so often, for about half a minute in all. */
const eventRetries = 30;
/** Documents that are kept with the outcome of their validation, the latest used. */
const keptDocuments = 500;
const largestKept = 20_000;

export function createPipeline(options: PipelineOptions): Pipeline {
  const { schema, limits, createContext, metrics, log } = options;
  const validated = new Map<string, Checked>();

  function parsed(query: string): Checked {
    try {
      return { document: parse(query, { maxTokens: limits.tokens }) };
    } catch (error) {
      if (!(error instanceof GraphQLError)) throw error;
      if (error.message.includes(`more that ${limits.tokens} tokens`))
        return {
          errors: [
            refusedRequest(
              'QUERY_TOO_COMPLEX',
              `More than ${limits.tokens} tokens. Send several documents, and values as variables.`,
            ),
          ],
        };
      return { errors: withCode([error], 'GRAPHQL_PARSE_FAILED') };
    }
  }

  /** Validation by graphql-js, once per text. */
  function validatedDocument(query: string, document: DocumentNode): Checked {
    const before = validated.get(query);
    if (before) return before;
    const errors = validate(schema, document);
    const checked =
      errors.length > 0 ? { errors: withCode(errors, 'GRAPHQL_VALIDATION_FAILED') } : { document };
    if (query.length <= largestKept) validated.set(query, checked);
    for (const [oldest] of validated) {
      if (validated.size <= keptDocuments) break;
      validated.delete(oldest);
    }
    return checked;
  }

  function prepare(request: OperationRequest, caller: Caller): Prepared | readonly GraphQLError[] {
    try {
      return prepared(request, caller);
    } catch (error) {
      return [maskError(error, { requestId: caller.requestId, log })];
    }
  }

  function prepared(request: OperationRequest, caller: Caller): Prepared | readonly GraphQLError[] {
    const query = request.query ?? '';
    const known = validated.get(query);
    const read = known ?? parsed(query);
    if ('errors' in read) return read.errors;
    const operation = getOperationAST(read.document, request.operationName);
    if (!operation) {
      const message = request.operationName
        ? `The document has no operation ${JSON.stringify(request.operationName)}.`
        : 'The document must have one operation, or operationName must say which one is meant.';
      return [refusedRequest('BAD_REQUEST', message)];
    }
    if (caller.method === 'GET' && operation.operation === 'mutation')
      return [refusedRequest('METHOD_NOT_ALLOWED', 'Mutations run over POST and WebSocket alone.')];
    if (caller.transport === 'HTTP' && operation.operation === 'subscription')
      return [
        refusedRequest(
          'BAD_REQUEST',
          'A subscription takes a WebSocket (graphql-transport-ws) or Accept: text/event-stream.',
        ),
      ];
    if (caller.viewer.kind === 'RUN') {
      const refused = refusedToRuns(schema, read.document);
      if (refused.length > 0) return refused;
    }
    const { document } = read;
    const variables = request.variables ?? {};
    const exceeded = exceededLimits({ schema, document, operation, variables }, limits);
    if (exceeded.length > 0) return exceeded;
    const checked = known ?? validatedDocument(query, document);
    if ('errors' in checked) return checked.errors;
    return {
      schema,
      document,
      operation,
      operationName: request.operationName ?? undefined,
      variableValues: variables,
      contextValue: createContext(caller.viewer, caller),
      caller,
    };
  }

  const masked = (result: ExecutionResult, { requestId }: Caller): ExecutionResult =>
    result.errors
      ? { ...result, errors: result.errors.map((error) => maskError(error, { requestId, log })) }
      : result;

  /**
   * Executes one event of a subscription. What it reads besides is read again where the database
   * went away meanwhile: an event that is sent with an error in its place is lost to its subscriber.
   */
  async function delivered(prepared: Prepared): Promise<ExecutionResult> {
    const { caller } = prepared;
    for (let attempt = 0; ; attempt += 1) {
      const contextValue = createContext(caller.viewer, caller);
      const execution = { ...prepared, contextValue };
      const result = await execute(execution);
      const isAway = result.errors?.some(({ originalError }) => isConnectionError(originalError));
      if (!isAway || attempt === eventRetries || caller.signal.aborted) {
        return executed(execution, result);
      }
      await pause(Math.min(1_000, 20 * 2 ** attempt));
    }
  }

  async function executed(prepared: Prepared, given?: ExecutionResult): Promise<ExecutionResult> {
    const { requestId } = prepared.caller;
    try {
      const result = masked(given ?? (await execute(prepared)), prepared.caller);
      // Nothing was run where variables are wrong: then there is no data at all.
      return result.data === undefined && result.errors
        ? { errors: withCode(result.errors, 'BAD_USER_INPUT') }
        : result;
    } catch (error) {
      return { errors: [maskError(error, { requestId, log })] };
    }
  }

  async function run(request: OperationRequest, caller: Caller) {
    const prepared = prepare(request, caller);
    if (!('caller' in prepared)) {
      metrics.operation(caller.transport, 'unknown', 'refused');
      return { errors: prepared };
    }
    return prepared.operation.operation === 'subscription'
      ? pipeline.subscribe(prepared)
      : pipeline.execute(prepared);
  }

  const pipeline: Pipeline = {
    prepare,
    run,
    async execute(prepared) {
      const end = metrics.started(prepared.caller.transport, prepared.operation.operation);
      const result = await executed(prepared);
      end(result.errors ? 'errors' : 'ok');
      return result;
    },
    async subscribe(prepared) {
      const { caller } = prepared;
      const mask = (error: unknown) => maskError(error, { requestId: caller.requestId, log });
      const end = metrics.started(caller.transport, 'subscription');
      const refusal = (result: ExecutionResult) => {
        end('errors');
        return { errors: masked(result, caller).errors };
      };
      try {
        const source = await createSourceEventStream(prepared);
        if (!(Symbol.asyncIterator in source)) return refusal(source);
        const onEvent = async (event: unknown) => {
          const result = await delivered({ ...prepared, rootValue: event });
          const cursor = cursorOf(event);
          return cursor === null ? result : { ...result, extensions: { cursor } };
        };
        return mapEvents(source, { onEvent, mask, onEnd: () => end('ok') });
      } catch (error) {
        return refusal({ errors: [mask(error)] });
      }
    },
  };
  return pipeline;
}

/** Events of the log carry their cursor as a property: it goes with each, selected or not. */
function cursorOf(event: unknown): string | null {
  return typeof event === 'object' && event && 'cursor' in event && typeof event.cursor === 'string'
    ? event.cursor
    : null;
}
