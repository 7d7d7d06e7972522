/** The transitions that are shown, newest first; new ones come live, and wait while someone reads further down. */
import { signal } from '@preact/signals';
import type { Reset, StreamEvent } from '../../client/client.ts';
import { RequestError, request } from '../app/connection.ts';
import { keepOpen } from '../resource/keep-open.ts';
import {
  type Change,
  changesQuery,
  matches,
  pageQuery,
  type Snapshot,
  type Transition,
  type Wanted,
} from './transition.ts';

/** Older ones are reached by a span of time. */
export const mostShown = 2000;

export interface Log {
  readonly rows: readonly Transition[];
  /** That came while nobody looked at the top, newest first. */
  readonly waiting: readonly Transition[];
  /** More than can wait came: they are read when they are asked for. */
  readonly isFlooded: boolean;
  /** Where older ones go on; null: there are none. */
  readonly older: string | null;
}

export const log = signal<Log | null>(null);
export const failure = signal<string | null>(null);

/**
 * Follows the log until the returned function is called.
 * @param isAtTop are new ones shown at once?
 */
export function followLog(wanted: Wanted, isAtTop: () => boolean): () => void {
  log.value = null;
  fresh = [];
  failure.value = null;
  const variables = { filter: wanted };
  const { resourceKind, instance, host } = wanted;
  function onReset({ data }: Reset<Snapshot>): void {
    const { nodes, pageInfo } = data.transitions;
    const older = pageInfo.hasNextPage ? pageInfo.endCursor : null;
    log.value = { rows: nodes, waiting: [], isFlooded: false, older };
    failure.value = null;
  }
  // A span that is over gets no new ones.
  if (wanted.at?.until) {
    let isOver = false;
    request<Snapshot>(pageQuery, variables).then(
      (data) => {
        if (!isOver) onReset({ reason: 'INITIAL', oldestCursor: null, data });
      },
      (error: Error) => {
        if (!isOver) failure.value = error.message;
      },
    );
    return () => {
      isOver = true;
    };
  }
  return keepOpen<Change, Snapshot>(
    {
      query: changesQuery,
      variables: { filter: { resourceKind, instance, host } },
      snapshot: { query: pageQuery, variables },
      onReset,
    },
    ({ data }: StreamEvent<Change>) => {
      const transition = data?.changes;
      if (!transition?.id || !matches(wanted, transition as Transition)) return;
      take(transition as Transition, isAtTop);
    },
    (message) => {
      failure.value = message;
    },
  );
}

/** New ones are shown together, so often at most. */
const redrawMilliseconds = 200;
let fresh: Transition[] = [];

function take(transition: Transition, isAtTop: () => boolean): void {
  if (fresh.push(transition) > 1) return;
  setTimeout(() => {
    const taken = fresh.reverse();
    fresh = [];
    add(taken, isAtTop());
  }, redrawMilliseconds);
}

function add(taken: readonly Transition[], isAtTop: boolean): void {
  const now = log.peek();
  if (!now || now.isFlooded) return;
  // A snapshot may show what was committed while it was read.
  const known = new Set(now.rows.slice(0, 500).map(({ id }) => id));
  const waiting = [...taken.filter(({ id }) => !known.has(id)), ...now.waiting];
  if (waiting.length > mostShown) log.value = { ...now, waiting: [], isFlooded: true };
  else log.value = isAtTop ? shownWith(now, waiting) : { ...now, waiting };
}

function shownWith(now: Log, waiting: readonly Transition[]): Log {
  const all = [...waiting, ...now.rows];
  // What is left out at the end is not reached by the cursor of the last page.
  const isCut = all.length > mostShown;
  return {
    ...{ rows: all.slice(0, mostShown), waiting: [], isFlooded: false },
    older: isCut ? null : now.older,
  };
}

/** Shows those that wait. */
export function showWaiting(): void {
  const now = log.peek();
  if (now) log.value = shownWith(now, now.waiting);
}

/** Adds a page of older ones. */
export async function readOlder(wanted: Wanted): Promise<void> {
  const now = log.peek();
  if (!now?.older) return;
  try {
    const { transitions } = await request<Snapshot>(pageQuery, {
      filter: wanted,
      after: now.older,
    });
    const { nodes, pageInfo } = transitions;
    const after = log.peek();
    if (after?.older !== now.older) return;
    const known = new Set(after.rows.map(({ id }) => id));
    const rows = [...after.rows, ...nodes.filter(({ id }) => !known.has(id))];
    const goesOn = pageInfo.hasNextPage && rows.length < mostShown;
    log.value = { ...after, rows, older: goesOn ? pageInfo.endCursor : null };
    failure.value = null;
  } catch (error) {
    if (!(error instanceof RequestError)) throw error;
    failure.value = error.message;
  }
}
