/** A request that waits takes one of the slots of its token. */
import { GraphQLError } from 'graphql';
import type { Context } from './context.ts';

/**
 * Takes a slot; the returned function releases it.
 *
 * @param remedy what to do instead of waiting
 * @throws a GraphQLError if as many requests of the token wait as may
 */
export function takeWaiterSlot({ waiters, viewer, server }: Context, remedy: string): () => void {
  const release = waiters.enter(viewer.accessKeyId);
  if (release) return release;
  throw new GraphQLError(
    `${server.limits.waitersPerToken} waiting queries are as many as one token may have. ${remedy}`,
    { extensions: { code: 'RATE_LIMITED' } },
  );
}
