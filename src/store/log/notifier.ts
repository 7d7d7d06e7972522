/**
 * Hints between nodes over one NOTIFY channel. They may be lost, so nobody relies on one: who is hinted
 * at polls besides. A NOTIFY inside a transaction is the quickest, but takes a global lock from before the
 * commit to behind it, so that none shares its write to the disk with another. So a commit tells of
 * itself while there are few; in a crowd a node sends one NOTIFY for all that has come up since the last.
 */
import { createHmac, randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Database, Session } from '../database/database.ts';
import { createReader } from '../database/own-connection.ts';
import { within } from '../database/time-limit.ts';
import { readIdentity } from './log.ts';
import { type Hint, hintOf, payloadOf } from './notification.ts';
import { createPace } from './token-bucket.ts';

/** How a transaction tells of itself. */
export interface Telling {
  readonly channel: string;
  readonly node: string;
}

export interface Notifier {
  /** A transaction of the log begins: how it shall tell of itself, or null. `ended` when it is over. */
  begun(): Telling | null;
  ended(): void;
  /** It could not be written while it told: for some time none shall. */
  refused(): void;
  /** What a commit told was not heard here: none shall tell until this node hears itself again. */
  unheard(): void;
  /** Tells the other nodes that the log has grown. */
  commit(): void;
  /** Tells the other nodes that there is something new under a topic (no spaces in it). */
  signal(topic: string): void;
  /** Calls back on the hints of all nodes, and with everything whenever one may have been missed. */
  onHint(listener: (hint: Hint) => void): () => void;
  stop(): Promise<void>;
}

const NOTIFY = 'select pg_notify($1, $2)';
/** In a parameter: the texts of statements are seen by roles that may read no table. */
const NAME_CHANNEL = "select set_config('instance_manager.channel', $1, false)";
const LISTEN =
  "do $$ begin execute format('listen %I', current_setting('instance_manager.channel')); end $$";
const LISTEN_SECONDS = 10;
const RETRY_MS = { first: 50, most: 2000 };
/** Under load each tells of what came up in 4 ms; what comes now and then is told at once. */
const PACE = { perSecond: 250, atOnce: 10 };
const NOTIFY_SECONDS = 5;
/** Other transactions of this node that are under way when one begins, on average since none was. */
const CROWD = 8;
/** Of how many transactions that is the average. */
const AVERAGED = 32;
const REFUSED_SECONDS = 60;

/** Starts to listen; while the database is away it tries on. On PGlite there are no other nodes. */
export function startNotifier(database: Database): Notifier {
  const { openSession } = database;
  if (!openSession) {
    return {
      begun: () => null,
      ended() {},
      refused() {},
      unheard() {},
      commit() {},
      signal() {},
      onHint: () => () => {},
      stop: async () => {},
    };
  }
  const node = randomUUID();
  /** Behind no write. */
  const own = createReader(database);
  const pace = createPace(PACE);
  const listeners = new Set<(hint: Hint) => void>();
  const topics = new Set<string>();
  let channel: string | null = null;
  /** What this node said has come back to it since it last began to listen. */
  let hears = false;
  let underWay = 0;
  let crowd = 0;
  let refusedUntil = 0;
  let grown = false;
  let sending: Promise<void> | null = null;
  let stopped = false;
  const stopping = new AbortController();
  let ears: Session | null = null;
  const listening = listen(openSession);

  async function listen(open: NonNullable<Database['openSession']>): Promise<void> {
    for (let failures = 0; !stopped; ) {
      try {
        channel = await channelOf(database);
        if (stopped) return;
        ears = open(receive);
        await within(LISTEN_SECONDS, ears.query(NAME_CHANNEL, [channel]));
        await within(LISTEN_SECONDS, ears.query(LISTEN));
        failures = 0;
        receive('');
        send();
        await ears.ended;
      } catch {
        ears?.close();
        const waitMs = Math.min(RETRY_MS.most, RETRY_MS.first * 2 ** failures);
        failures += 1;
        await sleep(waitMs, null, { signal: stopping.signal }).catch(() => {});
      }
    }
  }

  function receive(payload: string): void {
    if (stopped) return;
    const hint = hintOf(payload, node);
    if (payload === '') hears = false;
    else if (hint.isOwn) hears = true;
    for (const listener of listeners) listener(hint);
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
          // Whoever waits for it polls.
          own.renew();
        }
        const waitMs = pace.take();
        if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs));
      }
      sending = null;
    })();
  }

  return {
    begun() {
      crowd = underWay === 0 ? 0 : crowd + (underWay - crowd) / AVERAGED;
      underWay += 1;
      const tells = hears && crowd < CROWD && performance.now() >= refusedUntil;
      return tells && channel ? { channel, node } : null;
    },
    ended() {
      underWay -= 1;
    },
    unheard() {
      hears = false;
    },
    refused() {
      refusedUntil = performance.now() + REFUSED_SECONDS * 1000;
    },
    commit() {
      grown = true;
      send();
    },
    signal(topic) {
      topics.add(topic);
      send();
    },
    onHint(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    async stop() {
      stopped = true;
      stopping.abort();
      ears?.close();
      const end = async () => {
        await sending;
        await listening;
      };
      await within(2, end()).catch(() => {});
      own.close();
    },
  };
}

/**
 * A name that only those know who may read the store: any role of a database may listen on any channel,
 * and say anything on it.
 */
async function channelOf(database: Database): Promise<string> {
  const { cursorSecret } = await readIdentity(database);
  return `instance_manager_${createHmac('sha256', cursorSecret).update('hints').digest('hex').slice(0, 32)}`;
}
