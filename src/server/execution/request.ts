/** A GraphQL request on its way: who sent it, what it asks, and what is run. */
import type { ExecutionArgs, OperationDefinitionNode } from 'graphql';
import type { Viewer } from '../../api/base/viewer.ts';
import type { Subscriber } from '../wire/subscriber.ts';

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
  /** Where the events of a subscription that is shared go. */
  readonly subscriber?: Subscriber;
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
