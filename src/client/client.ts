/**
 * A client of the API's streams, for browsers and Node: it goes on by cursor after every cut, and
 * begins anew with a snapshot where it cannot. Knows nothing of the server but its contract.
 */
import { type ConnectionOptions, openConnection } from './connection.ts';
import { iterate, type StreamItem } from './iterate.ts';
import {
  type OperationRequest,
  openStream,
  type Reset,
  readOnce,
  type StreamEvent,
  type StreamRequest,
  type StreamSink,
} from './stream.ts';
import { StreamError } from './stream-error.ts';

export type {
  ConnectionOptions,
  OperationRequest,
  Reset,
  StreamEvent,
  StreamItem,
  StreamRequest,
  StreamSink,
};
export { StreamError };

export interface ResumingClient {
  /**
   * Subscribes: no event is lost, none comes twice. Without a snapshot and without a cursor in
   * `variables` it begins now. A document without `$after` (`fleet`, `instanceLogs`) is subscribed to
   * again after a cut, and shows what is there then.
   *
   * @returns a function that unsubscribes
   */
  subscribe<Data = Record<string, unknown>, Snapshot = Record<string, unknown>>(
    request: StreamRequest<Snapshot>,
    sink: StreamSink<Data>,
  ): () => void;
  /** The same as an async iterable, with snapshots among its items, at their place in the order. */
  iterate<Data = Record<string, unknown>, Snapshot = Record<string, unknown>>(
    request: Omit<StreamRequest<Snapshot>, 'onReset'>,
  ): AsyncIterableIterator<StreamItem<Data, Snapshot>, void>;
  /**
   * Runs a query over the same connection; sent again after a cut, so that a mutation needs an
   * `idempotencyKey`. Rejects with a StreamError.
   */
  query<Data = Record<string, unknown>>(request: OperationRequest): Promise<Data>;
  /** Completes all streams and closes the connection. */
  dispose(): Promise<void>;
}

/** Makes a client. It connects with the first stream or query. @throws TypeError: no address */
export function createResumingClient(options: ConnectionOptions): ResumingClient {
  const connection = openConnection(options);
  return {
    subscribe: (request, sink) => openStream(connection, request, sink),
    iterate: (request) =>
      iterate((sink, onReset) => openStream(connection, { ...request, onReset }, sink)),
    query: (request) => readOnce<never>(connection, request).data,
    dispose: () => connection.dispose(),
  };
}
