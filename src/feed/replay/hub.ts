/**
 * What all readers of a node share: the position, the recent revisions, and the followers. A follower is a
 * group of subscribers; new events are filtered once for the group.
 */
import type { LogPosition, LogRow, StoreIdentity } from '../../store/log/log.ts';
import type { Follower } from '../channel/channel.ts';
import { CursorError, type Cursors, createCursors, endOf } from '../channel/cursor.ts';
import {
  byRevision,
  eventsOf,
  type LogEvent,
  type Revision,
  type Selection,
  select,
} from '../channel/event.ts';
import { createRing, type Ring } from './ring.ts';

export interface Hub {
  readonly ring: Ring;
  readonly cursors: Cursors;
  /** Everything up to here is decided and was passed to the followers. */
  readonly position: LogPosition;
  /** The epoch of the position; null: the hub has not begun. */
  readonly epoch: string | null;
  /** Counts the changes of `epoch` in this process; a replay opened before a change is invalid. */
  readonly generation: number;
  /** Resolves when the tail has begun; rejects if the hub ends before. */
  readonly begun: Promise<void>;
  /** Passes matching events to the follower, from now on, until the returned function is called. */
  follow(selection: Selection, follower: Follower<LogEvent>): () => void;
  /** The tail begins, or begins again, at a position. `recent` are the newest rows up to it, all decided. */
  begin(identity: StoreIdentity, position: number, recent: readonly LogRow[]): void;
  advance(rows: readonly LogRow[], position: number): void;
  /** Nothing more will come. */
  end(): void;
}

/** Called with each new revision. */
export type Listener = (revision: Revision) => void;

/** Creates a hub; it serves readers once the tail has begun. */
export function createHub(limits: { bytes: number; ms: number }, listener: Listener): Hub {
  const ring = createRing(limits);
  /** By organization; followers of one resource by organization and resource. */
  const followers = new Map<string, Set<Following>>();
  let position = 0;
  let generation = 0;
  let current: { cursors: Cursors; epoch: string } | null = null;
  let begun = () => {};
  let end = () => {};
  const beginning = new Promise<void>((resolve, reject) => {
    begun = resolve;
    end = () => reject(new Error('The feed has stopped.'));
  });
  beginning.catch(() => {}); // The error is handled by whoever awaits it.

  /** Followers at the present position replay from it; with a new epoch it is invalid, and they end. */
  function skipAll(hasNewEpoch: boolean): void {
    for (const { follower } of [...followers.values()].flatMap((each) => [...each]))
      if (hasNewEpoch) follower.end(new CursorError('CURSOR_INVALID'));
      else follower.onSkip();
  }

  /** Passes each follower all its events in one call. */
  function publish(events: readonly LogEvent[]): void {
    if (followers.size === 0) return;
    for (const keyOf of [(event: LogEvent) => event.organizationId, resourceKey])
      for (const [key, own] of groupBy(events, keyOf))
        for (const following of followers.get(key) ?? []) publishTo(following, own);
  }

  function publishTo({ selection, follower }: Following, events: readonly LogEvent[]): void {
    try {
      const selected = select(events, selection, nowhere);
      if (selected.length > 0) follower.onItems(selected);
    } catch (error) {
      follower.end(error); // An error of `matches` must not affect other followers.
    }
  }

  return {
    ring,
    get cursors() {
      if (!current) throw new Error('The feed has not begun: await feed.start() first.');
      return current.cursors;
    },
    get position() {
      return endOf(position);
    },
    get epoch() {
      return current?.epoch ?? null;
    },
    get generation() {
      return generation;
    },
    begun: beginning,
    follow(selection, follower) {
      const { organizationId, resourceId } = selection;
      const key =
        resourceId === null ? organizationId : resourceKey({ organizationId, resourceId });
      return addTo(followers, key, { selection, follower });
    },
    begin(identity, at, recent) {
      const hasNewEpoch = current?.epoch !== identity.epoch;
      if (hasNewEpoch) {
        current = { cursors: createCursors(identity), epoch: identity.epoch };
        generation += 1;
      }
      // Before the position changes: followers replay from the old one, because the ring lacks what is between.
      skipAll(hasNewEpoch);
      position = at;
      ring.reset((recent[0]?.revision ?? at + 1) - 1);
      if (current) ring.push(byRevision(eventsOf(recent, current.cursors, true)));
      begun();
    },
    advance(rows, to) {
      const revisions = current ? byRevision(eventsOf(rows, current.cursors, true)) : [];
      ring.push(revisions);
      for (const revision of revisions) {
        position = revision.revision;
        listener(revision);
      }
      position = to;
      publish(revisions.flatMap(({ events }) => events));
    },
    end() {
      end();
      for (const each of [...followers.values()]) for (const { follower } of each) follower.end();
    },
  };
}

interface Following {
  readonly selection: Selection;
  readonly follower: Follower<LogEvent>;
}

const nowhere = endOf(-1);

const resourceKey = (of: { organizationId: string; resourceId: string }) =>
  `${of.organizationId}/${of.resourceId}`;

function groupBy(
  events: readonly LogEvent[],
  keyOf: (event: LogEvent) => string,
): Map<string, LogEvent[]> {
  const groups = new Map<string, LogEvent[]>();
  for (const event of events) {
    const group = groups.get(keyOf(event));
    if (group) group.push(event);
    else groups.set(keyOf(event), [event]);
  }
  return groups;
}

/** Adds to the set of a key; the returned function removes it. */
function addTo<Value>(sets: Map<string, Set<Value>>, key: string, value: Value): () => void {
  const set = sets.get(key) ?? new Set();
  sets.set(key, set);
  set.add(value);
  return () => {
    set.delete(value);
    if (set.size === 0 && sets.get(key) === set) sets.delete(key);
  };
}
