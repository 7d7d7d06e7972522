/** A history as spans: which state lasted from when to when. */
import type { ResourceKind } from '../part/state-sign.tsx';
import type { Transition } from '../resource/model.ts';

export interface Span {
  readonly state: string;
  readonly from: number;
  /** Null: it lasts. */
  readonly to: number | null;
  /** What entered it; null: it was created so, or that is not read. */
  readonly by: Transition | null;
}

export interface Lane {
  readonly kind: ResourceKind;
  readonly key: string;
  /** When the resource was created; null: not read yet. */
  readonly createdAt: number | null;
  /** Up to when the last span is confirmed; null: it is now. */
  readonly confirmedUntil: number | null;
  readonly spans: readonly Span[];
}

/** `createdAt`: when the first state was entered; null: the first transitions are not read. */
export function spansOf(
  transitions: readonly Transition[],
  { state, createdAt }: { readonly state: string; readonly createdAt: string | null },
): readonly Span[] {
  const first = transitions[0];
  const spans: Span[] = [];
  if (createdAt !== null)
    spans.push({
      state: first?.fromState ?? state,
      from: Date.parse(createdAt),
      to: first ? Date.parse(first.at) : null,
      by: null,
    });
  for (const [index, by] of transitions.entries()) {
    const next = transitions[index + 1];
    spans.push({
      state: by.toState,
      from: Date.parse(by.at),
      to: next ? Date.parse(next.at) : null,
      by,
    });
  }
  return spans;
}
