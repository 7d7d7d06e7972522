/**
 * Notifications between nodes over one NOTIFY channel. A notification may be lost, so every consumer also
 * polls. A NOTIFY inside a transaction has the lowest latency, but holds a global lock until the commit is
 * flushed, which prevents group commit. Therefore a commit publishes its rows itself only while few commits
 * run concurrently; otherwise the node sends one coalesced NOTIFY for all commits since the last.
 */
import { createHmac, randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { backOff } from '../../timing/back-off.ts';
import { waitAtMost } from '../../timing/time-limit.ts';
import { createTokenBucket } from '../../timing/token-bucket.ts';
import type { Database, Session } from '../database/database.ts';
import { createReader } from '../database/own-connection.ts';
import { within } from '../database/time-limit.ts';
import { readIdentity } from './log.ts';
import { type Notification, notificationOf, payloadOf } from './notification.ts';

/** Where a commit publishes its rows. */
export interface PublishTarget {
  readonly channel: string;
  readonly node: string;
}

export interface Notifier {
  /** A commit begins: where it publishes its rows, or null if it must not. Followed by `commitEnded`. */
  commitBegun(): PublishTarget | null;
  commitEnded(): void;
  /** PostgreSQL refused the NOTIFY of a commit: no commit publishes for some time. */
  publishRefused(): void;
  /** A published row did not arrive here: no commit publishes until this node receives its own again. */
  publishMissed(): void;
  /** Notifies the other nodes that the log has grown. */
  notifyLog(): void;
  /** Notifies the other nodes that there is something new under a topic (no spaces in it). */
  notifyTopic(topic: string): void;
  /** Calls back on the notifications of all nodes, and with "anything" whenever one may have been missed. */
  onNotification(listener: (notification: Notification) => void): () => void;
  stop(): Promise<void>;
}

const NOTIFY = 'select pg_notify($1, $2)';
/** The name is a parameter: other roles may see the text of a statement in pg_stat_activity. */
const NAME_CHANNEL = "select set_config('instance_manager.channel', $1, false)";
const LISTEN =
  "do $$ begin execute format('listen %I', current_setting('instance_manager.channel')); end $$";
const LISTEN_SECONDS = 10;
const listenBackOffMs = { first: 50, max: 2000 };
/** Under load one NOTIFY covers 4 ms of commits; a single commit is notified at once. */
const notifyRate = { perSecond: 250, burst: 10 };
const NOTIFY_SECONDS = 5;
/** With this many concurrent commits on average, a commit no longer publishes its rows itself. */
const publishMaxConcurrency = 8;
/** Number of commits over which the concurrency is averaged. */
const averagedCommits = 32;
const publishRefusedSeconds = 60;

/** Starts to listen, and retries while the database is unavailable. On PGlite there are no other nodes. */
export function startNotifier(database: Database): Notifier {
  const { openSession } = database;
  if (!openSession) {
    return {
      commitBegun: () => null,
      commitEnded() {},
      publishRefused() {},
      publishMissed() {},
      notifyLog() {},
      notifyTopic() {},
      onNotification: () => () => {},
      stop: async () => {},
    };
  }
  const node = randomUUID();
  /** A connection of its own, so that a NOTIFY does not queue behind writes. */
  const own = createReader(database);
  const bucket = createTokenBucket(notifyRate);
  const listeners = new Set<(notification: Notification) => void>();
  const topics = new Set<string>();
  let channel: string | null = null;
  /** This node receives what it sends: it has since it began to listen, and has missed no pushed row since. */
  let receivesOwn = false;
  let openCommits = 0;
  /** Moving average of `openCommits` as commits begin; 0 again when one begins alone. */
  let concurrency = 0;
  let refusedUntil = 0;
  let grown = false;
  let sending: Promise<void> | null = null;
  let stopped = false;
  const stopping = new AbortController();
  let session: Session | null = null;
  const listening = listen(openSession);

  async function listen(open: NonNullable<Database['openSession']>): Promise<void> {
    for (let failures = 0; !stopped; ) {
      try {
        channel = await channelOf(database);
        if (stopped) return;
        session = open(receive);
        await within(LISTEN_SECONDS, session.query(NAME_CHANNEL, [channel]));
        await within(LISTEN_SECONDS, session.query(LISTEN));
        failures = 0;
        receive('');
        send();
        await session.ended;
      } catch {
        session?.close();
        const waitMs = backOff(listenBackOffMs, failures);
        failures += 1;
        await sleep(waitMs, null, { signal: stopping.signal }).catch(() => {});
      }
    }
  }

  function receive(payload: string): void {
    if (stopped) return;
    const notification = notificationOf(payload, node);
    if (payload === '') receivesOwn = false;
    else if (notification.isOwn) receivesOwn = true;
    for (const listener of listeners) listener(notification);
  }

  function send(): void {
    if (!channel || (!grown && topics.size === 0)) return;
    const to = channel;
    sending ??= (async () => {
      while (!stopped && (grown || topics.size > 0)) {
        const payload = payloadOf(node, { log: grown, topics });
        grown = false;
        topics.clear();
        try {
          await within(NOTIFY_SECONDS, own.query(NOTIFY, [to, payload]));
        } catch {
          // Consumers poll.
          own.renew();
        }
        const waitMs = bucket.take();
        if (waitMs > 0) await sleep(waitMs);
      }
      sending = null;
    })();
  }

  return {
    commitBegun() {
      concurrency =
        openCommits === 0 ? 0 : concurrency + (openCommits - concurrency) / averagedCommits;
      openCommits += 1;
      const isAllowed = performance.now() >= refusedUntil && concurrency < publishMaxConcurrency;
      return receivesOwn && isAllowed && channel ? { channel, node } : null;
    },
    commitEnded() {
      openCommits -= 1;
    },
    publishMissed() {
      receivesOwn = false;
    },
    publishRefused() {
      refusedUntil = performance.now() + publishRefusedSeconds * 1000;
    },
    notifyLog() {
      grown = true;
      send();
    },
    notifyTopic(topic) {
      topics.add(topic);
      send();
    },
    onNotification(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    async stop() {
      stopped = true;
      stopping.abort();
      session?.close();
      const end = async () => {
        await sending;
        await listening;
      };
      await waitAtMost(2000, end());
      own.close();
    },
  };
}

/**
 * A channel name that only readers of the store can compute: any role of a database may listen on any
 * channel and send any payload on it.
 */
async function channelOf(database: Database): Promise<string> {
  const { cursorSecret } = await readIdentity(database);
  return `instance_manager_${createHmac('sha256', cursorSecret).update('hints').digest('hex').slice(0, 32)}`;
}
