/** A GraphQL request: its requester, its document, and the prepared operation. */
import type { ExecutionArgs, OperationDefinitionNode } from 'graphql';
import type { RequestInfo } from '../../api/base/context.ts';
import type { Viewer } from '../../api/base/viewer.ts';
import type { Subscriber } from '../wire/subscriber.ts';

export interface Requester extends RequestInfo {
  readonly requestId: string;
  readonly transport: 'HTTP' | 'SSE' | 'WEBSOCKET';
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
