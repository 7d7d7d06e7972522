/** The transitions of one resource: the newest pages, further ones back on demand, and each new one as it comes. */
import { type Signal, signal } from '@preact/signals';
import { client } from '../app/connection.ts';
import type { ResourceKind } from '../part/state-sign.tsx';
import { keepOpen } from '../resource/keep-open.ts';
import { fieldOf, type Transition, transitionFields } from '../resource/model.ts';

export interface Timeline {
  /** Oldest first, without a gap. Null: not read yet. */
  readonly transitions: Signal<readonly Transition[] | null>;
  /** Are there older ones? */
  readonly hasEarlier: Signal<boolean>;
  readonly isLoading: Signal<boolean>;
  readonly problem: Signal<string | null>;
  /** When the resource was created. */
  readonly createdAt: Signal<string | null>;
  loadEarlier(): Promise<void>;
  close(): void;
}

interface Page {
  readonly nodes: readonly Transition[];
  readonly pageInfo: { readonly hasPreviousPage: boolean; readonly startCursor: string | null };
}
interface Snapshot {
  readonly resource: { createdAt: string; history: Page } | null;
}
type Event = Readonly<Record<'event', Transition>>;

const pageSize = 100;
const page = `nodes { ${transitionFields} } pageInfo { hasPreviousPage startCursor }`;

/** The resource has to exist. */
export function watchTimeline(kind: ResourceKind, key: string): Timeline {
  const field = fieldOf[kind];
  const transitions = signal<readonly Transition[] | null>(null);
  const hasEarlier = signal(false);
  const isLoading = signal(false);
  const problem = signal<string | null>(null);
  const createdAt = signal<string | null>(null);
  let start: string | null = null;

  const close = keepOpen<Event, Snapshot>(
    {
      query: `subscription Timeline($after: Cursor, $key: ID!) {
        event: ${field}Transitions(${field}: $key, after: $after) {
          ${transitionFields} ${field} { id }
        }
      }`,
      variables: { key },
      snapshot: {
        query: `query Timeline($key: ID!) {
          feedPosition
          resource: ${field}(${field}: $key) {
            id sequence createdAt history(last: ${pageSize}) { ${page} }
          }
        }`,
        variables: { key },
      },
      onReset({ data: { resource } }) {
        transitions.value = resource?.history.nodes ?? [];
        createdAt.value = resource?.createdAt ?? null;
        turnTo(resource?.history.pageInfo);
      },
    },
    ({ data }) => {
      const shown = transitions.peek() ?? [];
      if (!data || data.event.sequence <= (shown.at(-1)?.sequence ?? 0)) return;
      transitions.value = [...shown, data.event];
    },
  );

  function turnTo(info: Page['pageInfo'] | undefined): void {
    hasEarlier.value = info?.hasPreviousPage ?? false;
    start = info?.startCursor ?? null;
  }

  async function loadEarlier(): Promise<void> {
    if (isLoading.peek() || !hasEarlier.peek()) return;
    isLoading.value = true;
    problem.value = null;
    const from = start;
    try {
      const { resource } = await client.query<Snapshot>({
        query: `query Earlier($key: ID!, $before: String) {
          resource: ${field}(${field}: $key) {
            createdAt history(last: ${pageSize}, before: $before) { ${page} }
          }
        }`,
        variables: { key, before: from },
      });
      if (from === start) {
        transitions.value = [...(resource?.history.nodes ?? []), ...(transitions.peek() ?? [])];
        turnTo(resource?.history.pageInfo);
      }
    } catch (error) {
      problem.value = (error as Error).message;
    } finally {
      isLoading.value = false;
    }
  }

  return { transitions, hasEarlier, isLoading, problem, createdAt, loadEarlier, close };
}
