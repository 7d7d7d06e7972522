/** A stream that is opened again after an error of the server, until it is closed. */
import type { StreamEvent, StreamRequest } from '../../client/client.ts';
import { client, streamEnded } from '../app/connection.ts';

const retryMs = 5_000;

/**
 * @param failed called with the message of each such error
 * @returns a function that closes it
 */
export function keepOpen<Data, Snapshot = Record<string, unknown>>(
  request: StreamRequest<Snapshot>,
  next: (event: StreamEvent<Data>) => void,
  failed?: (message: string) => void,
): () => void {
  let unsubscribe = (): void => {};
  let timer: ReturnType<typeof setTimeout> | undefined;
  function open(): void {
    unsubscribe = client.subscribe<Data, Snapshot>(request, {
      next,
      error(error) {
        if (streamEnded(error)) return;
        failed?.(error.message);
        timer = setTimeout(open, retryMs);
      },
    });
  }
  open();
  return () => {
    clearTimeout(timer);
    unsubscribe();
  };
}
