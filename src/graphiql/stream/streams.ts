/** The subscriptions of this window. They belong to no tab and to no component. */
import type { GraphQLSchema } from 'graphql';
import { createResumingClient, StreamError } from '../../client/client.ts';
import { createObservable, type Observable } from '../observable.ts';
import { type StreamDocument, type SubscriptionRequest, streamDocumentOf } from './document.ts';
import { createEventLog, type EventLog } from './event-log.ts';
import { type Following, follow } from './follow.ts';

/**
 * CONNECTING: before the first connection. LOST: the connection was lost, and is tried again. ENDED: by the
 * server, by an error, or stopped here.
 */
export type StreamState = 'CONNECTING' | 'LIVE' | 'LOST' | 'ENDED';

export interface StreamEnd {
  readonly reason: 'STOPPED' | 'COMPLETED' | 'FAILED';
  /** `extensions.code` of the error. */
  readonly code?: string;
  readonly message?: string;
}

export interface LiveStream {
  readonly id: number;
  /** The tab that started it. */
  readonly tabId: string;
  readonly name: string;
  readonly request: SubscriptionRequest;
  /** Can it resume by a cursor? */
  readonly resumes: boolean;
  readonly log: EventLog;
  readonly state: StreamState;
  /** Since when it is in this state. */
  readonly since: number;
  /** When it was resumed last. */
  readonly resumedAt: number | null;
  /** The last time that it could not resume, so that what came before is not known, and the code that says why. */
  readonly gap: { readonly at: number; readonly code: string } | null;
  readonly end: StreamEnd | null;
}

export interface Streams extends Observable {
  /** Newest first. */
  all(): readonly LiveStream[];
  find(id: number | null): LiveStream | undefined;
  /** Subscribes. A stream of the same tab and operation is replaced. @throws GraphQLError */
  start(tabId: string, request: SubscriptionRequest, schema: GraphQLSchema | null): LiveStream;
  stop(id: number): void;
  /** Stops it, and takes it off the list. */
  remove(id: number): void;
  clear(id: number): void;
}

type Stream = { -readonly [Name in keyof LiveStream]: LiveStream[Name] } & { following: Following };

const longestWaitSeconds = 5;

export function createStreams(): Streams {
  const [observable, changed] = createObservable();
  let streams: Stream[] = [];
  let isConnected = false;
  let ids = 0;
  const client = createResumingClient({
    url: '/graphql',
    longestWaitSeconds,
    onStatus(status) {
      isConnected = status === 'CONNECTED';
      for (const stream of streams) {
        if (isConnected) connected(stream);
        else lost(stream);
      }
      changed();
    },
  });

  function enter(stream: Stream, state: StreamState): void {
    stream.state = state;
    stream.since = Date.now();
    changed();
  }
  function connected(stream: Stream): void {
    if (stream.state === 'LOST') {
      stream.resumedAt = Date.now();
      const how = stream.resumes
        ? 'Connected again: it resumes behind its last event.'
        : 'Subscribed again: events may be missing or double.';
      stream.log.mark(how, stream.resumedAt);
    }
    if (stream.state !== 'ENDED') enter(stream, 'LIVE');
  }
  function lost(stream: Stream): void {
    if (stream.state !== 'LIVE') return;
    stream.log.mark('Connection lost.', Date.now());
    enter(stream, 'LOST');
    stream.following.lost();
  }
  function finish(stream: Stream, end: StreamEnd): void {
    if (stream.state === 'ENDED') return;
    stream.end = end;
    stream.following.stop();
    stream.log.mark(endText(end), Date.now());
    enter(stream, 'ENDED');
  }
  function remove(stream: Stream | undefined): void {
    if (!stream) return;
    finish(stream, { reason: 'STOPPED' });
    streams = streams.filter((each) => each !== stream);
    changed();
  }
  const find = (id: number | null) => streams.find((each) => each.id === id);

  return {
    ...observable,
    all: () => streams,
    find,
    start(tabId, request, schema) {
      const document = streamDocumentOf(request, schema);
      const name = nameOf(document);
      remove(streams.find((each) => each.tabId === tabId && each.name === name));
      const stream: Stream = {
        ...{ id: ++ids, tabId, name, request, resumes: document.cursorVariable !== null },
        ...{ log: createEventLog(), state: 'CONNECTING', since: Date.now() },
        ...{ resumedAt: null, gap: null, end: null, following: { stop() {}, lost() {} } },
      };
      streams = [stream, ...streams];
      if (isConnected) enter(stream, 'LIVE');
      stream.following = follow(client, document, {
        next(event) {
          stream.log.add(event, Date.now());
          changed();
        },
        gap({ code, message }) {
          stream.gap = { at: Date.now(), code };
          stream.log.mark(
            `What came in between is not known. It goes on from now. ${code}: ${message}`,
            stream.gap.at,
          );
          changed();
        },
        error: (error) => finish(stream, failureOf(error)),
        complete: () => finish(stream, { reason: 'COMPLETED' }),
      });
      changed();
      return stream;
    },
    stop(id) {
      const stream = find(id);
      if (stream) finish(stream, { reason: 'STOPPED' });
    },
    remove: (id) => remove(find(id)),
    clear(id) {
      find(id)?.log.clear();
      changed();
    },
  };
}

/** The name of the operation, else that of its root field. */
function nameOf({ query }: StreamDocument): string {
  return (
    /^\s*subscription\s+(\w+)/m.exec(query)?.[1] ??
    /\{\s*(?:\w+:\s*)?(\w+)/.exec(query)?.[1] ??
    'subscription'
  );
}

function failureOf(error: Error): StreamEnd {
  const code = error instanceof StreamError ? error.code : undefined;
  return { reason: 'FAILED', code, message: error.message };
}

export function endText({ reason, code, message }: StreamEnd): string {
  if (reason === 'STOPPED') return 'Stopped.';
  if (reason === 'COMPLETED') return 'Completed by the server.';
  return [code, message].filter(Boolean).join(': ');
}

/** Why the log is empty. A log that was cleared after its stream ended stays so. */
export function emptyText({ state, log }: Pick<LiveStream, 'state' | 'log'>): string {
  const none = log.count() > 0 ? 'No event since the log was cleared.' : 'No event yet.';
  return state === 'ENDED' ? none : `${none} Each one appears here as soon as it is committed.`;
}
