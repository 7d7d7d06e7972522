/**
 * The steps of every operation, for every transport: parse, limits, validation, context, execution,
 * masking of errors.
 */

import {
  createSourceEventStream,
  type ExecutionResult,
  execute,
  type GraphQLError,
  type GraphQLSchema,
  getOperationAST,
} from 'graphql';
import type { Logger } from 'pino';
import { asGraphQLError } from '../../api/base/graphql-stream.ts';
import type { ServerLimits } from '../../api/base/limits.ts';
import type { Viewer } from '../../api/base/viewer.ts';
import { ChannelSource } from '../../feed/channel/channel-source.ts';
import { refusedToRuns } from '../auth/run-keys.ts';
import type { Admission } from '../wire/admission.ts';
import type { Metrics } from '../wire/metrics.ts';
import { payloadOf } from '../wire/next-frames.ts';
import { maskError, type RequestLog, refusedRequest, withCode } from '../wire/request-error.ts';
import type { Subscriber } from '../wire/subscriber.ts';
import { createDocuments } from './documents.ts';
import { planEvents } from './event-plan.ts';
import { createGroups, isShared } from './groups.ts';
import { exceededLimits } from './limits.ts';
import { mapEvents, type Results } from './map-events.ts';
import type { Caller, OperationRequest, Prepared, RequestInfo } from './request.ts';
import { answered, answeredInTime } from './retry.ts';

export interface Pipeline {
  prepare(request: OperationRequest, caller: Caller): Prepared | readonly GraphQLError[];
  execute(prepared: Prepared): Promise<ExecutionResult>;
  /** The subscriber of the caller if it has joined a group, otherwise the results, or errors. */
  subscribe(prepared: Prepared): Promise<Subscriber | Results | ExecutionResult>;
  /** All steps. */
  run(request: OperationRequest, caller: Caller): Promise<Subscriber | Results | ExecutionResult>;
}

export interface PipelineOptions {
  readonly schema: GraphQLSchema;
  readonly limits: ServerLimits;
  /** Called for each request, and again for each event of a subscription. */
  readonly createContext: (viewer: Viewer, request: RequestInfo) => object;
  readonly admission: Admission;
  readonly metrics: Metrics;
  readonly log: Logger;
}

export function createPipeline(options: PipelineOptions): Pipeline {
  const { schema, limits, createContext, admission, metrics, log } = options;
  const documents = createDocuments(schema, limits.tokens);

  function prepare(request: OperationRequest, caller: Caller): Prepared | readonly GraphQLError[] {
    try {
      return prepared(request, caller);
    } catch (error) {
      return [maskError(error, { requestId: caller.requestId, log })];
    }
  }

  function prepared(request: OperationRequest, caller: Caller): Prepared | readonly GraphQLError[] {
    const query = request.query ?? '';
    const known = documents.known(query);
    const read = known ?? documents.parse(query);
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
    const checked = known ?? documents.validate(query, document);
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

  const withContext = (prepared: Prepared): Prepared => {
    const { caller } = prepared;
    return { ...prepared, contextValue: createContext(caller.viewer, caller) };
  };

  const requestOf = ({ caller, operation }: Prepared): RequestLog => ({
    ...{ requestId: caller.requestId, operation: operation.operation, log },
  });
  const masked = (result: ExecutionResult, request: RequestLog): ExecutionResult =>
    result.errors
      ? { ...result, errors: result.errors.map((error) => maskError(error, request)) }
      : result;

  /**
   * Executes one event of a subscription; synchronously if nothing must be read. A read is repeated
   * if the database became unreachable: an event that is sent with an error in its place is lost to
   * its subscriber.
   */
  function delivered(prepared: Prepared): ExecutionResult | Promise<ExecutionResult> {
    const { caller } = prepared;
    const result = execute(prepared);
    if (!isPromise(result) && !result.errors) return result;
    const again = () => execute(withContext(prepared));
    return answeredInTime(result, again, caller).then((last) => executed(prepared, last));
  }

  const groups = createGroups({
    schema,
    async open(prepared) {
      const source = await createSourceEventStream(withContext(prepared));
      if (source instanceof ChannelSource || !(Symbol.asyncIterator in source)) return source;
      throw new Error('The source of a shared subscription is a channel.');
    },
    renderer(prepared) {
      const planned = planEvents(prepared);
      const context = contextOfTick(() => createContext(prepared.caller.viewer, prepared.caller));
      return (rootValue) => {
        const cursor = cursorOf(rootValue);
        const contextValue = context();
        const data = planned(rootValue, contextValue);
        if (data) return payloadOf({ data }, cursor);
        const result = delivered({ ...prepared, rootValue, contextValue });
        return isPromise(result)
          ? result.then((settled) => payloadOf(settled, cursor))
          : payloadOf(result, cursor);
      };
    },
  });

  async function executed(prepared: Prepared, given?: ExecutionResult): Promise<ExecutionResult> {
    const request = requestOf(prepared);
    try {
      const result = masked(given ?? (await execute(prepared)), request);
      // With invalid variables nothing was executed: then there is no data at all.
      return result.data === undefined && result.errors
        ? { errors: withCode(result.errors, 'BAD_USER_INPUT') }
        : result;
    } catch (error) {
      return { errors: [maskError(error, request)] };
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
      const request = requestOf(prepared);
      const mask = (error: unknown) => maskError(error, request);
      const end = metrics.started(caller.transport, 'subscription');
      let leave = () => {};
      const refusal = (result: ExecutionResult) => {
        leave();
        end('errors');
        return { errors: masked(result, request).errors };
      };
      const { subscriber, viewer } = caller;
      // For a socket, its server has checked this.
      if (caller.transport !== 'WEBSOCKET' && admission.isBusy(viewer)) {
        if (!subscriber) return refusal({ errors: [busy()] });
        end('errors');
        // Not completed, because an EventSource would not return.
        subscriber.end(busy());
        return subscriber;
      }
      const entered = admission.enter(viewer);
      if (!entered)
        return refusal({ errors: [tooManySubscriptions(limits.subscriptionsPerToken)] });
      leave = entered;
      const onEnd = () => {
        leave();
        end('ok');
      };
      try {
        if (subscriber && isShared(prepared)) {
          subscriber.mask = (error) => mask(asGraphQLError(error));
          const join = () => groups.join(prepared, subscriber);
          const refused = await answered(join(), join, caller);
          if (refused) return refusal(refused);
          subscriber.left(onEnd);
          return subscriber;
        }
        const source = await createSourceEventStream(prepared);
        if (!(Symbol.asyncIterator in source)) return refusal(source);
        const onEvent = async (event: unknown) => {
          const result = await delivered({ ...withContext(prepared), rootValue: event });
          const cursor = cursorOf(event);
          return cursor === null ? result : { ...result, extensions: { cursor } };
        };
        return mapEvents(source, { onEvent, mask, onEnd });
      } catch (error) {
        return refusal({ errors: [mask(error)] });
      }
    },
  };
  return pipeline;
}

const tooManySubscriptions = (most: number) =>
  refusedRequest(
    'RATE_LIMITED',
    `${most} subscriptions are open with this token, as many as it may have. End some first.`,
  );
const busy = () => refusedRequest('RATE_LIMITED', 'The server is busy. Come back in a moment.');

const isPromise = <Value>(value: Value | Promise<Value>): value is Promise<Value> =>
  value instanceof Promise;

/** One context for all events of a tick, so that their reads are batched. */
function contextOfTick(create: () => object): () => object {
  let context: object | null = null;
  return () => {
    if (context) return context;
    setImmediate(() => {
      context = null;
    });
    context = create();
    return context;
  };
}

/** Events of the log carry their cursor as a property; it is sent with each, selected or not. */
function cursorOf(event: unknown): string | null {
  return typeof event === 'object' && event && 'cursor' in event && typeof event.cursor === 'string'
    ? event.cursor
    : null;
}
