/** The feed of a node: one tail reads the log, any number of channels follow it. */
import type { Store } from '../store/commit/store.ts';
import { createOwnConnection } from '../store/database/own-connection.ts';
import type { LogPosition } from '../store/log/log.ts';
import { type Notifier, startNotifier } from '../store/log/notifier.ts';
import type { Channel } from './channel/channel.ts';
import { bookmarkAt, type FeedEvent, type LogEvent, type Selection } from './channel/event.ts';
import { createSignals, type NamedSignal, type Signals } from './channel/signal.ts';
import { createHub } from './replay/hub.ts';
import { openReplay, type Source } from './replay/replay.ts';
import { createTableReads } from './replay/table-reads.ts';
import { createTail } from './tail/tail.ts';

export interface FeedOptions {
  /** If given, the feed uses it and does not stop it. */
  readonly notifier?: Notifier;
  readonly ringBytes?: number;
  readonly ringSeconds?: number;
  readonly catchUpsAtATime?: number;
  /** Called when the store went back in time or is another one: earlier cursors are refused. */
  readonly onEpochChange?: () => void;
  /** Called with errors of reads, which are retried, and of listeners. */
  readonly onError?: (error: unknown) => void;
}

export interface ChannelOptions {
  readonly organizationId: string;
  /** Events of this resource alone. Cheaper than the same condition in `matches`. */
  readonly resourceId?: string | null;
  readonly matches?: (event: LogEvent) => boolean;
}

export interface Feed {
  /** Resolves when the tail has a position: the database answers and earlier writers have ended. */
  start(): Promise<void>;
  /** Ends all channels and signals. */
  stop(): Promise<void>;
  /** The cursor after all decided revisions, including every commit before the call. */
  position(organizationId: string): Promise<string>;
  /** The cursor of a row of the log. */
  cursorOf(organizationId: string, position: LogPosition): string;
  /** A channel of matching events, in the order of the log. */
  channel(options: ChannelOptions): Channel<FeedEvent>;
  /** Calls back with every event of every organization, until the returned function is called. */
  onEvent(call: (event: LogEvent) => void): () => void;
  /** Signals on every node that there is something new under a topic, which is not in the log. */
  signal(topic: string): void;
  /** Yields at once, after signals of the topic (several may be merged), and every second. */
  signals(topic: string): AsyncIterableIterator<void>;
  /** As `signals`, but not every second: for what the sender repeats. */
  topicSignals(topic: string): AsyncIterableIterator<void>;
  /** Yields at once, and after events that name the resource or operation (several may be merged). */
  eventSignals(id: string): NamedSignal;
}

const safetyPollMs = 1000;

/** Makes the feed of a node over its store. */
export function createFeed(store: Store, options: FeedOptions = {}): Feed {
  const { database } = store;
  const signals = createSignals();
  const eventSignals = createSignals();
  const notifyHere = notifierOf(signals, eventSignals);
  const listeners = new Set<(event: LogEvent) => void>();
  const onError = options.onError ?? (() => {});
  const guarded = guardedBy(onError);
  const hub = createHub(
    { bytes: options.ringBytes ?? 64 * 2 ** 20, ms: (options.ringSeconds ?? 600) * 1000 },
    ({ events }) => {
      for (const event of events) {
        for (const call of listeners) guarded(() => call(event));
        for (const id of [
          event.resourceId,
          event.operationId,
          event.causedByOperationId,
          event.causedByResourceId,
        ])
          if (id) eventSignals.notify(id);
      }
    },
  );
  const reader = createOwnConnection(database);
  const tail = createTail(reader, {
    onBegin(identity, position, recent) {
      if (hub.epoch !== null && hub.epoch !== identity.epoch)
        guarded(() => options.onEpochChange?.());
      hub.begin(identity, position, recent);
      eventSignals.notifyAll();
    },
    onAdvance: hub.advance,
    onPushMissed: () => notifier?.publishMissed(),
    onError,
  });
  const source = {
    hub,
    tableReads: createTableReads(database, options.catchUpsAtATime ?? 8),
    refresh: () => tail.readThrough(),
  };
  let notifier: Notifier | null = null;
  let release: (() => void)[] = [];

  return {
    async start() {
      notifier = options.notifier ?? startNotifier(database);
      const own = notifier;
      const poll = setInterval(signals.notifyAll, safetyPollMs);
      release = [
        () => clearInterval(poll),
        store.publishThrough(own),
        store.onCommit(({ revision, published }) => {
          if (revision === null) return;
          if (published) return tail.expect(revision);
          tail.wake();
          own.notifyLog();
        }),
        own.onNotification(({ isOwn, log, pushed, topics }) => {
          if (pushed) tail.push(pushed);
          else if (log && !isOwn) tail.wake();
          if (isOwn) return;
          if (topics) topics.forEach(notifyHere);
          else signals.notifyAll();
        }),
      ];
      tail.start();
      await hub.begun;
    },
    async stop() {
      for (const undo of release) undo();
      signals.end();
      eventSignals.end();
      hub.end();
      await tail.stop();
      reader.close();
      if (!options.notifier) await notifier?.stop();
    },
    async position(organizationId) {
      await tail.readThrough();
      return hub.cursors.encode(organizationId, hub.position);
    },
    cursorOf: (organizationId, position) => hub.cursors.encode(organizationId, position),
    channel: (wanted) => feedChannel(source, wanted),
    onEvent(call) {
      listeners.add(call);
      return () => listeners.delete(call);
    },
    signal(topic) {
      notifyHere(topic);
      notifier?.notifyTopic(topic);
    },
    signals: (topic) => signals.open(topic),
    topicSignals: (topic) => eventSignals.open(topic),
    eventSignals: (id) => eventSignals.open(id),
  };
}

/** An error of one listener must not affect the others. */
const guardedBy =
  (onError: (error: unknown) => void) =>
  (call: () => void): void => {
    try {
      call();
    } catch (error) {
      onError(error);
    }
  };

const notifierOf =
  (...signals: readonly Signals[]) =>
  (topic: string): void => {
    for (const each of signals) each.notify(topic);
  };

function feedChannel(
  source: Source,
  { organizationId, resourceId, matches }: ChannelOptions,
): Channel<FeedEvent> {
  const { hub } = source;
  const selection: Selection = {
    organizationId,
    resourceId: resourceId ?? null,
    matches: matches ?? null,
  };
  return {
    get position() {
      return hub.position;
    },
    follow: (follower) => hub.follow(selection, follower),
    replay: (from) => openReplay(source, selection, from),
    bookmark(leftOut) {
      const { position } = hub;
      const cursor = hub.cursors.encode(organizationId, position);
      return bookmarkAt(position, cursor, leftOut);
    },
  };
}
