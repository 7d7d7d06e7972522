/**
 * Subscribers with one selection and one document: each item is rendered once for all of them, and
 * written to each with what is its own. There is no queue per subscriber, only a position:
 *
 *     BEHIND ──── has everything ────► LIVE ──── full ────► BEHIND, until it has drained
 *
 * The rules: docs/feed.md, "Fan-out" and "Slow consumers".
 */
import type { LogPosition } from '../../store/log/log.ts';
import { type Beginning, before, type Channel, type Replay } from '../channel/channel.ts';
import { comparePositions } from '../channel/cursor.ts';
import type { Rendering } from './rendering.ts';
import { nextTimeSlice } from './time-slices.ts';

/** What a subscriber's items are written to. */
export interface Outlet<Message> {
  /** So much waits for the network that nothing more should be written. */
  isFull(): boolean;
  write(message: Message): void;
  /** Calls once when what waited has gone; never where the outlet is closed before. */
  onDrain(call: () => void): void;
  /** Nothing more will come; with an error if it failed. */
  end(error?: unknown): void;
  /** Calls once when it wants nothing more; at once where that is so already. */
  left(call: () => void): void;
}

export interface GroupOptions<Item extends LogPosition, Payload, Message> {
  readonly channel: Channel<Item>;
  /** What an item is for every subscriber of the group; of others too. */
  readonly rendering: Rendering<Item, Payload>;
  /** Payloads that go out in one write. */
  readonly compose: (payloads: readonly Payload[]) => Message;
  /** Bytes of a payload, roughly. */
  readonly sizeOf: (payload: Payload) => number;
  /** A bookmark after so many seconds without an item. */
  readonly bookmarkSeconds?: number | null;
  /** Of what a subscriber has missed it gets the newest of each key, and a bookmark with the count. */
  readonly latestBy?: ((item: Item) => string) | null;
  /** The last subscriber has left. */
  readonly onEmpty: () => void;
}

export interface Group<Message> {
  /**
   * Adds a subscriber until it has left. False: the group is over, make another.
   *
   * @throws {CursorError} the beginning cannot be followed
   */
  join(outlet: Outlet<Message>, beginning: Beginning): Promise<boolean>;
  /** Nobody is in it, or about to be. */
  readonly isEmpty: boolean;
}

/** Bytes of a replay that go out in one write, and items that are rendered for it at once. */
const WRITE_BYTES = 64 * 1024;
const RENDERED_AT_ONCE = 64;
/** Batches that may wait for a rendering; with more of them everybody catches up one by one. */
const MAX_PENDING = 100;

interface Member<Message> {
  readonly outlet: Outlet<Message>;
  state: 'LIVE' | 'BEHIND' | 'GONE';
  /** BEHIND: everything up to here was written. LIVE: the same, of what is older than the group. */
  position: LogPosition;
  /** The way back that it is on. */
  replay: Pick<Replay<unknown>, 'close'> | null;
}

export function createGroup<Item extends LogPosition, Payload, Message>(
  options: GroupOptions<Item, Payload, Message>,
): Group<Message> {
  const { channel, rendering, compose, sizeOf, bookmarkSeconds, latestBy } = options;
  const members = new Set<Member<Message>>();
  /** Batches whose rendering is under way, in order. */
  const pending: (readonly Item[])[] = [];
  let ended: { error: unknown } | null = null;
  let lastWrite = performance.now();
  let bookmarks: NodeJS.Timeout | undefined;
  let leave: (() => void) | null = null;
  let isOver = false;

  /** New items: rendered together, written in their order. */
  function take(items: readonly Item[]): void {
    // Whoever is behind finds them on the way back.
    if (ended || !hasLive()) return;
    const payloads = items.map(rendering.payloadOf);
    if (pending.length === 0 && areThere(payloads)) {
      broadcast(items, payloads);
      return;
    }
    if (pending.length < MAX_PENDING) {
      pending.push(items);
      if (pending.length === 1) void writePending();
      return;
    }
    // Faster than it can be rendered. The first is under way, and will find nobody who has it not.
    const position = reached();
    pending.length = 1;
    sendBack(position);
  }

  function hasLive(): boolean {
    for (const { state } of members) if (state === 'LIVE') return true;
    return false;
  }

  async function writePending(): Promise<void> {
    for (let items = pending[0]; items; items = pending[0]) {
      try {
        broadcast(items, await Promise.all(items.map(rendering.payloadOf)));
      } catch (error) {
        // What comes behind it is not written: it would hide from its reader that this is missing.
        pending.length = 0;
        end(error);
      }
      pending.shift();
    }
    if (ended) finish();
  }

  /** In writes of bounded size: who becomes full by one is not written the next. */
  function broadcast(items: readonly Item[], payloads: readonly Payload[]): void {
    lastWrite = performance.now();
    let [from, bytes] = [0, 0];
    for (const [index, payload] of payloads.entries()) {
      bytes += sizeOf(payload);
      if (bytes < WRITE_BYTES && index < payloads.length - 1) continue;
      writeToAll(items.slice(from, index + 1), payloads.slice(from, index + 1));
      [from, bytes] = [index + 1, 0];
    }
  }

  function writeToAll(items: readonly Item[], payloads: readonly Payload[]): void {
    const [first] = items;
    if (!first) return;
    const all = compose(payloads);
    for (const member of members) {
      if (member.state !== 'LIVE') continue;
      // Who came while this was being rendered has some of it or all.
      const isAhead = comparePositions(member.position, first) >= 0;
      const from = isAhead
        ? items.findIndex((item) => comparePositions(item, member.position) > 0)
        : 0;
      if (from < 0) continue;
      if (member.outlet.isFull()) lag(member, before(first));
      else member.outlet.write(from === 0 ? all : compose(payloads.slice(from)));
    }
  }

  /** Everything before this place was written to those who are live. */
  function reached(): LogPosition {
    const first = pending[0]?.[0];
    return first ? before(first) : channel.position;
  }

  function lag(member: Member<Message>, position: LogPosition): void {
    member.state = 'BEHIND';
    if (comparePositions(member.position, position) < 0) member.position = position;
    member.outlet.onDrain(() => void replay(member, channel.replay(member.position)));
  }

  /** Writes what a member has missed until it has everything; then it is live. */
  async function replay(member: Member<Message>, from: Replay<Item>): Promise<void> {
    const { outlet } = member;
    member.replay = from;
    try {
      await from.ready();
      for (;;) {
        if (member.state === 'GONE') return;
        const taken = from.take();
        if (taken === null) break; // At once, without an await: nothing may come between.
        const missed = await taken;
        if (latestBy) await writeNewest(member, missed, from);
        else await writeMissed(member, missed);
      }
      member.position = from.position;
      member.state = 'LIVE';
      if (ended) finish();
    } catch (error) {
      if (member.state !== 'GONE') outlet.end(error);
      remove(member);
    } finally {
      from.close();
      if (member.replay === from) member.replay = null;
    }
  }

  async function writeMissed(member: Member<Message>, items: readonly Item[]): Promise<void> {
    const { outlet } = member;
    const isGone = () => member.state === 'GONE';
    let [payloads, bytes]: [Payload[], number] = [[], 0];

    async function write(): Promise<void> {
      // Others of the same socket wait with it, and are called with it.
      while (outlet.isFull()) await new Promise<void>((resolve) => outlet.onDrain(resolve));
      if (payloads.length > 0 && !isGone()) outlet.write(compose(payloads));
      [payloads, bytes] = [[], 0];
    }

    for (let at = 0; at < items.length && !isGone(); at += RENDERED_AT_ONCE) {
      await nextTimeSlice();
      const rendered = items.slice(at, at + RENDERED_AT_ONCE).map(rendering.payloadOf);
      for (const payload of areThere(rendered) ? rendered : await Promise.all(rendered)) {
        payloads.push(payload);
        bytes += sizeOf(payload);
        if (bytes >= WRITE_BYTES) await write();
      }
      // What had to be read goes out at once: who is cut off again and again gets on all the same.
      if (!areThere(rendered)) await write();
    }
    await write();
  }

  /** Of all that is missed the newest of each key, and how many were left out. */
  async function writeNewest(
    member: Member<Message>,
    first: readonly Item[],
    from: Replay<Item>,
  ): Promise<void> {
    const newest = new Map<string, Item>();
    let count = 0;
    for (let taken: ReturnType<typeof from.take> = first; taken !== null; taken = from.take())
      for (const item of await taken) {
        count += 1;
        const key = latestBy?.(item) ?? '';
        newest.delete(key); // Else it would stand where the first of its key stood.
        newest.set(key, item);
      }
    const leftOut = count - newest.size;
    const items = [...newest.values()];
    if (leftOut > 0 && channel.bookmark) items.push(channel.bookmark(leftOut));
    await writeMissed(member, items);
  }

  /** Whoever is live looks for itself, from this place on. */
  function sendBack(position: LogPosition): void {
    for (const member of members) {
      if (member.state !== 'LIVE') continue;
      member.state = 'BEHIND';
      if (comparePositions(member.position, position) < 0) member.position = position;
      // Once the channel stands where it jumps to.
      queueMicrotask(() => void replay(member, channel.replay(member.position)));
    }
  }

  function recheck(): void {
    sendBack(reached());
  }

  function end(error?: unknown): void {
    ended ??= { error };
    isOver = true;
    if (pending.length === 0) finish();
  }

  /** Ends those who have everything. */
  function finish(): void {
    for (const member of [...members]) {
      if (member.state !== 'LIVE') continue;
      member.outlet.end(ended?.error);
      remove(member);
    }
  }

  function remove(member: Member<Message>): void {
    member.state = 'GONE';
    member.replay?.close();
    if (!members.delete(member) || members.size > 0) return;
    clearTimeout(bookmarks);
    isOver = true;
    leave?.();
    options.onEmpty();
  }

  function scheduleBookmark(afterMs: number): void {
    if (!bookmarkSeconds) return;
    bookmarks = setTimeout(() => void sendBookmark(bookmarkSeconds * 1000), afterMs).unref();
  }

  async function sendBookmark(everyMs: number): Promise<void> {
    const quietMs = performance.now() - lastWrite;
    if (quietMs < everyMs || pending.length > 0 || !channel.bookmark)
      return scheduleBookmark(Math.max(everyMs - quietMs, 1));
    const bookmark = channel.bookmark(0);
    pending.push([bookmark]);
    await writePending();
    if (members.size > 0) scheduleBookmark(everyMs);
  }

  return {
    async join(outlet, beginning) {
      if (isOver) return false;
      const member: Member<Message> = {
        outlet,
        state: 'BEHIND',
        position: before(channel.position),
        replay: null,
      };
      members.add(member);
      leave ??= channel.follow({ take, recheck, end });
      if (members.size === 1) scheduleBookmark((bookmarkSeconds ?? 0) * 1000);
      const from = channel.replay(beginning);
      member.replay = from;
      outlet.left(() => remove(member));
      try {
        await from.ready();
      } catch (error) {
        from.close();
        remove(member);
        throw error;
      }
      void replay(member, from);
      return true;
    },
    get isEmpty() {
      return members.size === 0;
    },
  };
}

function areThere<Payload>(
  payloads: readonly (Payload | Promise<Payload>)[],
): payloads is readonly Payload[] {
  return !payloads.some((payload) => payload instanceof Promise);
}
