/**
 * A client of the API's streams, for browsers and Node. It resumes by cursor after every cut. If it
 * cannot, it reads a new snapshot. It depends on the contract alone.
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
   * `variables` the stream starts now. A document without `$after` (`fleet`, `instanceLogs`) is
   * subscribed to again after a cut, and shows the state of that time.
   *
   * @returns a function that unsubscribes
   */
  subscribe<Data = Record<string, unknown>, Snapshot = Record<string, unknown>>(
    request: StreamRequest<Snapshot>,
    sink: StreamSink<Data>,
  ): () => void;
  /** The same as an async iterable. Snapshots are items, at their position in the order. */
  iterate<Data = Record<string, unknown>, Snapshot = Record<string, unknown>>(
    request: Omit<StreamRequest<Snapshot>, 'onReset'>,
  ): AsyncIterableIterator<StreamItem<Data, Snapshot>, void>;
  /**
   * Runs a query over the same connection. It is sent again after a cut, so a mutation needs an
   * `idempotencyKey`. Rejects with a StreamError.
   */
  query<Data = Record<string, unknown>>(request: OperationRequest): Promise<Data>;
  /** Completes all streams and closes the connection. */
  dispose(): Promise<void>;
}

/**
 * Makes a client. It connects with the first stream or query. @throws TypeError: invalid address
 */
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
