/** The log as async iterables: one tail a node, any number of readers, cursors that hold anywhere. */

import type { Store } from '../store/commit/store.ts';
import { createReader } from '../store/database/own-connection.ts';
import type { LogPosition } from '../store/log/log.ts';
import { type Notifier, startNotifier } from '../store/log/notifier.ts';
import type { Channel } from './channel/channel.ts';
import { bookmarkAt, type FeedEvent, type LogEvent, type Selection } from './channel/event.ts';
import { createPulses } from './channel/signal.ts';
import { createCatchUp } from './replay/catch-up.ts';
import { createHub } from './replay/hub.ts';
import { openReplay, type Source } from './replay/replay.ts';
import {
  type FeedSubscription,
  openSubscription,
  type Readers,
  type SubscribeOptions,
  selectionOf,
} from './replay/subscription.ts';
import { createTail } from './tail/tail.ts';

export interface FeedOptions {
  /** Given one, the feed uses it and leaves it running. */
  readonly notifier?: Notifier;
  readonly ringBytes?: number;
  readonly ringSeconds?: number;
  readonly catchUpsAtATime?: number;
  /** The store has gone back in time, or is another one: cursors of before are refused. */
  readonly onAnother?: () => void;
  /** Hears of reads that failed, which are tried again, and of what listeners threw. */
  readonly onError?: (error: unknown) => void;
}

export type ChannelOptions = Pick<SubscribeOptions, 'organizationId' | 'resourceId' | 'matches'>;

export interface Feed {
  /** Resolves when the tail reads: when the database answers, and who was writing has ended. */
  start(): Promise<void>;
  /** Ends every iterable. */
  stop(): Promise<void>;
  /** A cursor behind all that is decided, what has committed before the call included. */
  position(organizationId: string): Promise<string>;
  /** The cursor of a row of the log. */
  cursorOf(organizationId: string, position: LogPosition): string;
  /** Events in the order of the log; begins to establish its position at the call. */
  subscribe(options: SubscribeOptions): FeedSubscription;
  /** The same for many: what is new is filtered once for all who follow. */
  channel(options: ChannelOptions): Channel<FeedEvent>;
  /** Calls with every event of every organization, as it is handed on; returns the end of it. */
  onEvent(call: (event: LogEvent) => void): () => void;
  /** Says on every node that something under a topic is new that the log does not show. */
  signal(topic: string): void;
  /** Yields at once, after each signal (several may be one), and every second besides. */
  signals(topic: string): AsyncIterableIterator<void>;
  /** Yields at once and whenever events name the resource or operation (several may be one). */
  touches(id: string): AsyncIterableIterator<void>;
}

const NET_MS = 1000;

/** Makes the feed of a node over its store. */
export function createFeed(store: Store, options: FeedOptions = {}): Feed {
  const { database } = store;
  const signals = createPulses();
  const touches = createPulses();
  const listeners = new Set<(event: LogEvent) => void>();
  const onError = options.onError ?? (() => {});
  /** The fault of one who is told is nobody else's: what it throws must not end the fan-out. */
  const guarded = (call: () => void): void => {
    try {
      call();
    } catch (error) {
      onError(error);
    }
  };
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
          if (id) touches.fire(id);
      }
    },
  );
  const reader = createReader(database);
  const tail = createTail(reader, {
    onBegin(identity, position, recent) {
      if (hub.epoch !== null && hub.epoch !== identity.epoch) guarded(() => options.onAnother?.());
      hub.begin(identity, position, recent);
      touches.fireAll();
    },
    onAdvance: hub.advance,
    onUnmet: () => notifier?.unheard(),
    onError,
  });
  const source = {
    hub,
    catchUp: createCatchUp(database, options.catchUpsAtATime ?? 8),
    refresh: tail.fresh,
    readers: new Set<FeedSubscription>() as Readers,
  };
  let notifier: Notifier | null = null;
  let release: (() => void)[] = [];

  return {
    async start() {
      notifier = options.notifier ?? startNotifier(database);
      const own = notifier;
      const net = setInterval(signals.fireAll, NET_MS);
      release = [
        () => clearInterval(net),
        store.onCommit(({ revision, told }) => {
          if (revision === null) return;
          if (told) return tail.expect(revision);
          tail.wake();
          own.commit();
        }),
        own.onHint(({ isOwn, log, shown, topics }) => {
          if (shown) tail.offer(shown);
          else if (log && !isOwn) tail.wake();
          if (isOwn) return;
          if (topics) topics.forEach(signals.fire);
          else signals.fireAll();
        }),
      ];
      store.notifier = own;
      tail.start();
      await hub.begun;
    },
    async stop() {
      for (const undo of release) undo();
      if (store.notifier === notifier) store.notifier = null;
      signals.end();
      touches.end();
      const readers = [...(source.readers ?? [])];
      source.readers = null;
      for (const reader of readers) await reader.return();
      hub.end();
      await tail.stop();
      reader.close();
      if (!options.notifier) await notifier?.stop();
    },
    async position(organizationId) {
      await tail.fresh();
      return hub.cursors.encode(organizationId, hub.position);
    },
    cursorOf: (organizationId, position) => hub.cursors.encode(organizationId, position),
    subscribe: (wanted) => openSubscription(source, wanted),
    channel: (wanted) => feedChannel(source, selectionOf(wanted)),
    onEvent(call) {
      listeners.add(call);
      return () => listeners.delete(call);
    },
    signal(topic) {
      signals.fire(topic);
      notifier?.signal(topic);
    },
    signals: (topic) => signals.open(topic),
    touches: (id) => touches.open(id),
  };
}

function feedChannel(source: Source, selection: Selection): Channel<FeedEvent> {
  const { hub } = source;
  return {
    get position() {
      return hub.position;
    },
    follow: (follower) => hub.follow(selection, follower),
    replay: (from) => openReplay(source, selection, from),
    bookmark(leftOut) {
      const { position } = hub;
      const cursor = hub.cursors.encode(selection.organizationId, position);
      return bookmarkAt(position, cursor, leftOut);
    },
  };
}
