/** The log of an instance's runtime, line by line. */
import { readLogLines, type StoredLogLine } from '../store/reads.ts';
import { builder } from './builder.ts';
import { LogLevel } from './enums.ts';
import { resourceIdOf } from './feed-events.ts';
import { badInput } from './page.ts';
import { streamOf } from './streams.ts';

/** Under which topic the feed tells of new lines. */
export const logTopic = (instanceId: string): string => `logs:${instanceId}`;

/** Lines read at once. */
const PAGE = 500;

const LogLine = builder.objectRef<StoredLogLine>('LogLine').implement({
  fields: (t) => ({
    at: t.expose('at', { type: 'DateTime' }),
    level: t.expose('level', { type: LogLevel }),
    text: t.exposeString('text'),
    run: t.exposeID('runId'),
  }),
});

builder.subscriptionField('instanceLogs', (t) =>
  t.field({
    type: LogLine,
    args: { instance: t.arg.id({ required: true }), tail: t.arg.int() },
    subscribe: async (_root, { instance, tail }, { store, feed, ...context }) => {
      if (tail != null && (tail < 0 || tail > 1000)) {
        throw badInput(`\`tail\` is ${tail}; it takes 0 to 1000.`);
      }
      const instanceId = await resourceIdOf({ store, feed, ...context }, 'Instance', instance);
      const newest = await readLogLines(store, { instanceId, newest: Math.max(tail ?? 0, 1) });
      let last = newest.at(-1)?.id ?? 0;
      let begin = tail ? newest : [];
      return streamOf(feed.signals(logTopic(instanceId)), async () => {
        const values = [...begin];
        begin = [];
        for (;;) {
          const lines = await readLogLines(store, { instanceId, after: last, limit: PAGE });
          values.push(...lines);
          last = lines.at(-1)?.id ?? last;
          if (lines.length < PAGE) return { values };
        }
      });
    },
    resolve: (line) => line as StoredLogLine,
  }),
);
