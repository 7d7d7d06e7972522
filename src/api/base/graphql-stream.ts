/**
 * Streams of the API: iterators that end at once when their reader leaves, whatever they wait for.
 */
import { GraphQLError } from 'graphql';
import { CursorError } from '../../feed/channel/cursor.ts';

export interface Step<Out> {
  readonly values: readonly Out[];
  /** The stream ends after these. */
  readonly last?: boolean;
}

/**
 * Maps the values of a source, one by one. An async generator would not do: its `return` waits for
 * the pending `next`.
 *
 * @param options.onEnd called once, however the stream ends
 */
export function streamOf<In, Out>(
  source: AsyncIterator<In>,
  each: (value: In) => Step<Out> | Promise<Step<Out>>,
  options: { onEnd?: () => void } = {},
): AsyncIterableIterator<Out> {
  const waiting: Out[] = [];
  let last = false;
  let closed = false;
  let turn: Promise<unknown> = Promise.resolve();

  async function close(): Promise<void> {
    if (closed) return;
    closed = true;
    waiting.length = 0;
    options.onEnd?.();
    await source.return?.();
  }

  async function take(): Promise<IteratorResult<Out>> {
    try {
      while (waiting.length === 0 && !last && !closed) {
        const taken = await source.next();
        if (taken.done || closed) break;
        const step = await each(taken.value);
        if (closed) break;
        waiting.push(...step.values);
        last = step.last ?? false;
      }
    } catch (error) {
      await close();
      throw asGraphQLError(error);
    }
    const [value] = waiting;
    if (waiting.length > 0) {
      waiting.shift();
      return { done: false, value: value as Out };
    }
    await close();
    return { done: true, value: undefined };
  }

  return {
    [Symbol.asyncIterator]() {
      return this;
    },
    next() {
      const taken = turn.then(take, take);
      turn = taken.catch(() => undefined);
      return taken;
    },
    async return() {
      await close();
      return { done: true, value: undefined };
    },
    async throw(error) {
      await close();
      throw error;
    },
  };
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
