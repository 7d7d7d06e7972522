/** A stream that is opened again whenever it ends, by an error or by the server, until it is closed. */
import type { ResumingClient, StreamEvent, StreamRequest } from '../../client/client.ts';

export const retryMilliseconds = 5_000;

export interface ReopeningSink<Data> {
  next(event: StreamEvent<Data>): void;
  /** The stream has ended, for this reason, and is opened again after `retryMilliseconds`. */
  failed(message: string): void;
  /** Is the session over, so that another attempt is refused too? Null: the server ended the stream. */
  isFinal(error: Error | null): boolean;
}

/** @returns a function that closes it */
export function reopen<Data, Snapshot>(
  client: Pick<ResumingClient, 'subscribe'>,
  request: StreamRequest<Snapshot>,
  { next, failed, isFinal }: ReopeningSink<Data>,
): () => void {
  let unsubscribe = (): void => {};
  let timer: ReturnType<typeof setTimeout> | undefined;
  function ended(error: Error | null): void {
    if (isFinal(error)) return;
    timer = setTimeout(open, retryMilliseconds);
    failed(error?.message ?? 'The server ended the stream.');
  }
  function open(): void {
    unsubscribe = client.subscribe<Data, Snapshot>(request, {
      next,
      error: ended,
      complete: () => ended(null),
    });
  }
  open();
  return () => {
    clearTimeout(timer);
    unsubscribe();
  };
}
