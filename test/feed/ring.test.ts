/** The ring lets go of what it has dropped: its bytes are a promise about memory. */
import { setImmediate } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, test } from 'vitest';
import type { LogEvent, Revision } from '../../src/feed/channel/event.ts';
import { createRing } from '../../src/feed/replay/ring.ts';

const revision = (number: number): Revision => ({
  revision: number,
  events: [{ details: {} } as LogEvent],
});

test('what it has dropped can be collected, and what it holds is found', async () => {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const ring = createRing({ bytes: 10_000, ms: 60_000 });
  const pushed: WeakRef<Revision>[] = [];
  // Fewer than make it tidy up its array.
  for (let number = 1; number <= 500; number += 1) {
    const made = revision(number);
    pushed.push(new WeakRef(made));
    ring.push([made]);
  }
  await setImmediate(); // A reference that was made in this turn is kept to its end.
  collect();
  expect(pushed.filter((each) => each.deref() !== undefined).length).toBeLessThan(30);
  const held = ring.after({ revision: 490, place: 0xffff }, 100);
  expect(held.map((each) => each.revision)).toEqual([
    490, 491, 492, 493, 494, 495, 496, 497, 498, 499, 500,
  ]);
  expect(ring.reaches({ revision: 400, place: 0 })).toBe(false);
});
