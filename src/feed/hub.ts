/**
 * What the readers of a node share: the position, the recent revisions, and who waits for the next.
 *
 * Readers that wait stand in groups; today a group is an organization. Shared execution plugs in here:
 * with (document, variables less the cursor, visibility) as the key of a group, `offer` filters,
 * executes and serializes a revision once for all who wait in it.
 */
import type { LogPosition, LogRow, StoreIdentity } from '../store/log.ts';
import { type Cursors, comparePositions, createCursors, endOf } from './cursor.ts';
import { byRevision, eventsOf, type LogEvent, type Revision } from './event.ts';
import { createRing, type Ring } from './ring.ts';

/** A reader that has everything up to the hub's position and waits for more. */
export interface Waiter {
  /** Takes the events of its group in a revision; true: it has what it waited for, and waits no more. */
  offer(events: readonly LogEvent[]): boolean;
  /** Something else has happened: look at everything again. Not waiting any more. */
  recheck(): void;
}

export interface Hub {
  readonly ring: Ring;
  readonly cursors: Cursors;
  /** Everything up to here is decided and was handed on. */
  readonly position: LogPosition;
  /** Grows when the store becomes another one; cursors of before are worth nothing. */
  readonly generation: number;
  /** Resolves when the tail has begun; rejects when the hub ends before. */
  readonly begun: Promise<void>;
  wait(group: string, waiter: Waiter): () => void;
  begin(identity: StoreIdentity, position: number): void;
  advance(rows: readonly LogRow[], position: number): void;
  /** Nothing more will come. */
  end(): void;
}

/** Called with each revision that is handed on. */
export type Listener = (revision: Revision) => void;

export function createHub(limits: { bytes: number; ms: number }, listener: Listener): Hub {
  const ring = createRing(limits);
  const groups = new Map<string, Set<Waiter>>();
  let position = 0;
  let generation = 0;
  let current: { cursors: Cursors; epoch: string } | null = null;
  let begun = () => {};
  let end = () => {};
  const beginning = new Promise<void>((resolve, reject) => {
    begun = resolve;
    end = () => reject(new Error('The feed has stopped.'));
  });
  beginning.catch(() => {}); // Whoever awaits it gets it.

  function recheckAll(): void {
    const waiting = [...groups.values()].flatMap((group) => [...group]);
    groups.clear();
    for (const waiter of waiting) waiter.recheck();
  }

  function handOn({ events }: Revision): void {
    for (const [key, own] of groupByOrganization(events)) {
      const group = groups.get(key);
      if (!group) continue;
      for (const waiter of group) if (waiter.offer(own)) group.delete(waiter);
      if (group.size === 0) groups.delete(key);
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
    get generation() {
      return generation;
    },
    begun: beginning,
    wait(key, waiter) {
      const group = groups.get(key) ?? new Set();
      groups.set(key, group);
      group.add(waiter);
      return () => {
        group.delete(waiter);
        if (group.size === 0 && groups.get(key) === group) groups.delete(key);
      };
    },
    begin(identity, at) {
      if (current?.epoch !== identity.epoch) {
        current = { cursors: createCursors(identity), epoch: identity.epoch };
        generation += 1;
      }
      // Before the position moves: who waits stands at the old one, and what lies between is not here.
      recheckAll();
      position = at;
      ring.reset(at);
      begun();
    },
    advance(rows, to) {
      const revisions = current ? byRevision(eventsOf(rows, current.cursors)) : [];
      ring.push(revisions);
      for (const revision of revisions) {
        position = revision.revision;
        handOn(revision);
        listener(revision);
      }
      position = to;
    },
    end,
  };
}

function groupByOrganization(events: readonly LogEvent[]): Map<string, LogEvent[]> {
  const groups = new Map<string, LogEvent[]>();
  for (const event of events) {
    const group = groups.get(event.organizationId);
    if (group) group.push(event);
    else groups.set(event.organizationId, [event]);
  }
  return groups;
}

/** The later of two positions. */
export function later(a: LogPosition, b: LogPosition): LogPosition {
  return comparePositions(a, b) < 0 ? b : a;
}
