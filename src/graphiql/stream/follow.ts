/** One subscription by the resuming client, which begins with past events if its document asks for them. */
import { type ResumingClient, StreamError, type StreamSink } from '../../client/client.ts';
import type { StreamDocument } from './document.ts';

export interface Following {
  /** The connection was lost. */
  lost(): void;
  stop(): void;
}

export interface FollowSink extends StreamSink<Record<string, unknown>> {
  /** What came while it was cut off is not known. It goes on from now. */
  gap(error: StreamError): void;
}

/**
 * Where the log no longer has the cursor after a cut, it goes on at a position that is read anew, once a cut. A
 * cursor that was refused before there was any event is that of the document: then the stream ends.
 *
 * A document with `opening` is subscribed to without a cursor until its first event, then behind it. If the
 * connection is lost before, it resumes at the position that was read first.
 */
export function follow(
  client: ResumingClient,
  { query, variables, cursorVariable, opening }: StreamDocument,
  sink: FollowSink,
): Following {
  let position: string | null = null;
  let ended = false;
  let isOpening = opening !== null && cursorVariable !== null;
  let mayLoseCursor = cursorVariable !== null && variables[cursorVariable] == null;
  let stop = (): void => {};

  function subscribe(from: Readonly<Record<string, unknown>>): void {
    stop = client.subscribe<Record<string, unknown>>(
      { query, variables: from, cursorVariable: cursorVariable ?? undefined },
      {
        ...sink,
        next(event) {
          mayLoseCursor = true;
          sink.next(event);
        },
        error: fail,
      },
    );
  }
  function fail(error: Error): void {
    if (!mayLoseCursor || !isCursorLost(error)) {
      sink.error(error);
      return;
    }
    mayLoseCursor = false;
    isOpening = false;
    sink.gap(error);
    const { [cursorVariable ?? '']: _, ...fixed } = variables;
    if (!ended) subscribe(fixed);
  }
  function resume(cursor: string): void {
    if (!isOpening || ended) return;
    isOpening = false;
    stop();
    subscribe({ ...variables, [cursorVariable as string]: cursor });
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
        error: fail,
      },
    );
  }
  if (!isOpening) subscribe(variables);
  else readPosition().then(open);

  /** Where it cannot be read, the subscription itself is refused, and says why. */
  function readPosition(): Promise<void> {
    return client.query<{ feedPosition: string }>({ query: '{ feedPosition }' }).then(
      ({ feedPosition }) => {
        position = feedPosition;
      },
      () => {},
    );
  }
  return {
    lost() {
      mayLoseCursor = true;
      if (position !== null) resume(position);
    },
    stop() {
      ended = true;
      stop();
    },
  };
}

/** Is the cursor refused, and not the subscription? */
export const isCursorCode = (code: string | undefined): boolean =>
  code === 'CURSOR_EXPIRED' || code === 'CURSOR_INVALID';

const isCursorLost = (error: Error): error is StreamError =>
  error instanceof StreamError && isCursorCode(error.code);
