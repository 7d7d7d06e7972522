/** A span of a lane in words: the state, from when to when, how long, and who. */
import { StateSign } from '../part/state-sign.tsx';
import { now, preciseDuration, Time } from '../part/time.tsx';
import { words } from '../part/words.ts';
import type { Lane, Span } from './lanes.ts';

export function SpanText({ lane, span }: { lane: Lane; span: Span }) {
  const { state, from, to, by } = span;
  return (
    <>
      {lane.key} <StateSign kind={lane.kind} state={state} /> <Time at={new Date(from)} exact /> to{' '}
      {to === null ? 'now' : <Time at={new Date(to)} exact />},{' '}
      {preciseDuration((to ?? now.value) - from)}
      {to === null && lane.confirmedUntil !== null && (
        <strong>
          , not confirmed since <Time at={new Date(lane.confirmedUntil)} exact />
        </strong>
      )}
      {by && (
        <span class="quiet">
          {' '}
          · {by.operation ? words(by.operation.kind) : by.actor.name}
          {by.operation && ` by ${by.operation.requestedBy.name}`}
        </span>
      )}
    </>
  );
}
