/** The results of a subscription, one per event of its source. */
import type { ExecutionResult, GraphQLError } from 'graphql';

export type Results = AsyncGenerator<ExecutionResult, void, void>;

/**
 * One result per event. Unlike that of an async generator, its `return` reaches the source at once,
 * even while the source waits for its next event.
 */
export function mapEvents(
  source: AsyncIterable<unknown>,
  {
    onEvent,
    mask,
    onEnd,
  }: {
    onEvent: (event: unknown) => Promise<ExecutionResult>;
    mask: (error: unknown) => GraphQLError;
    onEnd: () => void;
  },
): Results {
  const events = source[Symbol.asyncIterator]();
  let over = false;
  const finish = () => {
    if (!over) onEnd();
    over = true;
    return { done: true as const, value: undefined };
  };
  const results = {
    async next() {
      if (over) return finish();
      try {
        const { done, value } = await events.next();
        if (done || over) return finish();
        return { done: false as const, value: await onEvent(value) };
      } catch (error) {
        finish();
        throw mask(error);
      }
    },
    async return() {
      const ended = finish();
      events.return?.().catch(() => {});
      return ended;
    },
    async throw(error: unknown) {
      await results.return();
      throw error;
    },
    [Symbol.asyncIterator]: () => results,
    [Symbol.asyncDispose]: async () => {
      await results.return();
    },
  };
  return results as Results;
}
