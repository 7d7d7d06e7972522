/**
 * Notifications between nodes over one NOTIFY channel. A notification may be lost, so every consumer also
 * polls. A commit that does not publish its rows itself (`publishing.ts`) is covered by a coalesced NOTIFY of
 * the node, for all commits since the last.
 */
import { createHmac, randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { backOff } from '../../timing/back-off.ts';
import { waitAtMost } from '../../timing/time-limit.ts';
import { createTokenBucket } from '../../timing/token-bucket.ts';
import type { Database, Session } from '../database/database.ts';
import { createOwnConnection } from '../database/own-connection.ts';
import { withDatabaseTimeout } from '../database/time-limit.ts';
import { readIdentity } from './log.ts';
import { type Notification, notificationOf, notifyPayload } from './notification.ts';
import { createPublishing } from './publishing.ts';

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

/** For PGlite: there are no other nodes. */
const singleNode: Notifier = {
  commitBegun: () => null,
  commitEnded() {},
  publishRefused() {},
  publishMissed() {},
  notifyLog() {},
  notifyTopic() {},
  onNotification: () => () => {},
  stop: async () => {},
};

/** Starts to listen, and retries while the database is unavailable. */
export function startNotifier(database: Database): Notifier {
  const { openSession } = database;
  if (!openSession) return singleNode;
  const node = randomUUID();
  /** A connection of its own, so that a NOTIFY does not queue behind writes. */
  const own = createOwnConnection(database);
  const bucket = createTokenBucket(notifyRate);
  const publishing = createPublishing();
  const listeners = new Set<(notification: Notification) => void>();
  const topics = new Set<string>();
  let channel: string | null = null;
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
        await withDatabaseTimeout(LISTEN_SECONDS, session.query(NAME_CHANNEL, [channel]));
        await withDatabaseTimeout(LISTEN_SECONDS, session.query(LISTEN));
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
    if (payload === '') publishing.missed();
    else if (notification.isOwn) publishing.received();
    for (const listener of listeners) listener(notification);
  }

  function send(): void {
    if (!channel || (!grown && topics.size === 0)) return;
    const to = channel;
    sending ??= (async () => {
      while (!stopped && (grown || topics.size > 0)) {
        const payload = notifyPayload(node, { log: grown, topics });
        grown = false;
        topics.clear();
        try {
          await withDatabaseTimeout(NOTIFY_SECONDS, own.query(NOTIFY, [to, payload]));
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
    commitBegun: () => (publishing.commitBegun() && channel ? { channel, node } : null),
    commitEnded: publishing.commitEnded,
    publishMissed: publishing.missed,
    publishRefused: publishing.refused,
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
