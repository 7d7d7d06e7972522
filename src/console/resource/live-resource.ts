/**
 * A resource that stays current: its detail is read again after every event of it and of what it depends
 * on, and every `pollSeconds` for what has no events (when it was last seen or checked). Each answer is of
 * one moment, so what is shown fits together.
 */
import { type Signal, signal } from '@preact/signals';
import { client, connection } from '../app/connection.ts';
import type { ResourceKind } from '../part/state-sign.tsx';
import { timeNow } from '../part/time.tsx';
import { keepOpen } from './keep-open.ts';
import { fieldOf, type Resource } from './model.ts';

export interface LiveResource<Detail> {
  /** Undefined: not read yet. Null: there is none of that key. */
  readonly detail: Signal<Detail | null | undefined>;
  /** Why it could not be read; null: it could. */
  readonly problem: Signal<string | null>;
  /** When the detail was read. */
  readonly readAt: Signal<Date | null>;
  close(): void;
}

export interface LiveOptions<Detail> {
  readonly kind: ResourceKind;
  readonly key: string;
  /** A query with `$key` whose field `detail` is the resource. */
  readonly query: string;
  /** The keys of the other resources whose events change the detail. */
  readonly dependsOn: (detail: Detail) => Partial<Record<ResourceKind, readonly string[]>>;
}

const pollSeconds = 10;
const changesDocument = `subscription Changes($after: Cursor, $filter: ChangeFilter!) {
  changes(after: $after, filter: $filter, bookmarkSeconds: 60) {
    __typename
    ... on Transition { at }
    ... on ResourceChange { at }
  }
}`;

export function watchResource<Detail extends Resource>({
  kind,
  key,
  query,
  dependsOn,
}: LiveOptions<Detail>): LiveResource<Detail> {
  const detail = signal<Detail | null | undefined>(undefined);
  const problem = signal<string | null>(null);
  const readAt = signal<Date | null>(null);
  let isClosed = false;
  let isReading = false;
  let isAsked = false;
  /** A stream that begins anew may be one of a restored store: what was shown is no measure of what is newer. */
  let isAnew = false;
  let watched = '';
  let unsubscribe = (): void => {};

  function show(answer: Detail | null): void {
    const shown = detail.peek();
    const isOlder = !isAnew && shown && answer?.id === shown.id && answer.sequence < shown.sequence;
    if (isClosed || isOlder) return;
    isAnew = false;
    detail.value = answer;
    problem.value = null;
    readAt.value = new Date(timeNow());
    follow(answer);
  }

  /** Asked for while it reads, it reads once more. */
  async function read(): Promise<void> {
    isAsked = true;
    if (isReading) return;
    isReading = true;
    while (isAsked && !isClosed) {
      isAsked = false;
      try {
        show((await client.query<{ detail: Detail | null }>({ query, variables: { key } })).detail);
      } catch (error) {
        if (!isClosed) problem.value = (error as Error).message;
      }
    }
    isReading = false;
  }

  /** Subscribes to the events of the resource and of what it depends on, if that has changed. */
  function follow(shown: Detail | null): void {
    const others = shown ? dependsOn(shown) : {};
    const keys = (of: ResourceKind) =>
      [...(of === kind ? [key] : []), ...(others[of] ?? [])].sort();
    const filter: Record<string, readonly string[]> = {};
    for (const of of ['INSTANCE', 'HOST'] as const)
      if (keys(of).length > 0) filter[fieldOf[of]] = keys(of);
    if (watched === JSON.stringify(filter)) return;
    watched = JSON.stringify(filter);
    unsubscribe();
    unsubscribe = keepOpen<{ changes: { __typename: string } }>(
      {
        query: changesDocument,
        variables: { filter },
        snapshot: { query: '{ feedPosition }' },
        // What happened before the position has no event; it is in what is read now.
        onReset() {
          isAnew = true;
          void read();
        },
      },
      ({ data }) => {
        if (data?.changes.__typename !== 'Bookmark') void read();
      },
    );
  }

  const timer = setInterval(() => {
    if (!document.hidden && connection.peek() === 'LIVE') void read();
  }, pollSeconds * 1000);
  void read();
  return {
    detail,
    problem,
    readAt,
    close() {
      isClosed = true;
      clearInterval(timer);
      unsubscribe();
    },
  };
}
