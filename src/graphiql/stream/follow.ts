/** One subscription by the resuming client, which begins with past events if its document asks for them. */
import type { ResumingClient, StreamSink } from '../../client/client.ts';
import type { StreamDocument } from './document.ts';

export interface Following {
  /** The connection was lost. */
  lost(): void;
  stop(): void;
}

/**
 * A document with `opening` is subscribed to without a cursor until its first event, then behind it. If the
 * connection is lost before, it resumes at the position that was read first.
 */
export function follow(
  client: ResumingClient,
  { query, variables, cursorVariable, opening }: StreamDocument,
  sink: StreamSink<Record<string, unknown>>,
): Following {
  if (!opening || !cursorVariable) {
    const stop = client.subscribe(
      { query, variables, cursorVariable: cursorVariable ?? undefined },
      sink,
    );
    return { stop, lost() {} };
  }
  let position: string | null = null;
  let ended = false;
  let isOpening = true;
  let stop = (): void => {};

  function resume(cursor: string): void {
    if (!isOpening || ended) return;
    isOpening = false;
    stop();
    stop = client.subscribe(
      {
        query,
        variables: { ...variables, [cursorVariable as string]: cursor },
        cursorVariable: cursorVariable as string,
      },
      sink,
    );
  }
  function open(): void {
    if (ended) return;
    stop = client.subscribe<Record<string, unknown>>(
      { query: opening as string, variables },
      {
        ...sink,
        next(event) {
          sink.next(event);
          const cursor = event.extensions?.cursor;
          if (cursor !== undefined) resume(cursor);
        },
      },
    );
  }
  client
    .query<{ feedPosition: string }>({ query: '{ feedPosition }' })
    .then(
      ({ feedPosition }) => {
        position = feedPosition;
      },
      () => {},
    ) // Then the subscription itself is refused, and says why.
    .then(open);
  return {
    lost() {
      if (position !== null) resume(position);
    },
    stop() {
      ended = true;
      stop();
    },
  };
}
