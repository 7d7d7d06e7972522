/** A channel of states: each takes the place of the one before, and who comes gets the present one. */
import type { LogPosition } from '../../store/log/log.ts';
import type { Channel, Follower } from './channel.ts';
import { answered, readWhileAway } from './while-away.ts';

/** One state. Its revision counts them; it is no revision of the log. */
export interface State<Value> extends LogPosition {
  readonly value: Value;
}

export interface LatestOptions<Value> {
  /** Ticks when there may be another state; the channel ends with them. */
  readonly ticks: AsyncIterator<unknown>;
  /** The state now; null: there is none any more, and the channel ends. */
  readonly read: () => Promise<Value | null>;
  /** The channel ends behind this one. */
  readonly isLast?: (value: Value) => boolean;
  /** Is this state the one before it, so that it need not even be rendered? */
  readonly isSame?: (value: Value, before: Value) => boolean;
  /** Reads no more often than this. */
  readonly everyMs?: number;
}

/** For one group: it begins to read with its follower, and ends with it. */
export function createLatest<Value>(options: LatestOptions<Value>): Channel<State<Value>> {
  const { ticks, read, isLast, isSame, everyMs = 0 } = options;
  let latest: State<Value> | null = null;
  let count = 0;
  let isDue = false;
  let isOver = false;
  let wake = () => {};
  /** Those who came, until a state is read that is not older than they are. */
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
          () => answered(read()),
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
          follower.take([latest]);
        }
        for (const call of served) call();
        if (isLast?.(value)) break;
      }
    }
  }

  /** Until something is due; where it is already, for so long, or until the end. */
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
        take() {
          if (!latest || latest.revision <= at) return null;
          at = latest.revision;
          return [latest];
        },
        close() {},
      };
    },
  };
}
