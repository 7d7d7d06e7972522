/**
 * Results as Server-Sent Events. `id:` is the cursor, so that an EventSource resumes by itself; one
 * whose stream completed comes back with the id `complete` and is told to stay away (204).
 */
import type { ExecutionResult } from 'graphql';
import { GraphQLError } from 'graphql';
import { toPlainError } from './request-error.ts';

export const completedEventId = 'complete';

export interface EventStream {
  readonly response: Response;
  /** Ends it without `complete`: the client comes back. */
  close(): void;
}

const pingMilliseconds = 12_000;

/**
 * Streams results to one client, no faster than it reads.
 *
 * @param onEnd called once, however it ends
 */
export function streamEvents(
  results: AsyncIterable<ExecutionResult> | ExecutionResult,
  onEnd: () => void,
): EventStream {
  const iterator = iteratorOf(results);
  const encoder = new TextEncoder();
  let pings: NodeJS.Timeout | undefined;
  let over = false;
  let end = () => {};
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      const send = (text: string) => controller.enqueue(encoder.encode(text));
      // Something must come at once: some clients show nothing of a response before.
      send('retry: 1000\n\n');
      pings = setInterval(() => {
        if ((controller.desiredSize ?? 0) > 0) send(':\n\n');
      }, pingMilliseconds);
      end = () => {
        if (over) return;
        finish();
        controller.close();
      };
    },
    async pull(controller) {
      const send = (text: string) => controller.enqueue(encoder.encode(text));
      try {
        const { done, value } = await iterator.next();
        if (over) return;
        if (!done) return send(eventOf(value));
        send(`event: complete\nid: ${completedEventId}\ndata:\n\n`);
      } catch (error) {
        if (over) return;
        if (error instanceof GraphQLError) send(eventOf({ errors: [error] }));
      }
      end();
    },
    cancel: () => finish(),
  });
  function finish(): void {
    if (over) return;
    over = true;
    clearInterval(pings);
    Promise.resolve(iterator.return?.()).catch(() => {});
    onEnd();
  }
  const headers = {
    'content-type': 'text/event-stream; charset=utf-8',
    'cache-control': 'no-cache, no-transform',
    'x-accel-buffering': 'no',
  };
  return { response: new Response(body, { headers }), close: () => end() };
}

function eventOf(result: ExecutionResult): string {
  const cursor = result.extensions?.cursor;
  const id = typeof cursor === 'string' ? `id: ${cursor}\n` : '';
  const { errors, ...rest } = result;
  const shown = errors ? { errors: errors.map(toPlainError), ...rest } : rest;
  return `event: next\n${id}data: ${JSON.stringify(shown)}\n\n`;
}

function iteratorOf(
  results: AsyncIterable<ExecutionResult> | ExecutionResult,
): AsyncIterator<ExecutionResult> {
  if (Symbol.asyncIterator in results) return results[Symbol.asyncIterator]();
  const left = [results];
  return {
    next: async () => {
      const value = left.pop();
      return value ? { done: false, value } : { done: true, value: undefined };
    },
  };
}
