/**
 * Hints between nodes over one NOTIFY channel. Never the truth: who is hinted at reads its table, and
 * polls besides. Nothing is sent inside a transaction (that would put every commit behind a global
 * lock); a node sends one NOTIFY for all that has come up since the last one.
 */
import { randomUUID } from 'node:crypto';
import type { Database, Subscription } from './database.ts';
import { createReader } from './own-connection.ts';
import { createPace } from './pace.ts';

export interface Hint {
  /** The log has grown. */
  readonly log: boolean;
  /** What else is new; null: too much to say, so anything may be. */
  readonly topics: readonly string[] | null;
}

export interface Notifier {
  /** Tells the other nodes that the log has grown. */
  commit(): void;
  /** Tells the other nodes that there is something new under a topic (no spaces in it). */
  signal(topic: string): void;
  /** Calls back on the hints of other nodes, and with everything whenever one may have been missed. */
  onHint(listener: (hint: Hint) => void): () => void;
  stop(): Promise<void>;
}

const CHANNEL = 'instance_manager_log';
const NOTIFY = 'select pg_notify($1, $2)';
/** PostgreSQL takes less than 8,000 bytes. */
const PAYLOAD_BYTES = 4000;
/** Under load each tells of what came up in 2 ms; what comes now and then is told at once. */
const PACE = { perSecond: 250, atOnce: 10 };
const NOTIFY_SECONDS = 5;
const EVERYTHING: Hint = { log: true, topics: null };

/** Starts to listen; while the database is away it tries on. On PGlite there are no other nodes. */
export function startNotifier(database: Database): Notifier {
  if (database.kind === 'PGLITE') {
    return { commit() {}, signal() {}, onHint: () => () => {}, stop: async () => {} };
  }
  const node = randomUUID();
  /** Behind no write. */
  const own = createReader(database);
  const pace = createPace(PACE);
  const listeners = new Set<(hint: Hint) => void>();
  const topics = new Set<string>();
  let grown = false;
  let sending: Promise<void> | null = null;
  let stopped = false;
  let retry: NodeJS.Timeout | undefined;
  let subscription: Subscription | null = null;
  let listening = listen(0);

  async function listen(attempt: number): Promise<void> {
    try {
      subscription = await database.listen(CHANNEL, receive);
    } catch {
      if (stopped) return;
      retry = setTimeout(
        () => {
          listening = listen(attempt + 1);
        },
        Math.min(2000, 50 * 2 ** attempt),
      );
    }
  }

  function receive(payload: string): void {
    if (stopped || payload.startsWith(node)) return;
    const hint = parsePayload(payload);
    for (const listener of listeners) listener(hint);
  }

  function send(): void {
    sending ??= (async () => {
      while (!stopped && (grown || topics.size > 0)) {
        const payload = payloadOf(node, grown, topics);
        grown = false;
        topics.clear();
        try {
          await within(NOTIFY_SECONDS, own.query(NOTIFY, [CHANNEL, payload]));
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
      clearTimeout(retry);
      const end = async () => {
        await sending;
        await listening;
        await subscription?.close();
        own.close();
      };
      await within(2, end()).catch(() => {});
    },
  };
}

/** `<node> <log: + or -> <topic> <topic> …`, or `*` where the topics do not fit. */
function payloadOf(node: string, grown: boolean, topics: ReadonlySet<string>): string {
  const named = [...topics].join(' ');
  const said = Buffer.byteLength(named) <= PAYLOAD_BYTES ? named : '*';
  return `${node} ${grown ? '+' : '-'} ${said}`;
}

function parsePayload(payload: string): Hint {
  const [, log, ...topics] = payload.split(' ');
  if (log === undefined || topics.includes('*')) return EVERYTHING;
  return { log: log === '+', topics: topics.filter((topic) => topic !== '') };
}

/**
 * The promise, or an error when it takes longer: a statement on a connection that was cut without a
 * word is not answered for minutes.
 */
export async function within<T>(seconds: number, promise: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    const error = Object.assign(new Error(`The database has not answered for ${seconds} s.`), {
      code: 'CONNECTION_SILENT',
    });
    timer = setTimeout(() => reject(error), seconds * 1000);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
