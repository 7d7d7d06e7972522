/** Our client as its users wire it, with all that it told. */
import { onTestFinished } from 'vitest';
import { WebSocket } from 'ws';
import {
  type ConnectionOptions,
  createResumingClient,
  type Reset,
  type ResumingClient,
  type StreamEvent,
  type StreamRequest,
} from '../../src/client/client.ts';

// biome-ignore lint/suspicious/noExplicitAny: the shape is that of the document
export type Data = Record<string, any>;

export interface Told {
  readonly events: StreamEvent<Data>[];
  readonly resets: Reset<Data>[];
  readonly errors: unknown[];
  completed: number;
  stop(): void;
}

/** A client that is disposed of with the test, and tries again at once. */
export function clientOf(
  target: { readonly url: string; readonly token?: string },
  options: Partial<ConnectionOptions> = {},
): ResumingClient {
  const client = createResumingClient({
    url: `${target.url}/graphql`,
    connectionParams: target.token ? { authorization: `Bearer ${target.token}` } : undefined,
    webSocketImpl: WebSocket,
    longestWaitSeconds: 0.1,
    ...options,
  });
  onTestFinished(() => client.dispose());
  return client;
}

/** Subscribes and keeps what comes. */
export function follow(client: ResumingClient, request: StreamRequest<Data>): Told {
  const told: Told = { events: [], resets: [], errors: [], completed: 0, stop: () => {} };
  told.stop = client.subscribe<Data, Data>(
    { onReset: (reset) => void told.resets.push(reset), ...request },
    {
      next: (event) => void told.events.push(event),
      error: (error) => void told.errors.push(error),
      complete() {
        told.completed += 1;
      },
    },
  );
  return told;
}
