/** A channel of states: each state replaces the one before, and a new subscriber gets the present one. */
import { Repeater, SlidingBuffer } from '@repeaterjs/repeater';
import type { LogPosition } from '../../store/log/log.ts';
import type { Channel, Follower } from './channel.ts';
import { inReadTime, readWhileAway } from './while-away.ts';

/** One state. Its revision is the number of the state, not a revision of the log. */
export interface State<Value> extends LogPosition {
  readonly value: Value;
}

export interface LatestOptions<Value> {
  /** Yields when there may be another state; the channel ends when it ends. */
  readonly ticks: AsyncIterator<unknown>;
  /** Reads the present state; null: there is none any more, and the channel ends. */
  readonly read: () => Promise<Value | null>;
  /** Whether the channel ends after this state. */
  readonly isLast?: (value: Value) => boolean;
  /** Whether a state equals the one before it, so that it is neither rendered nor sent. */
  readonly isSame?: (value: Value, before: Value) => boolean;
  /** The least time between two reads. */
  readonly everyMs?: number;
}

/** Ticks at once and after new items of a channel; several may be merged. It ends as the channel does. */
export function ticksOf(channel: Channel<LogPosition>): AsyncIterableIterator<void> {
  return new Repeater<void>((push, stop) => {
    const tick = () => void push(undefined);
    const unfollow = channel.follow({ onItems: tick, onSkip: tick, end: (error) => stop(error) });
    void stop.then(unfollow);
    tick();
  }, new SlidingBuffer(1));
}

/** Creates a channel for one group: it reads from its first follower on, and ends with it. */
export function createLatest<Value>(options: LatestOptions<Value>): Channel<State<Value>> {
  const { ticks, read, isLast, isSame, everyMs = 0 } = options;
  let latest: State<Value> | null = null;
  let count = 0;
  let isDue = false;
  let isOver = false;
  let wake = () => {};
  /** Resolvers of new subscribers, called when a read that began after they joined has been processed. */
  let coming: (() => void)[] = [];

  const position = (): LogPosition => ({ revision: count, place: 0 });

  async function watch(): Promise<void> {
    for (let tick = await ticks.next(); !tick.done; tick = await ticks.next()) {
      isDue = true;
      wake();
    }
  }

  async function run(follower: Follower<State<Value>>): Promise<void> {
    let lastRead = Number.NEGATIVE_INFINITY;
    while (!isOver) {
      const waitMs = lastRead + everyMs - performance.now();
      if (!isDue) await untilWoken(null);
      else if (waitMs > 0) await untilWoken(waitMs);
      else {
        isDue = false;
        lastRead = performance.now();
        const served = coming;
        coming = [];
        const value = await readWhileAway(
          () => inReadTime(read()),
          () => isOver,
        ).catch((error: unknown) => {
          // Nobody may wait for a state that cannot be read.
          for (const call of served) call();
          throw error;
        });
        if (value === null) break;
        if (!latest || !isSame?.(value, latest.value)) {
          count += 1;
          latest = { ...position(), value };
          follower.onItems([latest]);
        }
        for (const call of served) call();
        if (isLast?.(value)) break;
      }
    }
  }

  /** Resolves when a read is due or the channel ends; with `ms`, after that time or at the end. */
  function untilWoken(ms: number | null): Promise<void> {
    return new Promise((resolve) => {
      const timer = ms === null ? null : setTimeout(resolve, ms);
      wake = () => {
        if (ms !== null && !isOver) return;
        if (timer) clearTimeout(timer);
        resolve();
      };
    });
  }

  function stop(): void {
    isOver = true;
    wake();
    ticks.return?.()?.catch(() => {});
    for (const call of coming.splice(0)) call();
  }

  return {
    isOfStates: true,
    get position() {
      return position();
    },
    follow(follower) {
      let failure: unknown;
      Promise.race([watch(), run(follower)])
        .catch((error: unknown) => {
          failure = error;
        })
        .finally(() => {
          stop();
          follower.end(failure);
        });
      return stop;
    },
    replay(from) {
      let at = 'revision' in from ? from.revision : 0;
      const ready = (): Promise<void> =>
        new Promise((resolve) => {
          if (isOver || 'revision' in from) return resolve();
          coming.push(resolve);
          isDue = true;
          wake();
        });
      return {
        ready,
        get position() {
          return { revision: at, place: 0 };
        },
        next() {
          if (!latest || latest.revision <= at) return null;
          at = latest.revision;
          return [latest];
        },
        close() {},
      };
    },
  };
}
