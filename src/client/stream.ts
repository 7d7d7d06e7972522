/**
 * One subscription that resumes where it was, whatever happens to the connection.
 *
 *     snapshot ── feedPosition ──► subscribe ── each event's cursor is the new `after` ──┐
 *        ▲                             ▲                                                 │
 *        │                             └── cut off: graphql-ws sends the payload again ──┤
 *        └── CURSOR_EXPIRED, CURSOR_INVALID ─────────────────────────────────────────────┘
 *
 * A snapshot that fails with an error that may pass is read again, without limit.
 */
import type { FormattedExecutionResult } from 'graphql';
import type { Connection } from './connection.ts';
import { mayPass, ofErrors, StreamError, streamErrorOf } from './stream-error.ts';

export interface OperationRequest {
  readonly query: string;
  readonly variables?: Readonly<Record<string, unknown>>;
  readonly operationName?: string;
}

export interface StreamRequest<Snapshot> extends OperationRequest {
  /** The variable of the document that takes the cursor; `after` by default. */
  readonly cursorVariable?: string;
  /**
   * A query that selects `feedPosition` and what the view shows. It is run first (unless
   * `variables` contain a cursor), and again when the cursor can no longer be followed.
   */
  readonly snapshot?: OperationRequest;
  /** The snapshot replaces everything before it. Events wait for the returned promise. */
  readonly onReset?: (reset: Reset<Snapshot>) => unknown;
}

export interface Reset<Snapshot> {
  /** INITIAL: the first one. Otherwise what happened to the cursor. */
  readonly reason: 'INITIAL' | 'CURSOR_EXPIRED' | 'CURSOR_INVALID';
  /** CURSOR_EXPIRED: the oldest cursor that is still available. */
  readonly oldestCursor: string | null;
  readonly data: Snapshot;
}

/** An event; `errors` concern parts of it, which are null. */
export type StreamEvent<Data> = FormattedExecutionResult<Data, { readonly cursor?: string }>;

/** Ends with one call of `error` or `complete`; after unsubscribing neither is called. */
export interface StreamSink<Data> {
  next(event: StreamEvent<Data>): void;
  error(error: StreamError | Error): void;
  complete?(): void;
}

/** Subscribes. @returns a function that unsubscribes */
export function openStream<Data, Snapshot>(
  connection: Connection,
  request: StreamRequest<Snapshot>,
  sink: StreamSink<Data>,
): () => void {
  const { query, operationName, cursorVariable = 'after', snapshot, onReset } = request;
  const variables: Record<string, unknown> = { ...request.variables };
  let shown = new Map<string, ShownResource>();
  let unsubscribed = false;
  let resets = 0;
  let cancel = (): void => {};

  async function run(): Promise<void> {
    const resumes = new RegExp(`\\$${cursorVariable}\\b`).test(query);
    // Without a position, events would be lost if the connection ends before the first one arrives.
    if (resumes && variables[cursorVariable] == null) await reset('INITIAL', null);
    while (!unsubscribed) {
      const lost = await follow();
      if (!lost) return;
      if (resets++ > 0) await connection.pause(resets);
      const oldest = lost.errors[0]?.extensions?.oldestCursor;
      await reset(lost.code as 'CURSOR_EXPIRED', typeof oldest === 'string' ? oldest : null);
    }
  }

  /** Reads the snapshot and the position to start at. */
  async function reset(reason: Reset<Snapshot>['reason'], oldestCursor: string | null) {
    const asked = snapshot ?? { query: '{ feedPosition }' };
    const data = await readAtLast<Snapshot & { feedPosition?: unknown }>(asked);
    if (!data || unsubscribed) return;
    if (typeof data.feedPosition !== 'string')
      throw new Error('The snapshot must select feedPosition, by that name.');
    variables[cursorVariable] = data.feedPosition;
    shown = shownIn(data);
    if (snapshot) await onReset?.({ reason, oldestCursor, data });
  }

  /**
   * The answer; the query is repeated while the server has a fault that passes. Null: unsubscribed.
   */
  async function readAtLast<Data>(asked: OperationRequest): Promise<Data | null> {
    for (let attempt = 0; !unsubscribed; attempt += 1) {
      const reading = readOnce<Data>(connection, asked);
      cancel = reading.cancel;
      try {
        return await reading.data;
      } catch (error) {
        if (!mayPass(error)) throw error;
      }
      await connection.pause(attempt);
    }
    return null;
  }

  /**
   * Follows the stream to its end. Resolves with null, or with the error that requires a snapshot.
   */
  function follow(): Promise<StreamError | null> {
    return new Promise<StreamError | null>((resolve, reject) => {
      let failed = false;
      const fail = (error: unknown): void => {
        failed = true;
        const { code } = error as { code?: string };
        const isLost = code === 'CURSOR_EXPIRED' || code === 'CURSOR_INVALID';
        if (isLost && snapshot) resolve(error as StreamError);
        else reject(error);
        stop();
      };
      const stop = connection.subscribe<Data, { cursor?: string }>(
        // graphql-ws sends this object again, so it must always contain the newest cursor.
        { query, operationName, variables },
        {
          next(event) {
            if (unsubscribed || failed) return; // It was already in transit.
            try {
              if (isFailure(event)) fail(ofErrors(event.errors ?? []));
              else take(event);
            } catch (error) {
              fail(error); // The error of a callback ends only its own stream.
            }
          },
          error: (cause) => fail(streamErrorOf(cause)),
          complete: () => resolve(null),
        },
      );
      cancel = stop;
    });
  }

  function take(event: StreamEvent<Data>): void {
    const cursor = event.extensions?.cursor;
    if (cursor !== undefined) {
      if (cursor === variables[cursorVariable]) return;
      variables[cursorVariable] = cursor;
    }
    resets = 0;
    if (!Object.values(event.data ?? {}).some(isShown)) sink.next(event);
  }

  /**
   * Is the event older than what the snapshot shows? It was committed while the snapshot was read.
   */
  function isShown(field: unknown): boolean {
    const { sequence, instance, host, resource } = (field ?? {}) as Record<string, unknown>;
    const { id } = (instance ?? host ?? resource ?? {}) as { id?: unknown };
    const known = typeof id === 'string' ? shown.get(id) : undefined;
    return known !== undefined && typeof sequence === 'number' && sequence <= known.sequence;
  }

  function end(call: () => void): void {
    if (!unsubscribed) call();
    unsubscribed = true;
    stay();
  }
  const stay = connection.onDispose(() => {
    cancel();
    end(() => sink.complete?.());
  });
  run().then(
    () => end(() => sink.complete?.()),
    (error) => end(() => sink.error(error)),
  );
  return () => {
    end(() => {});
    cancel();
  };
}

/**
 * Runs a query. `data` rejects with a StreamError on any error, and when the query is cancelled.
 */
export function readOnce<Data>(connection: Connection, request: OperationRequest) {
  let cancel = (): void => {};
  const data = new Promise<Data>((resolve, reject) => {
    cancel = connection.subscribe<Data>(request, {
      next: ({ data, errors }) => (errors ? reject(ofErrors(errors)) : resolve(data as Data)),
      error: (cause) => reject(streamErrorOf(cause)),
      complete: () => reject(new StreamError('The query was cancelled.', { code: 'CANCELLED' })),
    });
  });
  return { data, cancel };
}

/** Does the event contain no data at all, or was the stream refused? */
function isFailure({ data, errors }: FormattedExecutionResult<unknown, unknown>): boolean {
  return errors !== undefined && Object.values(data ?? {}).every((field) => field === null);
}

/** The sequence that a snapshot shows of a resource, and the nesting depth at which it shows it. */
interface ShownResource {
  readonly sequence: number;
  readonly depth: number;
}

/**
 * Collects the resources that a snapshot shows, by `id` and `sequence` (not by `key`, which may be
 * used again). If a resource occurs several times, the outermost occurrence counts, because a
 * nested history shows older states. Among those the lowest sequence counts: they were read one
 * after the other, and no event may be left out.
 */
function shownIn(
  value: unknown,
  depth = 0,
  shown = new Map<string, ShownResource>(),
): Map<string, ShownResource> {
  if (typeof value !== 'object' || value === null) return shown;
  const { id, sequence } = value as Record<string, unknown>;
  if (typeof id === 'string' && typeof sequence === 'number') {
    const known = shown.get(id) ?? { sequence, depth: Number.POSITIVE_INFINITY };
    if (depth < known.depth || (depth === known.depth && sequence < known.sequence))
      shown.set(id, { sequence, depth });
  }
  for (const inside of Object.values(value)) shownIn(inside, depth + 1, shown);
  return shown;
}
