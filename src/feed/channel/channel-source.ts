/** What the resolver of a shared subscription hands out: not its events, but what they are made of. */

import type { LogPosition } from '../../store/log/log.ts';
import type { Beginning, Channel } from './channel.ts';

export interface ChannelSourceOptions<Item extends LogPosition> {
  readonly channel: Channel<Item>;
  /** The root value of an item, from which each field of the selection resolves. */
  readonly rootOf: (item: Item) => unknown;
  /** Where a subscriber with these arguments begins; asked by each. @throws a GraphQLError */
  readonly beginning?: (
    args: Record<string, unknown>,
    lastEventId: string | null,
  ) => Beginning | Promise<Beginning>;
  /** Its items are those of the log, and show the same to whoever picks them. */
  readonly isOfLog?: boolean;
  readonly bookmarkSeconds?: number | null;
  readonly latestBy?: ((item: Item) => string) | null;
}

/** The extensions of a field whose subscribe resolver hands out a `ChannelSource`. */
export const shared = { isShared: true } as const;

/** An iterable for graphql-js' sake alone: the group that is made of it is never iterated. */
export class ChannelSource<Item extends LogPosition = LogPosition> implements AsyncIterable<never> {
  readonly options: ChannelSourceOptions<Item>;

  constructor(options: ChannelSourceOptions<Item>) {
    this.options = options;
  }

  [Symbol.asyncIterator](): AsyncIterator<never> {
    throw new Error('A channel is followed, not iterated.');
  }
}
