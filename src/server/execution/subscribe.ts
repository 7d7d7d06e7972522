/** Subscriptions: admitted, then joined to a group of equal ones or executed on their own. */
import { createSourceEventStream, type ExecutionResult } from 'graphql';
import { asGraphQLError } from '../../api/base/graphql-stream.ts';
import { ChannelSource } from '../../feed/channel/channel-source.ts';
import type { Admission } from '../wire/admission.ts';
import type { Metrics } from '../wire/metrics.ts';
import { type Payload, serializeResult } from '../wire/next-frames.ts';
import { maskError, refusedRequest } from '../wire/request-error.ts';
import type { Subscriber } from '../wire/subscriber.ts';
import { planEvents } from './event-plan.ts';
import { executeEvent, isPromise, maskErrors, requestOf, withContext } from './execute.ts';
import { createGroups, isShared } from './groups.ts';
import { mapEvents, type Results } from './map-events.ts';
import type { PrepareOptions } from './prepare.ts';
import type { Prepared } from './request.ts';
import { repeated } from './retry.ts';

export interface SubscribeOptions extends PrepareOptions {
  readonly admission: Admission;
  readonly metrics: Metrics;
}

/** The subscriber of the requester if it has joined a group, otherwise the results, or errors. */
export type Subscribe = (prepared: Prepared) => Promise<Subscriber | Results | ExecutionResult>;

export function createSubscribe(options: SubscribeOptions): Subscribe {
  const { schema, limits, admission, metrics, log } = options;
  const groups = createGroups({
    schema,
    async open(prepared) {
      const source = await createSourceEventStream(withContext(prepared, options));
      if (source instanceof ChannelSource || !(Symbol.asyncIterator in source)) return source;
      throw new Error('The source of a shared subscription is a channel.');
    },
    renderer: (prepared) => rendererOf(prepared, options),
  });

  /** Joins a group, or opens a source of its own. `onEnd` is called once if that succeeded. */
  async function open(
    prepared: Prepared,
    onEnd: () => void,
  ): Promise<Subscriber | Results | ExecutionResult> {
    const { requester } = prepared;
    const { subscriber } = requester;
    const mask = (error: unknown) => maskError(error, requestOf(prepared, log));
    if (subscriber && isShared(prepared)) {
      subscriber.mask = (error) => mask(asGraphQLError(error));
      const join = () => groups.join(prepared, subscriber);
      const refused = await repeated(join(), join, requester);
      if (refused) return refused;
      subscriber.onLeave(onEnd);
      return subscriber;
    }
    const source = await createSourceEventStream(prepared);
    if (!(Symbol.asyncIterator in source)) return source;
    const onEvent = async (event: unknown) => {
      const result = await executeEvent(
        { ...withContext(prepared, options), rootValue: event },
        options,
      );
      const cursor = cursorOf(event);
      return cursor === null ? result : { ...result, extensions: { cursor } };
    };
    return mapEvents(source, { onEvent, mask, onEnd });
  }

  return async (prepared) => {
    const { requester } = prepared;
    const { subscriber, viewer } = requester;
    const end = metrics.started(requester.transport, 'subscription');
    const refusal = (result: ExecutionResult) => {
      end('errors');
      return { errors: maskErrors(result, requestOf(prepared, log)).errors };
    };
    // For a socket, its server has checked this.
    if (requester.transport !== 'WEBSOCKET' && admission.isBusy(viewer)) {
      if (!subscriber) return refusal({ errors: [busy()] });
      end('errors');
      // Not completed, because an EventSource would not return.
      subscriber.end(busy());
      return subscriber;
    }
    const leave = admission.enter(viewer);
    if (!leave) return refusal({ errors: [tooManySubscriptions(limits.subscriptionsPerToken)] });
    const onEnd = () => {
      leave();
      end('ok');
    };
    try {
      const opened = await open(prepared, onEnd);
      if (opened === subscriber || Symbol.asyncIterator in opened) return opened;
      leave();
      return refusal(opened as ExecutionResult);
    } catch (error) {
      leave();
      return refusal({ errors: [maskError(error, requestOf(prepared, log))] });
    }
  };
}

/** Renders the events of an operation: by its plan, or by graphql-js where the plan gives up. */
function rendererOf(
  prepared: Prepared,
  options: PrepareOptions,
): (rootValue: unknown) => Payload | Promise<Payload> {
  const { viewer } = prepared.requester;
  const planned = planEvents(prepared);
  const context = contextOfTick(() => options.createContext(viewer, prepared.requester));
  return (rootValue) => {
    const cursor = cursorOf(rootValue);
    const contextValue = context();
    const data = planned(rootValue, contextValue);
    if (data) return serializeResult({ data }, cursor);
    const result = executeEvent({ ...prepared, rootValue, contextValue }, options);
    return isPromise(result)
      ? result.then((settled) => serializeResult(settled, cursor))
      : serializeResult(result, cursor);
  };
}

const tooManySubscriptions = (most: number) =>
  refusedRequest(
    'RATE_LIMITED',
    `${most} subscriptions are open with this token, as many as it may have. End some first.`,
  );
const busy = () => refusedRequest('RATE_LIMITED', 'The server is too busy. Retry later.');

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
