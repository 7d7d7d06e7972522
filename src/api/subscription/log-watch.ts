/**
 * Reading a log that is kept beside its runtime: the reader renews a watch, and the runtime, connected to
 * whichever node, sends its lines as long as the watch lasts.
 */
import { GraphQLError } from 'graphql';
import { inReadTime, readWhileAway } from '../../feed/channel/while-away.ts';
import {
  endLapsedLogWatches,
  type LogWatch,
  readLogWatch,
  watchLog,
  watchSeconds,
} from '../../store/command/log-watches.ts';
import type { Context } from '../base/context.ts';
import { notThere, streamOf } from '../base/graphql-stream.ts';
import type { RunViewer } from '../base/viewer.ts';

/** The topic of the feed for new lines. */
export const logTopic = (instanceId: string): string => `logs:${instanceId}`;
/** The topic for the beginning and the renewals of a watch. */
const watchTopic = (instanceId: string): string => `log-watch:${instanceId}`;

/** A runtime that is connected answers at once; one that reconnects, within seconds. */
const answerSeconds = 10;
const renewMs = 10_000;
/** A restart takes as many renewals at most; then the readers are told. */
const maxUnanswered = 3;

type Nodes = Pick<Context, 'store' | 'feed'>;

export interface OpenLogWatch {
  /** Renews the watch until the returned function is called, or calls `lost` where no runtime answers. */
  keep(lost: (error: GraphQLError) => void): () => void;
}

/**
 * Resolves when the runtime has sent its newest lines.
 *
 * @throws a GraphQLError RUNTIME_NOT_REACHABLE where no runtime does
 */
export async function openLogWatch(
  { store, feed }: Nodes,
  instanceId: string,
): Promise<OpenLogWatch> {
  async function renew(): Promise<LogWatch> {
    const watch = await readWhileAway(
      () => inReadTime(watchLog(store, instanceId)),
      () => false,
    );
    if (!watch) throw notThere('instance', instanceId);
    feed.signal(watchTopic(instanceId));
    return watch;
  }
  const until = performance.now() + answerSeconds * 1000;
  const signals = feed.signals(logTopic(instanceId));
  try {
    for await (const _ of signals) {
      const watch = await renew();
      if (watch.isFollowed) break;
      if (watch.runId === null || performance.now() > until) throw notReachable(watch);
    }
  } finally {
    signals.return?.();
  }

  return {
    keep(lost) {
      let unanswered = 0;
      const timer = setInterval(async () => {
        const watch = await renew().catch(() => null);
        if (!watch) return;
        unanswered = watch.isFollowed ? 0 : unanswered + 1;
        if (unanswered >= maxUnanswered) lost(notReachable(watch));
      }, renewMs);
      return () => {
        clearInterval(timer);
        const end = () => void endLapsedLogWatches(store).catch(() => {});
        setTimeout(end, (watchSeconds + 1) * 1000).unref();
      };
    },
  };
}

function notReachable({ state, runId, failure }: LogWatch): GraphQLError {
  const where = 'The log of this instance is kept beside its runtime (working storage LOCAL), and ';
  const why =
    runId === null
      ? `no runtime runs: the instance is ${state}. Start or restart it, then subscribe again.`
      : `its runtime has not sent it within ${answerSeconds} s: it is starting, is cut off, or is an ` +
        'older version. Look at `reachability` and `state`, then subscribe again; `updateRuntime` ' +
        'brings a newer version.';
  const lastOutput = failure?.logTail ?? null;
  const rest = lastOutput === null ? '' : ' `lastOutput` is what the runtime printed last.';
  return new GraphQLError(where + why + rest, {
    extensions: { code: 'RUNTIME_NOT_REACHABLE', lastOutput },
  });
}

export interface LogWatchChange {
  /** Null: nobody reads. */
  readonly id: string | null;
}

/** The watch of the log of a run's instance, now and whenever it changes. */
export function logWatchOf(
  { store, feed }: Nodes,
  { runId, instanceId }: RunViewer,
): AsyncIterableIterator<LogWatchChange> {
  let isOver = false;
  let sent: string | null | undefined;
  let lapse: NodeJS.Timeout | undefined;
  const topic = watchTopic(instanceId);
  async function read(): Promise<LogWatchChange[]> {
    const watch = await readWhileAway(
      () => inReadTime(readLogWatch(store, runId)),
      () => isOver,
    );
    clearTimeout(lapse);
    if (watch && !isOver) lapse = setTimeout(() => feed.signal(topic), watch.milliseconds + 100);
    const id = watch?.id ?? null;
    if (id === sent) return [];
    sent = id;
    return [{ id }];
  }
  return streamOf(feed.topicSignals(topic), read, () => {
    isOver = true;
    clearTimeout(lapse);
  });
}
