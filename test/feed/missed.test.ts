/** What a subscriber has missed, where each item has to be read before it can be written. */
import { expect, test } from 'vitest';
import type { Channel, Replay } from '../../src/feed/channel/channel.ts';
import { createGroup } from '../../src/feed/group/group.ts';
import { createCacheBudget, createRenderCache } from '../../src/feed/group/render-cache.ts';

interface Item {
  readonly revision: number;
  readonly place: number;
}
const items: readonly Item[] = Array.from({ length: 100 }, (_, n) => ({
  revision: n + 1,
  place: 0,
}));

/** Everything there is was missed, and nothing more comes. */
function channelOf(all: readonly Item[]): Channel<Item> {
  const position = all.at(-1) ?? { revision: 0, place: 0 };
  const replay = (): Replay<Item> => {
    const pages = [all];
    return {
      ready: async () => {},
      position,
      next: () => pages.shift() ?? null,
      close() {},
    };
  };
  return { position, follow: () => () => {}, replay };
}

/** Joins a group whose items are rendered by `render`; what is written, as it comes. */
async function join(render: (item: Item) => Promise<string>): Promise<string[]> {
  const written: string[] = [];
  const sizeOf = (payload: string) => payload.length;
  const group = createGroup<Item, string, readonly string[]>({
    channel: channelOf(items),
    renderCache: createRenderCache({
      render,
      sizeOf,
      budget: createCacheBudget(2 ** 20),
      isCacheable: () => true,
    }),
    compose: (payloads) => [...payloads],
    sizeOf,
    onEmpty() {},
  });
  const outlet = {
    isFull: () => false,
    write: (payloads: readonly string[]) => void written.push(...payloads),
    onDrain: (call: () => void) => setImmediate(call),
    end() {},
    onLeave() {},
  };
  await group.join(outlet, { after: 'the beginning' });
  return written;
}

test('what is rendered is not kept back for what takes long', async () => {
  const written = await join(({ revision }) =>
    revision <= 64 ? Promise.resolve(`${revision}`) : new Promise(() => {}),
  );
  const expected = items.slice(0, 64).map(({ revision }) => `${revision}`);
  await expect.poll(() => written).toEqual(expected);
});

test('several are rendered at once, and written in their order', async () => {
  const waiting: (() => void)[] = [];
  const written = await join(
    ({ revision }) => new Promise((resolve) => waiting.push(() => resolve(`${revision}`))),
  );
  await expect.poll(() => waiting.length).toBeGreaterThan(1);
  await expect
    .poll(() => {
      for (const resolve of waiting.splice(0).reverse()) resolve();
      return written.length;
    })
    .toBe(items.length);
  expect(written).toEqual(items.map(({ revision }) => `${revision}`));
});
