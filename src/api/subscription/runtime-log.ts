/** The log of an instance's runtime, line by line. */
import type { Channel, Follower } from '../../feed/channel/channel.ts';
import { ChannelSource, shared } from '../../feed/channel/channel-source.ts';
import { inReadTime, readWhileAway } from '../../feed/channel/while-away.ts';
import { isLogLocal } from '../../store/command/log-watches.ts';
import type { LogPosition } from '../../store/log/log.ts';
import { readLogLines, type StoredLogLine } from '../../store/read/reads.ts';
import { builder } from '../base/builder.ts';
import type { Context } from '../base/context.ts';
import { LogLevel } from '../base/enums.ts';
import { badInput } from '../list/page.ts';
import { resourceIdOf } from './feed-events.ts';
import { logTopic, openLogWatch } from './log-watch.ts';

/** Lines read per statement. */
const PAGE_LINES = 500;

const LogLine = builder.objectRef<StoredLogLine>('LogLine').implement({
  fields: (t) => ({
    number: t.exposeFloat('number'),
    at: t.expose('at', { type: 'DateTime' }),
    level: t.expose('level', { type: LogLevel }),
    text: t.exposeString('text'),
    run: t.exposeID('runId'),
  }),
});

/** A line with its position: ids count the lines of all runtimes, and increase in the order of runs. */
interface PlacedLine extends LogPosition {
  readonly line: StoredLogLine;
}

const placed = (line: StoredLogLine): PlacedLine => ({ revision: line.id, place: 0, line });

/** The lines of an instance from now on. */
async function linesOf(
  { store, feed }: Pick<Context, 'store' | 'feed'>,
  instanceId: string,
): Promise<Channel<PlacedLine>> {
  let isOver = false;
  const watching = (await isLogLocal(store, instanceId))
    ? await openLogWatch({ store, feed }, instanceId)
    : null;
  const read = (wanted: Parameters<typeof readLogLines>[1]) =>
    readWhileAway(
      () => inReadTime(readLogLines(store, wanted)),
      () => isOver,
    );
  const [newest] = await read({ instanceId, newest: 1 });
  let last = newest?.id ?? 0;

  async function pump(signals: AsyncIterator<void>, follower: Follower<PlacedLine>) {
    for (let signal = await signals.next(); !signal.done; signal = await signals.next()) {
      for (let isMore = true; isMore; ) {
        const lines = await read({ instanceId, after: last, limit: PAGE_LINES });
        last = lines.at(-1)?.id ?? last;
        if (lines.length > 0) follower.onItems(lines.map(placed));
        isMore = lines.length === PAGE_LINES;
      }
    }
  }

  return {
    get position() {
      return { revision: last, place: 0 };
    },
    follow(follower) {
      const signals = feed.signals(logTopic(instanceId));
      const endWatch = watching?.keep((error) => {
        isOver = true;
        follower.end(error);
        signals.return?.();
      });
      pump(signals, follower).then(
        () => follower.end(),
        (error: unknown) => follower.end(error),
      );
      return () => {
        isOver = true;
        endWatch?.();
        signals.return?.();
      };
    },
    replay(from) {
      let at = 'revision' in from ? from.revision : 0;
      let first: StoredLogLine[] = [];
      const begin = async (tail: number) => {
        const lines = await read({ instanceId, newest: Math.max(tail, 1) });
        at = lines.at(-1)?.id ?? 0;
        if (tail > 0) first = lines;
      };
      const ready = 'revision' in from ? Promise.resolve() : begin(from.last ?? 0);
      ready.catch(() => {}); // The error is handled by whoever awaits it.
      return {
        ready: () => ready,
        get position() {
          return { revision: at, place: 0 };
        },
        next() {
          const lines = first;
          first = [];
          if (lines.length > 0) return lines.map(placed);
          if (at >= last) return null;
          return read({ instanceId, after: at, limit: PAGE_LINES }).then((page) => {
            at = page.at(-1)?.id ?? last;
            return page.map(placed);
          });
        },
        close() {},
      };
    },
  };
}

builder.subscriptionField('instanceLogs', (t) =>
  t.field({
    type: LogLine,
    args: { instance: t.arg.id({ required: true }), tail: t.arg.int() },
    extensions: shared,
    subscribe: async (_root, { instance, tail }, context) => {
      if (tail != null && (tail < 0 || tail > 1000)) {
        throw badInput(`\`tail\` is ${tail}; it takes 0 to 1000.`);
      }
      const instanceId = await resourceIdOf(context, 'Instance', instance);
      return new ChannelSource({
        channel: await linesOf(context, instanceId),
        rootOf: ({ line }) => line,
        beginning: () => ({ last: tail }),
      });
    },
    resolve: (line) => line as StoredLogLine,
  }),
);
