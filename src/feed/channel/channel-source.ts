/** What the resolver of a shared subscription returns: a channel that a group of subscribers follows. */

import type { LogPosition } from '../../store/log/log.ts';
import type { Beginning, Channel } from './channel.ts';

export interface ChannelSourceOptions<Item extends LogPosition> {
  readonly channel: Channel<Item>;
  /** The root value of an item, from which each field of the selection resolves. */
  readonly rootOf: (item: Item) => unknown;
  /** Where a subscriber with these arguments begins; called for each subscriber. @throws a GraphQLError */
  readonly beginning?: (
    args: Record<string, unknown>,
    lastEventId: string | null,
  ) => Beginning | Promise<Beginning>;
  /** Its items are rows of the log, so that equal documents render them equally, in any group. */
  readonly isOfLog?: boolean;
  readonly bookmarkSeconds?: number | null;
  readonly latestBy?: ((item: Item) => string) | null;
}

/** The extensions of a field whose subscribe resolver returns a `ChannelSource`. */
export const shared = { isShared: true } as const;

/** Iterable only because graphql-js requires it; it is never iterated. */
export class ChannelSource<Item extends LogPosition = LogPosition> implements AsyncIterable<never> {
  readonly options: ChannelSourceOptions<Item>;

  constructor(options: ChannelSourceOptions<Item>) {
    this.options = options;
  }

  [Symbol.asyncIterator](): AsyncIterator<never> {
    throw new Error('A channel is followed, not iterated.');
  }
}
