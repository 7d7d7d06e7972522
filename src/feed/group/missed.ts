/** Writes the items that a subscriber missed, in bounded writes, no faster than its outlet takes them. */
import type { Replay } from '../channel/channel.ts';
import type { Member } from './member.ts';
import type { RenderCache } from './render-cache.ts';
import { nextTimeSlice } from './time-slices.ts';

/** How items become messages. */
export interface Format<Item, Payload, Message> {
  /** Renders an item once for all subscribers, of other groups as well. */
  readonly renderCache: RenderCache<Item, Payload>;
  /** One message of several payloads, to be sent in one write. */
  readonly compose: (payloads: readonly Payload[]) => Message;
  /** Approximate size of a payload in bytes. */
  readonly sizeOf: (payload: Payload) => number;
}

/** Approximate size of one write. */
export const maxWriteBytes = 64 * 1024;
/** Items of a replay that are rendered concurrently. */
const maxConcurrentRenderings = 64;

/** Whether all payloads are rendered. */
export function areRendered<Payload>(
  payloads: readonly (Payload | Promise<Payload>)[],
): payloads is readonly Payload[] {
  return !payloads.some((payload) => payload instanceof Promise);
}

/** Writes all of the items, unless the member leaves. */
export async function writeMissed<Item, Payload, Message>(
  member: Member<Message>,
  items: readonly Item[],
  { renderCache, compose, sizeOf }: Format<Item, Payload, Message>,
): Promise<void> {
  const { outlet } = member;
  let [payloads, bytes]: [Payload[], number] = [[], 0];

  async function write(): Promise<void> {
    // Several subscribers of one socket wait for the same drain, and the first may fill it again.
    while (outlet.isFull()) await new Promise<void>((resolve) => outlet.onDrain(resolve));
    if (payloads.length > 0 && !member.isGone) outlet.write(compose(payloads));
    [payloads, bytes] = [[], 0];
  }

  for (let at = 0; at < items.length && !member.isGone; at += maxConcurrentRenderings) {
    await nextTimeSlice();
    const rendered = items.slice(at, at + maxConcurrentRenderings).map(renderCache.get);
    for (const payload of areRendered(rendered) ? rendered : await Promise.all(rendered)) {
      payloads.push(payload);
      bytes += sizeOf(payload);
      if (bytes >= maxWriteBytes) await write();
    }
    // Payloads that took a read are written at once, so that a client that is often cut off advances.
    if (!areRendered(rendered)) await write();
  }
  await write();
}

/** The newest item of each key in all that a replay has, and the number of items left out. */
export async function newestByKey<Item>(
  first: readonly Item[],
  replay: Replay<Item>,
  keyOf: (item: Item) => string,
): Promise<{ items: Item[]; leftOut: number }> {
  const newest = new Map<string, Item>();
  let count = 0;
  for (let taken: ReturnType<typeof replay.next> = first; taken !== null; taken = replay.next())
    for (const item of await taken) {
      count += 1;
      const key = keyOf(item);
      newest.delete(key); // Otherwise the entry would keep the place of the first item of its key.
      newest.set(key, item);
    }
  return { items: [...newest.values()], leftOut: count - newest.size };
}
