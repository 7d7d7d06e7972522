/** Streams of the API, and their errors. */
import { Repeater } from '@repeaterjs/repeater';
import { GraphQLError } from 'graphql';
import { CursorError } from '../../feed/channel/cursor.ts';

/**
 * The values that `read` returns after each signal of a source. It ends at once when its reader leaves,
 * whatever it waits for; an async generator would wait for its source.
 *
 * @param onEnd called once, however the stream ends
 */
export function streamOf<Value>(
  source: AsyncIterator<unknown>,
  read: () => Promise<readonly Value[]>,
  onEnd: () => void,
): AsyncIterableIterator<Value> {
  return new Repeater<Value>((push, stop) => {
    async function send(): Promise<void> {
      for (let signal = await source.next(); !signal.done; signal = await source.next())
        for (const value of await read()) await push(value);
    }
    void stop.then(() => {
      onEnd();
      source.return?.()?.catch(() => {});
    });
    // It is not returned: the repeater would wait for it at its end.
    send().then(() => stop(), stop);
  });
}

/**
 * A cursor that cannot be followed becomes an error for the caller; any other error is unchanged.
 */
export function asGraphQLError(error: unknown): unknown {
  if (!(error instanceof CursorError)) return error;
  const { code, message, oldestCursor } = error;
  return new GraphQLError(message, {
    extensions: { code, ...(oldestCursor ? { oldestCursor } : {}) },
    originalError: error,
  });
}

/** The error for a missing resource, in fields whose result has no refusals. */
export function notThere(noun: string, reference: string): GraphQLError {
  return new GraphQLError(
    `There is no ${noun} ${JSON.stringify(reference.slice(0, 200))} in your organization. Check its spelling.`,
    { extensions: { code: 'NOT_FOUND' } },
  );
}
