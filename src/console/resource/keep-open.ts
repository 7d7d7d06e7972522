/** A stream that is opened again after an error of the server, until it is closed. */
import type { StreamEvent, StreamRequest } from '../../client/client.ts';
import { client, streamEnded } from '../app/connection.ts';

const retryMs = 5_000;

/** @returns a function that closes it */
export function keepOpen<Data, Snapshot = Record<string, unknown>>(
  request: StreamRequest<Snapshot>,
  next: (event: StreamEvent<Data>) => void,
): () => void {
  let unsubscribe = (): void => {};
  let timer: ReturnType<typeof setTimeout> | undefined;
  function open(): void {
    unsubscribe = client.subscribe<Data, Snapshot>(request, {
      next,
      error(error) {
        if (!streamEnded(error)) timer = setTimeout(open, retryMs);
      },
    });
  }
  open();
  return () => {
    clearTimeout(timer);
    unsubscribe();
  };
}
