/** The history of the fleet: every transition, newest first, live at the top. */
import { useSignal } from '@preact/signals';
import type { VNode } from 'preact';
import { useEffect } from 'preact/hooks';
import { hostAppearance, instanceAppearance } from '../../lifecycle/appearance.ts';
import { address, setQuery } from '../app/router.tsx';
import {
  ClearFilters,
  PickKeys,
  PickMany,
  PickOne,
  PickSpan,
  spanValues,
} from '../operations/filters.tsx';
import { FiltersOnPaper } from '../part/on-paper.tsx';
import { unknownIn } from '../part/unknown.ts';
import { UnknownNotice } from '../part/unknown-notice.tsx';
import { count } from '../part/words.ts';
import './history.css';
import { failure, followLog, type Log, log, mostShown, readOlder, showWaiting } from './log.ts';
import { Row } from './row.tsx';
import { type Transition, wantedNow } from './transition.ts';

const states = [
  ...new Map(
    [...Object.entries(instanceAppearance), ...Object.entries(hostAppearance)].map(
      ([value, { word }]) => [value, word],
    ),
  ),
].map(([value, text]) => ({ value, text }));

const stateNames = states.map(({ value }) => value);
const knownValues = {
  kind: ['INSTANCE', 'HOST'],
  from: stateNames,
  to: stateNames,
  ...spanValues,
};

/** New ones are shown at once where the top is in sight, and nothing below it is being read. */
function isAtTop(): boolean {
  return scrollY < 60 && !document.activeElement?.closest('.history tbody');
}

export function HistoryView() {
  const query = address.value.query.toString();
  const attempt = useSignal(0);
  const unknown = unknownIn(address.value.query, knownValues);
  useEffect(() => {
    if (unknown.length === 0) return followLog(wantedNow(), isAtTop);
    log.value = null;
    failure.value = null;
  }, [query, attempt.value]);
  const readAnew = () => {
    attempt.value += 1;
  };
  const shown = log.value;
  return (
    <>
      <h1>History</h1>
      <search class="log-filters">
        <PickOne
          name="kind"
          label="Of"
          options={[
            { value: '', text: 'all' },
            { value: 'INSTANCE', text: 'instances' },
            { value: 'HOST', text: 'hosts' },
          ]}
        />
        <PickMany name="from" label="From" options={states} />
        <PickMany name="to" label="To" options={states} />
        <PickKeys name="instance" label="Instances" />
        <PickKeys name="host" label="Hosts" />
        <PickSpan label="When" />
        <ClearFilters />
      </search>
      <FiltersOnPaper />
      <UnknownNotice unknown={unknown} />
      {failure.value && <p role="alert">{failure.value}</p>}
      {shown && <Shown shown={shown} readAnew={readAnew} />}
    </>
  );
}

function Shown({ shown, readAnew }: { shown: Log; readAnew: () => void }) {
  const { rows, older } = shown;
  const last = rows.at(-1);
  return (
    <>
      <div class="history-head">
        <p class="quiet">
          {rows.length === 0
            ? 'No transition matches.'
            : `${count(rows.length, 'transition')} shown.`}
        </p>
        {rows.length > 0 && (
          <button type="button" onClick={() => exportRows(rows)}>
            Export as JSON Lines
          </button>
        )}
      </div>
      <Waiting shown={shown} readAnew={readAnew} />
      {rows.length > 0 && (
        <table class="log-table history">
          <thead>
            <tr>
              <th scope="col">When</th>
              <th scope="col">What</th>
              <th scope="col">From</th>
              <th scope="col">To</th>
              <th scope="col">Who</th>
              <th scope="col">Why</th>
            </tr>
          </thead>
          <tbody>{rows.map(rowOf)}</tbody>
        </table>
      )}
      {older && <Older />}
      {!older && last && rows.length === mostShown && (
        <button type="button" onClick={() => setQuery({ span: 'exact', until: last.at })}>
          Show those before these
        </button>
      )}
    </>
  );
}

/** A transition never changes, so its row is drawn once. */
const drawn = new WeakMap<Transition, VNode>();

function rowOf(transition: Transition): VNode {
  const row = drawn.get(transition) ?? <Row key={transition.id} transition={transition} />;
  drawn.set(transition, row);
  return row;
}

function Waiting({
  shown: { waiting, isFlooded },
  readAnew,
}: {
  shown: Log;
  readAnew: () => void;
}) {
  return (
    <div class="history-new" role="status">
      {(waiting.length > 0 || isFlooded) && (
        <button
          type="button"
          class="primary"
          onClick={() => {
            if (isFlooded) readAnew();
            else showWaiting();
            scrollTo(0, 0);
          }}
        >
          {isFlooded ? 'Very many new: read anew' : `${waiting.length} new`}
        </button>
      )}
    </div>
  );
}

function Older() {
  const isReading = useSignal(false);
  return (
    <button
      type="button"
      aria-disabled={isReading.value}
      onClick={async () => {
        if (isReading.value) return;
        isReading.value = true;
        await readOlder(wantedNow());
        isReading.value = false;
      }}
    >
      {isReading.value ? 'Reading …' : 'Show older ones'}
    </button>
  );
}

/** What is shown, a line each, newest first. */
function exportRows(rows: readonly Transition[]): void {
  const text = rows.map((row) => `${JSON.stringify(row)}\n`).join('');
  const url = URL.createObjectURL(new Blob([text], { type: 'application/jsonl' }));
  const link = document.createElement('a');
  link.href = url;
  link.download = `history-${new Date().toISOString().replace(/[:.]/g, '-')}.jsonl`;
  link.click();
  URL.revokeObjectURL(url);
}
