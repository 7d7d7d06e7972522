/** Subscriptions over WebSocket that go on by themselves where they were cut off. */
import { createClient } from 'graphql-ws';
import { onTestFinished } from 'vitest';
import { WebSocket } from 'ws';
import type { LogRow, Row, Target } from './answers.ts';
import { rowOf } from './client.ts';

export interface Watch {
  /** The transitions seen so far, in the order in which they came. */
  readonly rows: readonly Row[];
  readonly cursors: readonly string[];
  /** Errors of GraphQL, and events without the cursor that they should carry: none, if all is well. */
  readonly faults: readonly string[];
  /** How often it connected. */
  readonly connections: number;
  close(): Promise<void>;
}

const selection = 'cursor sequence fromState toState resource { key }';
const documents = {
  changes: `subscription Everything($after: Cursor) { changes(after: $after) {
    __typename ... on Transition { ${selection} } ... on ResourceChange { cursor }
    ... on ComputeProviderChange { cursor } } }`,
  instanceTransitions: `subscription Watch($after: Cursor, $instance: ID) {
    instanceTransitions(after: $after, instance: $instance) { ${selection} } }`,
  hostTransitions: `subscription WatchHost($after: Cursor, $host: ID) {
    hostTransitions(after: $after, host: $host) { ${selection} } }`,
} as const;

export interface WatchOptions {
  readonly field?: keyof typeof documents;
  /** The cursor to begin behind; null: from now on. */
  readonly after: string | null;
  readonly variables?: object;
}

/**
 * Subscribes. Cut off, it connects again, to wherever the server then is, and resumes by the cursor
 * in `extensions` of the newest event.
 */
export function watch(
  target: Target,
  { field = 'changes', after, variables }: WatchOptions,
): Watch {
  const rows: Row[] = [];
  const cursors: string[] = [];
  const faults: string[] = [];
  let connections = 0;
  const client = createClient({
    url: () => `${target.url.replace('http', 'ws')}/graphql`,
    webSocketImpl: WebSocket,
    connectionParams: { authorization: `Bearer ${target.token}` },
    retryAttempts: Number.MAX_SAFE_INTEGER,
    shouldRetry: () => true,
    retryWait: () => new Promise((resolve) => setTimeout(resolve, 50)),
    keepAlive: 1_000,
    on: {
      connected() {
        connections += 1;
      },
    },
  });
  // graphql-ws sends the same object again after a reconnect: the newest cursor goes into it.
  const payload: { query: string; variables: { after: string | null } } = {
    query: documents[field],
    variables: { ...variables, after },
  };
  const stop = client.subscribe<Record<string, LogRow>, Record<string, unknown>>(payload, {
    next({ data, errors, extensions }) {
      const event = data?.[field];
      if (errors || !event) {
        faults.push(JSON.stringify(errors ?? data));
        return;
      }
      const cursor = extensions?.cursor;
      if (typeof cursor !== 'string' || cursor !== event.cursor) {
        faults.push(`the event has ${event.cursor}, its extensions ${JSON.stringify(cursor)}`);
      }
      payload.variables.after = event.cursor;
      if (event.sequence === undefined) return; // No transition.
      rows.push(rowOf(event));
      cursors.push(event.cursor);
    },
    error: (error) => faults.push(JSON.stringify(error)),
    complete: () => undefined,
  });
  let closed = false;
  const watching: Watch = {
    rows,
    cursors,
    faults,
    get connections() {
      return connections;
    },
    async close() {
      if (closed) return;
      closed = true;
      stop();
      await client.dispose();
    },
  };
  onTestFinished(() => watching.close());
  return watching;
}
