/** What is shown of the fleet, in which order and groups. Everything is kept in the address. */
import { useSignal } from '@preact/signals';
import { useMemo } from 'preact/hooks';
import { setQuery } from '../app/router.tsx';
import type { Row } from '../live/row.ts';
import { appearanceOf, StateShape } from '../part/state-sign.tsx';
import { type FleetQuery, filterNames, type Sort, sortNames, statesOf } from './query.ts';

/** The counts by state, each a button that filters by it. */
export function StateButtons({
  query,
  byState,
}: {
  query: FleetQuery;
  byState: ReadonlyMap<string, number>;
}) {
  return (
    <fieldset class="states">
      <legend class="unseen">Filter by state</legend>
      {statesOf(query.kind).map((state) => {
        const { word, tone, shape } = appearanceOf(query.kind, state);
        const count = byState.get(state) ?? 0;
        const isChosen = query.states.includes(state);
        const states = isChosen
          ? query.states.filter((each) => each !== state)
          : [...query.states, state];
        return (
          <button
            key={state}
            type="button"
            class="state-count"
            data-tone={tone}
            data-none={count === 0 || undefined}
            aria-pressed={isChosen}
            onClick={() => setQuery({ state: states.join(',') })}
          >
            <StateShape shape={shape} />
            <span class="word">{word}</span>
            <b>{count.toLocaleString()}</b>
          </button>
        );
      })}
    </fieldset>
  );
}

export const clearFilters = (): void =>
  setQuery(Object.fromEntries(filterNames.map((name) => [name, null])));

/** Values to choose from, as far as there are not too many. */
interface Values {
  readonly solutions: readonly string[];
  readonly labels: readonly string[];
  readonly labelNames: readonly string[];
}
const mostValues = 200;

export function valuesOf(rows: Iterable<Row>): Values {
  const solutions = new Set<string>();
  const labels = new Set<string>();
  const labelNames = new Set<string>();
  for (const row of rows) {
    if (row.solution) solutions.add(row.solution);
    for (const { name, value } of row.labels) {
      labelNames.add(name);
      if (labels.size < mostValues) labels.add(`${name}=${value}`);
    }
  }
  const sorted = (set: Set<string>) => [...set].sort();
  return {
    ...{ solutions: sorted(solutions), labels: sorted(labels), labelNames: sorted(labelNames) },
  };
}

export function Filters({ query, rows }: { query: FleetQuery; rows: readonly Row[] }) {
  const isOpen = useSignal(false);
  const values = useMemo(() => valuesOf(rows), [rows]);
  const isInstances = query.kind === 'INSTANCE';
  return (
    <search class="filters" data-open={isOpen.value || undefined}>
      <Text name="text" label="Search" value={query.text} type="search" />
      <button
        type="button"
        class="more"
        aria-expanded={isOpen.value}
        onClick={() => {
          isOpen.value = !isOpen.value;
        }}
      >
        {isOpen.value ? 'Fewer filters' : 'Filter, sort, group'}
      </button>
      {isInstances && (
        <>
          <Choice
            name="solution"
            label="Solution"
            value={query.solution}
            options={[['', 'Any'], ...values.solutions.map((each) => [each, each] as const)]}
          />
          <Text name="host" label="Host" value={query.host} />
          <Choice
            name="reachability"
            label="Reachability"
            value={query.reachability}
            options={[
              ['', 'Any'],
              ['OK', 'Confirmed'],
              ['UNKNOWN', 'Not confirmed'],
            ]}
          />
          <Choice
            name="diverged"
            label="Desired"
            value={query.isDiverged ? 'true' : ''}
            options={[
              ['', 'Any'],
              ['true', 'Not as desired'],
            ]}
          />
        </>
      )}
      <Text name="label" label="Label" value={query.label} options={values.labels} />
      <Choice name="sort" label="Sort" value={sortOf(query)} options={sortsOf(query)} />
      <Choice
        name="group"
        label="Group"
        value={query.group}
        options={[
          ['', 'None'],
          ['state', 'State'],
          ...(isInstances
            ? ([
                ['host', 'Host'],
                ['solution', 'Solution'],
              ] as const)
            : []),
          ...values.labelNames.map((name) => [`label:${name}`, `Label ${name}`] as const),
        ]}
      />
    </search>
  );
}

const sortOf = ({ sort, isDescending }: FleetQuery): string => `${isDescending ? '-' : ''}${sort}`;

function sortsOf(query: FleetQuery): (readonly [string, string])[] {
  const names: Sort[] = ['errors', 'key', 'state', 'since'];
  if (!names.includes(query.sort)) names.push(query.sort);
  const options = names.map((name) => [name, sortNames[name]] as const);
  const now = sortOf(query);
  return query.isDescending
    ? [...options, [now, `${sortNames[query.sort]}, last first`] as const]
    : options;
}

type Options = readonly (readonly [value: string, text: string])[];

function Choice({
  name,
  label,
  value,
  options,
}: {
  name: string;
  label: string;
  value: string;
  options: Options;
}) {
  const isKnown = options.some(([each]) => each === value);
  return (
    <label class="filter" data-set={(value !== '' && value !== 'errors') || undefined}>
      {label}
      <select
        value={value}
        onChange={({ currentTarget }) => setQuery({ [name]: currentTarget.value })}
      >
        {[...options, ...(isKnown ? [] : ([[value, value]] as const))].map(([each, text]) => (
          <option key={each} value={each}>
            {text}
          </option>
        ))}
      </select>
    </label>
  );
}

function Text({
  name,
  label,
  value,
  type = 'text',
  options,
}: {
  name: string;
  label: string;
  value: string;
  type?: 'text' | 'search';
  options?: readonly string[];
}) {
  return (
    <label class="filter" data-set={value !== '' || undefined}>
      {label}
      <input
        type={type}
        value={value}
        size={14}
        spellcheck={false}
        autocomplete="off"
        list={options && `values-${name}`}
        onInput={({ currentTarget }) => setQuery({ [name]: currentTarget.value })}
      />
      {options && (
        <datalist id={`values-${name}`}>
          {options.map((each) => (
            <option key={each} value={each} />
          ))}
        </datalist>
      )}
    </label>
  );
}
