/** A group by itself: what a rendering that fails, or an outlet that goes, does to it. */
import { setImmediate } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { before, type Channel, type Follower } from '../../src/feed/channel/channel.ts';
import { createGroup } from '../../src/feed/group/group.ts';
import { Member, type Outlet } from '../../src/feed/group/member.ts';
import { createCacheBudget, createRenderCache } from '../../src/feed/group/render-cache.ts';

interface Item {
  readonly revision: number;
  readonly place: number;
}

/** Items that are told to who follows, and are not kept. */
function renderedGroup(render: (item: Item) => Promise<string>) {
  let follower: Follower<Item> | null = null;
  let revision = 0;
  let isEmpty = false;
  const channel: Channel<Item> = {
    get position() {
      return { revision, place: 0 };
    },
    follow(given) {
      follower = given;
      return () => {
        follower = null;
      };
    },
    replay: () => ({
      ready: async () => {},
      position: { revision, place: 0 },
      next: () => null,
      close() {},
    }),
  };
  const sizeOf = (text: string) => text.length;
  const group = createGroup<Item, string, string>({
    ...{ channel, sizeOf },
    renderCache: createRenderCache({
      render,
      sizeOf,
      budget: createCacheBudget(1000),
      isCacheable: () => true,
    }),
    compose: (payloads) => payloads.join(' '),
    onEmpty: () => {
      isEmpty = true;
    },
  });
  return {
    group,
    append() {
      revision += 1;
      follower?.onItems([{ revision, place: 0 }]);
    },
    isFollowed: () => follower !== null,
    isEmpty: () => isEmpty,
  };
}

function outlet() {
  const seen: { written: string[]; ends: unknown[] } = { written: [], ends: [] };
  let leave = () => {};
  const made: Outlet<string> = {
    isFull: () => false,
    write: (message) => seen.written.push(message),
    onDrain() {},
    end: (error) => seen.ends.push(error),
    onLeave: (call) => {
      leave = call;
    },
  };
  return { ...seen, outlet: made, leave: () => leave() };
}

test('where one item fails nothing behind it is written: its reader would not miss it', async () => {
  const failure = new Error('It could not be read.');
  let go = () => {};
  const waiting = new Promise<void>((resolve) => {
    go = resolve;
  });
  const its = renderedGroup(async ({ revision }) => {
    if (revision === 1) await waiting;
    if (revision === 2) throw failure;
    return `${revision}`;
  });
  const one = outlet();
  await its.group.join(one.outlet, {});
  await setImmediate();
  for (let n = 0; n < 4; n += 1) its.append();
  go();
  await setImmediate();
  expect(one.written).toEqual(['1']);
  expect(one.ends).toEqual([failure]);
  expect(its.isFollowed()).toBe(false);
  expect(its.isEmpty()).toBe(true);
  expect(await its.group.join(outlet().outlet, {})).toBe(false);
});

test('the last that leaves ends the group, once', async () => {
  const its = renderedGroup(async ({ revision }) => `${revision}`);
  const [one, two] = [outlet(), outlet()];
  await its.group.join(one.outlet, {});
  await its.group.join(two.outlet, {});
  await setImmediate();
  one.leave();
  one.leave();
  expect(its.isFollowed()).toBe(true);
  its.append();
  await setImmediate();
  expect([one.written, two.written]).toEqual([[], ['1']]);
  two.leave();
  expect(its.isFollowed()).toBe(false);
  expect([one.ends, two.ends]).toEqual([[], []]);
});

test('before an item is behind all that comes before it', () => {
  expect(before({ revision: 7, place: 3 })).toEqual({ revision: 7, place: 2 });
  expect(before({ revision: 7, place: 0 }).revision).toBe(6);
});

test('a subscriber never goes back, and one that has left stays so', () => {
  let closed = 0;
  const replay = {
    close() {
      closed += 1;
    },
  };
  const member = new Member(outlet().outlet, { revision: 5, place: 0 });
  member.caughtUp({ revision: 7, place: 0 });
  member.caughtUp({ revision: 6, place: 0 });
  expect([member.isLive, member.position.revision]).toEqual([true, 7]);
  member.fellBehind({ revision: 3, place: 0 });
  member.follow(replay);
  expect([member.isLive, member.position.revision]).toEqual([false, 7]);
  member.leave();
  member.leave();
  member.caughtUp({ revision: 9, place: 0 });
  expect([member.isGone, member.position.revision, closed]).toEqual([true, 7, 1]);
});
