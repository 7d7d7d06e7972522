/** A channel of the feed as an async iterator: it is read through a group of one subscriber, as clients are served. */
import type { Beginning } from '../../src/feed/channel/channel.ts';
import type { FeedEvent } from '../../src/feed/channel/event.ts';
import type { ChannelOptions, Feed } from '../../src/feed/feed.ts';
import { createGroup } from '../../src/feed/group/group.ts';
import type { Outlet } from '../../src/feed/group/member.ts';

/** Batches of one revision: what one transaction committed comes together. */
export interface FeedStream extends AsyncIterableIterator<FeedEvent[]> {
  /** Resolves when the position is established; rejects if the cursor cannot be followed, as `next` does. */
  ready(): Promise<void>;
  return(): Promise<IteratorResult<FeedEvent[]>>;
}

export type StreamOptions = ChannelOptions & Beginning & { readonly bookmarkSeconds?: number };

/** Unread revisions that make the subscriber full, as a socket is whose client does not read. */
const maxUnreadRevisions = 8;
/** So large that a replay writes about 64 events at a time. */
const eventBytes = 1000;

/** Opens a stream of what the options select. Its position is established from the call on. */
export function openStream(feed: Feed, options: StreamOptions): FeedStream {
  const { after, last, bookmarkSeconds, ...selection } = options;
  const unread: FeedEvent[][] = [];
  const readers: {
    resolve(result: IteratorResult<FeedEvent[]>): void;
    reject(error: unknown): void;
  }[] = [];
  const drains: (() => void)[] = [];
  let ended: { error?: unknown } | null = null;
  let leave = () => {};

  const isFull = () => unread.length >= maxUnreadRevisions;
  function settle(): void {
    for (let reader = readers[0]; reader; reader = readers[0]) {
      const batch = unread.shift();
      if (!batch && !ended) break;
      readers.shift();
      if (batch) reader.resolve({ done: false, value: batch });
      else if (ended?.error) reader.reject(ended.error);
      else reader.resolve({ done: true, value: undefined });
      if (!batch) ended = {};
    }
    if (!isFull()) for (const call of drains.splice(0)) call();
  }
  function end(error?: unknown): void {
    ended ??= { error };
    settle();
  }

  const outlet: Outlet<readonly FeedEvent[]> = {
    isFull,
    write(events) {
      for (const event of events) {
        const open = unread.at(-1);
        if (open?.[0]?.revision === event.revision && event.kind !== 'BOOKMARK') open.push(event);
        else unread.push([event]);
      }
      settle();
    },
    onDrain(call) {
      drains.push(call);
      settle();
    },
    end,
    onLeave(call) {
      leave = call;
      if (ended) call();
    },
  };
  const group = createGroup<FeedEvent, FeedEvent, readonly FeedEvent[]>({
    channel: feed.channel(selection),
    renderCache: { get: (event) => event },
    compose: (events) => events,
    sizeOf: () => eventBytes,
    bookmarkSeconds: bookmarkSeconds ?? null,
    onEmpty() {},
  });
  const joined = group.join(outlet, { after, last });
  joined.catch(end);

  const stream: FeedStream = {
    [Symbol.asyncIterator]: () => stream,
    ready: async () => void (await joined),
    next() {
      return new Promise((resolve, reject) => {
        readers.push({ resolve, reject });
        settle();
      });
    },
    async return() {
      unread.length = 0;
      ended = {};
      settle();
      leave();
      return { done: true, value: undefined };
    },
  };
  return stream;
}
