/** A GraphQL request: its requester, its document, and the prepared operation. */
import type { ExecutionArgs, OperationDefinitionNode } from 'graphql';
import type { Viewer } from '../../api/base/viewer.ts';
import type { Subscriber } from '../wire/subscriber.ts';

/** What resolvers may read of the request, through the context. */
export interface RequestInfo {
  readonly requestId: string;
  readonly transport: 'HTTP' | 'SSE' | 'WEBSOCKET';
  /** `Last-Event-ID` of an EventSource; it replaces the argument `after`. */
  readonly lastEventId: string | null;
  /** Aborted when nobody waits for the answer any more. */
  readonly signal: AbortSignal;
}

export interface Requester extends RequestInfo {
  readonly viewer: Viewer;
  /** A GET may only read. */
  readonly method: 'GET' | 'POST' | 'SOCKET';
  /** The target of the events of a shared subscription. */
  readonly subscriber?: Subscriber;
}

export interface OperationRequest {
  readonly query?: string | null;
  readonly operationName?: string | null;
  readonly variables?: Record<string, unknown> | null;
}

/** An operation that may be executed. */
export interface Prepared extends ExecutionArgs {
  readonly operation: OperationDefinitionNode;
  readonly requester: Requester;
}
