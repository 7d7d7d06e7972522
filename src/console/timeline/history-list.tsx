/** The history of a resource as a list, the newest first: when, what, who, why and because of what. */
import { useSignal } from '@preact/signals';
import { Link } from '../app/router.tsx';
import { JsonView } from '../part/json-view.tsx';
import { type ResourceKind, StateSign } from '../part/state-sign.tsx';
import { preciseDuration, Time } from '../part/time.tsx';
import { count, words } from '../part/words.ts';
import { addressOf, kindOf, type Transition } from '../resource/model.ts';
import type { Timeline } from './timeline.ts';

const atFirst = 10;
const step = 20;

export function HistoryList({ kind, timeline }: { kind: ResourceKind; timeline: Timeline }) {
  const most = useSignal(atFirst);
  const transitions = timeline.transitions.value;
  if (!transitions) return <p class="quiet">The history is being read …</p>;
  if (transitions.length === 0) return <p class="quiet">It has not changed its state yet.</p>;
  const shown = transitions.slice(-most.value).reverse();
  const hidden = transitions.length - shown.length;
  const { hasEarlier, isLoading, problem } = timeline;
  const showMore = () => {
    most.value += hidden > 0 ? step : 100;
    if (hidden < step) void timeline.loadEarlier();
  };
  return (
    <>
      <ol class="history bare" aria-label="Transitions, newest first">
        {shown.map((transition, index) => (
          <HistoryRow
            key={transition.sequence}
            kind={kind}
            transition={transition}
            next={shown[index - 1]}
          />
        ))}
      </ol>
      <p class="history-end">
        {hidden > 0 || hasEarlier.value ? (
          <button type="button" onClick={showMore} aria-busy={isLoading.value}>
            {isLoading.value ? 'Reading …' : 'Earlier ones'}
          </button>
        ) : (
          <span class="quiet">{count(transitions.length, 'transition')}: the whole log.</span>
        )}
        {problem.value && <span role="alert"> {problem.value}</span>}
      </p>
    </>
  );
}

function HistoryRow({
  kind,
  transition,
  next,
}: {
  kind: ResourceKind;
  transition: Transition;
  next: Transition | undefined;
}) {
  const { at, fromState, toState, actor, operation, causedBy, details, sequence } = transition;
  const lasted = next ? preciseDuration(Date.parse(next.at) - Date.parse(at)) : null;
  return (
    <li class="history-row">
      <div class="history-when">
        <Time at={at} exact />
        <span class="quiet"> #{sequence}</span>
      </div>
      <div class="history-what">
        <StateSign kind={kind} state={fromState} /> → <StateSign kind={kind} state={toState} />
        <span class="quiet">{lasted ? ` for ${lasted}` : ' until now'}</span>
      </div>
      <div class="history-why">
        {operation && (
          <>
            <Link href={`/operations/${encodeURIComponent(operation.id)}`}>
              {words(operation.kind)}
            </Link>{' '}
            by <bdi>{operation.requestedBy.name}</bdi>
            {operation.reason && <q>{operation.reason}</q>}.{' '}
          </>
        )}
        <span class="quiet">{whoOf(actor)}</span>
        {causedBy && <Cause causedBy={causedBy} />}
        <Details details={details} label={`details of transition ${sequence}`} />
      </div>
    </li>
  );
}

function whoOf({ kind, name }: Transition['actor']): string {
  switch (kind) {
    case 'RUNTIME':
      return `Reported by the runtime (${name.slice(0, 12)}…)`;
    case 'DRIVER':
      return 'Seen by the driver of the host';
    case 'SYSTEM':
      return `By the server (${name})`;
    default:
      return `By ${name}`;
  }
}

function Cause({ causedBy }: { causedBy: NonNullable<Transition['causedBy']> }) {
  const { operation, transition } = causedBy;
  const resource = transition?.resource ?? operation?.resource;
  if (!resource) return null;
  return (
    <div class="history-cause">
      Caused by <Link href={addressOf(kindOf(resource), resource.key)}>{resource.key}</Link>
      {operation && `, ${words(operation.kind)}`}
      {transition && (
        <>
          : <StateSign kind={kindOf(resource)} state={transition.fromState} /> →{' '}
          <StateSign kind={kindOf(resource)} state={transition.toState} />
        </>
      )}
    </div>
  );
}

/** A failure, then a few short values as they are; anything else folded. */
function Details({ details, label }: { details: Transition['details']; label: string }) {
  const { code, message, ...others } = details;
  const entries = Object.entries(typeof message === 'string' ? others : details).filter(
    ([, value]) => value !== null,
  );
  const isShort =
    entries.length <= 4 &&
    entries.every(([, value]) => typeof value !== 'object' && `${value}`.length < 100);
  return (
    <>
      {typeof message === 'string' && (
        <p class="history-failure">
          <code>{String(code)}</code> {message}
        </p>
      )}
      {isShort ? (
        <dl class="history-details" hidden={entries.length === 0}>
          {entries.map(([name, value]) => (
            <div key={name}>
              <dt>{name}</dt>
              <dd>{String(value)}</dd>
            </div>
          ))}
        </dl>
      ) : (
        <details>
          <summary>Details</summary>
          <JsonView value={details} label={label} />
        </details>
      )}
    </>
  );
}
