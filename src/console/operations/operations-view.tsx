/** The operations of the fleet, newest first, live: what is under way, what is over, and why it failed. */
import { type Signal, signal, useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { RequestError } from '../app/connection.ts';
import { address, setQuery } from '../app/router.tsx';
import { FiltersOnPaper } from '../part/on-paper.tsx';
import { StateShape, StateSign } from '../part/state-sign.tsx';
import { duration, now, preciseDuration, Time } from '../part/time.tsx';
import { unknownIn } from '../part/unknown.ts';
import { UnknownNotice } from '../part/unknown-notice.tsx';
import { statusWord, words } from '../part/words.ts';
import { Cancel } from './cancel.tsx';
import {
  anyOf,
  ClearFilters,
  chosen,
  PickKeys,
  PickMany,
  PickOne,
  PickSpan,
  spanNow,
  spanValues,
} from './filters.tsx';
import {
  type OperationPage,
  type OperationRow,
  operationKinds,
  readOperations,
  statuses,
} from './operation.ts';
import './operations.css';
import { useReread } from './reread.ts';
import { ResourceLink } from './resource-link.tsx';

const pageSize = 50;
const mostShown = 200;

const page = signal<OperationPage | null>(null);
const failure = signal<string | null>(null);

function filterNow(): object {
  const active = chosen('active')[0];
  return {
    status: anyOf('status'),
    kind: anyOf('kind'),
    active: active === undefined ? null : active === 'yes',
    instance: anyOf('instance'),
    host: anyOf('host'),
    createdAt: spanNow(),
  };
}

const knownValues = {
  status: Object.keys(statuses),
  kind: operationKinds,
  active: ['yes', 'no'],
  ...spanValues,
};

const pick = (values: readonly string[]) => values.map((value) => ({ value, text: words(value) }));

export function OperationsView() {
  const first = useSignal(pageSize);
  const unknown = unknownIn(address.value.query, knownValues);
  // The next visit begins with a read of its own.
  useEffect(
    () => () => {
      page.value = null;
      failure.value = null;
    },
    [],
  );
  useReread(
    async (isAsked) => {
      if (unknown.length > 0) {
        page.value = null;
        failure.value = null;
        return;
      }
      await readOperations(first.peek(), filterNow()).then(
        (read) => {
          if (!isAsked()) return;
          page.value = read;
          failure.value = null;
        },
        (error: unknown) => {
          if (isAsked() && error instanceof RequestError && error.code !== 'UNREACHABLE')
            failure.value = error.message;
        },
      );
    },
    [address.value.query.toString(), first.value],
  );
  const shown = page.value;
  return (
    <>
      <h1>Operations</h1>
      <search class="log-filters">
        <PickOne
          name="active"
          label="Under way"
          options={[
            { value: '', text: 'all' },
            { value: 'yes', text: 'under way' },
            { value: 'no', text: 'over' },
          ]}
        />
        <PickMany
          name="status"
          label="Status"
          options={Object.keys(statuses).map((value) => ({ value, text: statusWord(value) }))}
        />
        <PickMany name="kind" label="Kind" options={pick(operationKinds)} />
        <PickKeys name="instance" label="Instances" />
        <PickKeys name="host" label="Hosts" />
        <PickSpan label="Accepted" />
        <ClearFilters />
      </search>
      <FiltersOnPaper />
      <UnknownNotice unknown={unknown} />
      {failure.value && <p role="alert">{failure.value}</p>}
      {shown && <Count shown={shown} />}
      {shown && shown.nodes.length > 0 && (
        <table class="log-table operations">
          <thead>
            <tr>
              <th scope="col">Status</th>
              <th scope="col">What</th>
              <th scope="col">Where it is</th>
              <th scope="col">When</th>
              <th scope="col">Who and why</th>
              <th scope="col">
                <span class="unseen">Actions</span>
              </th>
            </tr>
          </thead>
          <tbody>
            {shown.nodes.map((operation) => (
              <Row key={operation.id} operation={operation} />
            ))}
          </tbody>
        </table>
      )}
      {shown?.pageInfo.hasNextPage && <Older first={first} shown={shown} />}
    </>
  );
}

function Count({ shown }: { shown: OperationPage }) {
  const { totalCount, nodes } = shown;
  if (totalCount === 0) return <p class="quiet">No operation matches.</p>;
  return (
    <p class="quiet">
      {totalCount === nodes.length ? totalCount : `The newest ${nodes.length} of ${totalCount}`}
      {totalCount === 1 ? ' operation' : ' operations'}, newest first.
    </p>
  );
}

function Older({ first, shown }: { first: Signal<number>; shown: OperationPage }) {
  const last = shown.nodes.at(-1);
  return (
    <div class="form-actions">
      {first.value < mostShown ? (
        <button
          type="button"
          onClick={() => {
            first.value += pageSize;
          }}
        >
          Show {pageSize} more
        </button>
      ) : (
        <button
          type="button"
          onClick={() => setQuery({ span: 'exact', until: last?.createdAt ?? null })}
        >
          Show those before these
        </button>
      )}
    </div>
  );
}

function Row({ operation }: { operation: OperationRow }) {
  const { kind, status, resource, parent, reason, requestedBy, failure: why } = operation;
  const look = statuses[status] ?? { tone: 'OFF', shape: 'RING' };
  return (
    <tr>
      <td>
        <span class="state" data-tone={look.tone}>
          <StateShape shape={look.shape} />
          {statusWord(status)}
        </span>
      </td>
      <td>
        <strong>{words(kind)}</strong>
        <br />
        <ResourceLink resource={resource} />
      </td>
      <td>
        <Progress operation={operation} />
        {why && (
          <p class="why">
            <code>{why.code}</code> {why.message}
          </p>
        )}
      </td>
      <td>
        <Duration operation={operation} />
      </td>
      <td>
        <bdi>{requestedBy.name}</bdi>
        {reason && (
          <>
            {' '}
            · <q>{reason}</q>
          </>
        )}
        {parent && (
          <div class="small">
            needed by {words(parent.kind).toLowerCase()} of{' '}
            <ResourceLink resource={parent.resource} />
          </div>
        )}
      </td>
      <td>
        <Cancel operation={operation} />
      </td>
    </tr>
  );
}

function Progress({ operation }: { operation: OperationRow }) {
  const { phase, progress, deadlineAt, endedAt, resource } = operation;
  if (endedAt) return null;
  const kind = resource.__typename === 'Host' ? 'HOST' : 'INSTANCE';
  const left = deadlineAt ? new Date(deadlineAt).getTime() - now.value : null;
  return (
    <div>
      {phase ? words(phase) : <StateSign kind={kind} state={resource.stateName} />}
      {progress !== null && (
        <>
          {' '}
          <progress max={1} value={progress} aria-label="Progress of this phase" />{' '}
          {Math.round(progress * 100)} %
        </>
      )}
      {left !== null && (
        <div class="quiet small">
          {left > 0 ? `times out in ${duration(left)}` : 'its time is over'}
        </div>
      )}
    </div>
  );
}

function Duration({ operation }: { operation: OperationRow }) {
  const { createdAt, startedAt, endedAt } = operation;
  const begin = new Date(startedAt ?? createdAt).getTime();
  // What is not confirmed any more does not go on.
  const end = endedAt ? new Date(endedAt).getTime() : now.value;
  const took = (endedAt ? preciseDuration : duration)(end - begin);
  const waited = begin - new Date(createdAt).getTime();
  return (
    <>
      <Time at={createdAt} exact />
      <div class="quiet small">
        <Time at={createdAt} />, {startedAt && waited >= 1000 && `waited ${duration(waited)}, `}
        {endedAt ? `took ${took}` : startedAt ? `for ${took}` : `waits for ${took}`}
      </div>
    </>
  );
}
