/**
 * Subscribers with the same selection and document. Each item is rendered once for all of them and
 * written to each; a subscriber that cannot take a write falls behind and catches up by itself.
 *
 * The rules: docs/feed.md, "Fan-out" and "Slow consumers".
 */
import type { LogPosition } from '../../store/log/log.ts';
import { type Beginning, before, type Channel, type Replay } from '../channel/channel.ts';
import { comparePositions } from '../channel/cursor.ts';
import { Member, type Outlet } from './member.ts';
import { areRendered, type Format, maxWriteBytes, newestByKey, writeMissed } from './missed.ts';

export interface GroupOptions<Item extends LogPosition, Payload, Message>
  extends Format<Item, Payload, Message> {
  readonly channel: Channel<Item>;
  /** A bookmark is sent after this time without an item. */
  readonly bookmarkSeconds?: number | null;
  /** A subscriber gets only the newest item of each key of what it missed, and a bookmark with the count. */
  readonly latestBy?: ((item: Item) => string) | null;
  /** Called when the last subscriber has left. */
  readonly onEmpty: () => void;
}

export interface Group<Message> {
  /**
   * Adds a subscriber until it leaves. False: the group has ended, and the caller makes another one.
   *
   * @throws {CursorError} the beginning cannot be followed
   */
  join(outlet: Outlet<Message>, beginning: Beginning): Promise<boolean>;
  /** It has no subscriber, and none is joining. */
  readonly isEmpty: boolean;
}

/** Batches that may wait for their rendering. With more, all subscribers catch up by themselves. */
const maxPendingBatches = 100;

/** Creates a group without subscribers. It follows its channel from the first one on. */
export function createGroup<Item extends LogPosition, Payload, Message>(
  options: GroupOptions<Item, Payload, Message>,
): Group<Message> {
  return new SubscriberGroup(options);
}

class SubscriberGroup<Item extends LogPosition, Payload, Message> implements Group<Message> {
  readonly #options: GroupOptions<Item, Payload, Message>;
  readonly #members = new Set<Member<Message>>();
  /** Batches that are being rendered or wait for it, in order. */
  readonly #pending: (readonly Item[])[] = [];
  /** Nothing more will come: subscribers end once they have everything. */
  #ended: { readonly error: unknown } | null = null;
  /** Nobody may join any more. */
  #isClosed = false;
  #lastWriteAt = performance.now();
  #bookmarkTimer: NodeJS.Timeout | undefined;
  #unfollow: (() => void) | null = null;

  constructor(options: GroupOptions<Item, Payload, Message>) {
    this.#options = options;
  }

  get isEmpty(): boolean {
    return this.#members.size === 0;
  }

  async join(outlet: Outlet<Message>, beginning: Beginning): Promise<boolean> {
    if (this.#isClosed) return false;
    const { channel, bookmarkSeconds } = this.#options;
    const member = new Member(outlet, before(channel.position));
    this.#members.add(member);
    this.#unfollow ??= channel.follow({
      onItems: (items) => this.#onItems(items),
      onSkip: () => this.#sendBack(this.#writtenThrough()),
      end: (error) => this.#end(error),
    });
    if (this.#members.size === 1) this.#scheduleBookmark((bookmarkSeconds ?? 0) * 1000);
    const replay = channel.replay(beginning);
    member.follow(replay);
    outlet.onLeave(() => this.#remove(member));
    try {
      await replay.ready();
    } catch (error) {
      replay.close();
      this.#remove(member);
      throw error;
    }
    void this.#catchUp(member, replay);
    return true;
  }

  /** Renders new items together and writes them in their order. */
  #onItems(items: readonly Item[]): void {
    // A subscriber that is behind reads them when it gets there.
    if (this.#ended || !this.#hasLive()) return;
    const payloads = items.map(this.#options.renderCache.get);
    if (this.#pending.length === 0 && areRendered(payloads)) {
      this.#broadcast(items, payloads);
      return;
    }
    if (this.#pending.length < maxPendingBatches) {
      this.#pending.push(items);
      if (this.#pending.length === 1) void this.#writePending();
      return;
    }
    // Items come faster than they are rendered. The first batch is being rendered and stays; when it is
    // written, no subscriber is live.
    const position = this.#writtenThrough();
    this.#pending.length = 1;
    this.#sendBack(position);
  }

  #hasLive(): boolean {
    for (const { isLive } of this.#members) if (isLive) return true;
    return false;
  }

  async #writePending(): Promise<void> {
    const { renderCache } = this.#options;
    for (let items = this.#pending[0]; items; items = this.#pending[0]) {
      try {
        this.#broadcast(items, await Promise.all(items.map(renderCache.get)));
      } catch (error) {
        // Nothing behind it is written: a reader would not notice that this is missing.
        this.#pending.length = 0;
        this.#end(error);
      }
      this.#pending.shift();
    }
    if (this.#ended) this.#endLive();
  }

  /** Writes in parts of bounded size. A subscriber that a part makes full does not get the next. */
  #broadcast(items: readonly Item[], payloads: readonly Payload[]): void {
    this.#lastWriteAt = performance.now();
    let [from, bytes] = [0, 0];
    for (const [index, payload] of payloads.entries()) {
      bytes += this.#options.sizeOf(payload);
      if (bytes < maxWriteBytes && index < payloads.length - 1) continue;
      this.#writeToLive(items.slice(from, index + 1), payloads.slice(from, index + 1));
      [from, bytes] = [index + 1, 0];
    }
  }

  #writeToLive(items: readonly Item[], payloads: readonly Payload[]): void {
    const { compose } = this.#options;
    const [first] = items;
    if (!first) return;
    const message = compose(payloads);
    for (const member of this.#members) {
      if (!member.isLive) continue;
      // A subscriber that caught up during the rendering has some of the items, or all.
      const isAhead = comparePositions(member.position, first) >= 0;
      const from = isAhead
        ? items.findIndex((item) => comparePositions(item, member.position) > 0)
        : 0;
      if (from < 0) continue;
      if (member.outlet.isFull()) this.#fallBehind(member, before(first));
      else member.outlet.write(from === 0 ? message : compose(payloads.slice(from)));
    }
  }

  /** Everything up to here was written to the live subscribers. */
  #writtenThrough(): LogPosition {
    const first = this.#pending[0]?.[0];
    return first ? before(first) : this.#options.channel.position;
  }

  /** The subscriber catches up after its outlet has drained. */
  #fallBehind(member: Member<Message>, position: LogPosition): void {
    member.fellBehind(position);
    member.outlet.onDrain(() => this.#catchUpFromPosition(member));
  }

  /** All live subscribers catch up from this position. */
  #sendBack(position: LogPosition): void {
    for (const member of this.#members) {
      if (!member.isLive) continue;
      member.fellBehind(position);
      // Not now: the position of the channel is about to change.
      queueMicrotask(() => this.#catchUpFromPosition(member));
    }
  }

  #catchUpFromPosition(member: Member<Message>): void {
    void this.#catchUp(member, this.#options.channel.replay(member.position));
  }

  /** Writes what a subscriber missed until it has everything. */
  async #catchUp(member: Member<Message>, replay: Replay<Item>): Promise<void> {
    const { latestBy } = this.#options;
    member.follow(replay);
    try {
      await replay.ready();
      for (;;) {
        if (member.isGone) return;
        const taken = replay.next();
        if (taken === null) break; // Without an await before LIVE, so that no item comes in between.
        const missed = await taken;
        if (latestBy) await this.#writeNewest(member, missed, replay);
        else await writeMissed(member, missed, this.#options);
      }
      member.caughtUp(replay.position);
      if (this.#ended) this.#endLive();
    } catch (error) {
      if (!member.isGone) member.outlet.end(error);
      this.#remove(member);
    } finally {
      replay.close();
    }
  }

  async #writeNewest(
    member: Member<Message>,
    first: readonly Item[],
    replay: Replay<Item>,
  ): Promise<void> {
    const { channel, latestBy } = this.#options;
    const { items, leftOut } = await newestByKey(first, replay, (item) => latestBy?.(item) ?? '');
    if (leftOut > 0 && channel.bookmark) items.push(channel.bookmark(leftOut));
    await writeMissed(member, items, this.#options);
  }

  #end(error?: unknown): void {
    this.#ended ??= { error };
    this.#isClosed = true;
    if (this.#pending.length === 0) this.#endLive();
  }

  /** Ends the subscribers that have everything. */
  #endLive(): void {
    for (const member of [...this.#members]) {
      if (!member.isLive) continue;
      member.outlet.end(this.#ended?.error);
      this.#remove(member);
    }
  }

  #remove(member: Member<Message>): void {
    member.leave();
    if (!this.#members.delete(member) || this.#members.size > 0) return;
    clearTimeout(this.#bookmarkTimer);
    this.#isClosed = true;
    this.#unfollow?.();
    this.#options.onEmpty();
  }

  #scheduleBookmark(afterMs: number): void {
    const { bookmarkSeconds } = this.#options;
    if (!bookmarkSeconds) return;
    const send = () => void this.#sendBookmark(bookmarkSeconds * 1000);
    this.#bookmarkTimer = setTimeout(send, afterMs).unref();
  }

  async #sendBookmark(intervalMs: number): Promise<void> {
    const { channel } = this.#options;
    const quietMs = performance.now() - this.#lastWriteAt;
    if (quietMs < intervalMs || this.#pending.length > 0 || !channel.bookmark)
      return this.#scheduleBookmark(Math.max(intervalMs - quietMs, 1));
    this.#pending.push([channel.bookmark(0)]);
    await this.#writePending();
    if (this.#members.size > 0) this.#scheduleBookmark(intervalMs);
  }
}
