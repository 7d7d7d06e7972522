/** A stream of the page's client that is opened again after it ended, while the viewer is signed in. */
import type { StreamEvent, StreamRequest } from '../../client/client.ts';
import { client, connection, streamEnded } from '../app/connection.ts';
import { reopen } from '../live/reopen.ts';

/**
 * @param failed called with the reason each time it ended
 * @returns a function that closes it
 */
export function keepOpen<Data, Snapshot = Record<string, unknown>>(
  request: StreamRequest<Snapshot>,
  next: (event: StreamEvent<Data>) => void,
  failed: (message: string) => void = () => {},
): () => void {
  return reopen<Data, Snapshot>(client, request, {
    next,
    failed,
    isFinal: (error) => (error ? streamEnded(error) : connection.peek() === 'SIGNED_OUT'),
  });
}
