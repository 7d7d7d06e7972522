/** Filters that live in the address, so that what is shown can be shared. */
import { address, setQuery } from '../app/router.tsx';
import { timeNow } from '../part/time.tsx';
import { isMoment, type KnownValues } from '../part/unknown.ts';
import './filters.css';

/** The values of a name in the address: `status=FAILED,TIMED_OUT`. */
export const chosen = (name: string): readonly string[] =>
  (address.value.query.get(name) ?? '').split(',').filter(Boolean);

const orNull = (values: readonly string[]): readonly string[] | null =>
  values.length > 0 ? values : null;

/** The same, null where nothing is chosen: as filters of the API take it. */
export const anyOf = (name: string): readonly string[] | null => orNull(chosen(name));

export interface Pick {
  readonly value: string;
  readonly text: string;
}

/** Any number of values of a closed set. */
export function PickMany({
  name,
  label,
  options,
}: {
  name: string;
  label: string;
  options: readonly Pick[];
}) {
  const values = chosen(name);
  const texts = options.filter(({ value }) => values.includes(value)).map(({ text }) => text);
  return (
    <details
      class="log-pick"
      data-chosen={values.length > 0 || undefined}
      onFocusOut={({ currentTarget, relatedTarget }) => {
        const isInside = relatedTarget instanceof Node && currentTarget.contains(relatedTarget);
        if (relatedTarget && !isInside) currentTarget.open = false;
      }}
      onKeyDown={({ currentTarget, key }) => {
        if (key !== 'Escape' || !currentTarget.open) return;
        currentTarget.open = false;
        currentTarget.querySelector('summary')?.focus();
      }}
    >
      <summary>
        {label}: {texts.length > 0 ? texts.join(', ') : 'any'}
      </summary>
      <fieldset>
        <legend class="unseen">{label}</legend>
        {options.map(({ value, text }) => (
          <label key={value}>
            <input
              type="checkbox"
              checked={values.includes(value)}
              onChange={({ currentTarget }) => {
                const rest = values.filter((each) => each !== value);
                setQuery({ [name]: (currentTarget.checked ? [...rest, value] : rest).join(',') });
              }}
            />
            {text}
          </label>
        ))}
      </fieldset>
    </details>
  );
}

/** One value of a few. */
export function PickOne({
  name,
  label,
  options,
}: {
  name: string;
  label: string;
  options: readonly Pick[];
}) {
  return (
    <label class="log-filter">
      {label}
      <select
        value={chosen(name)[0] ?? ''}
        onChange={({ currentTarget }) => setQuery({ [name]: currentTarget.value })}
      >
        {options.map(({ value, text }) => (
          <option key={value} value={value}>
            {text}
          </option>
        ))}
      </select>
    </label>
  );
}

/** Keys of instances or hosts, taken when the field is left or Enter is pressed. */
export function PickKeys({ name, label }: { name: string; label: string }) {
  return (
    <label class="log-filter">
      {label}
      <input
        type="search"
        value={chosen(name).join(', ')}
        placeholder="any"
        autocapitalize="none"
        spellcheck={false}
        onChange={({ currentTarget }) =>
          setQuery({
            [name]: currentTarget.value
              .split(/[\s,]+/)
              .filter(Boolean)
              .join(','),
          })
        }
      />
    </label>
  );
}

const minutes: Readonly<Record<string, number>> = {
  '15m': 15,
  '1h': 60,
  '1d': 24 * 60,
  '7d': 7 * 24 * 60,
};

/** What the address may say of a span of time. */
export const spanValues: KnownValues = {
  span: [...Object.keys(minutes), 'exact'],
  since: isMoment,
  until: isMoment,
};

export interface Span {
  readonly since: string | null;
  readonly until: string | null;
}

/** The span of time of the address; null: any time. */
export function spanNow(): Span | null {
  const { query } = address.value;
  const last = minutes[query.get('span') ?? ''];
  if (last !== undefined)
    return { since: new Date(timeNow() - last * 60_000).toISOString(), until: null };
  const [since, until] = [momentOf(query.get('since')), momentOf(query.get('until'))];
  return since || until ? { since, until } : null;
}

/** A moment of the address; null where there is none, or what stands there is none. */
function momentOf(text: string | null): string | null {
  const date = new Date(text ?? '');
  return Number.isNaN(date.getTime()) ? null : date.toISOString();
}

export function PickSpan({ label }: { label: string }) {
  const { query } = address.value;
  const isExact = query.has('since') || query.has('until') || query.get('span') === 'exact';
  return (
    <>
      <label class="log-filter">
        {label}
        <select
          value={isExact ? 'exact' : (query.get('span') ?? '')}
          onChange={({ currentTarget }) =>
            setQuery({ span: currentTarget.value, since: null, until: null })
          }
        >
          <option value="">any time</option>
          <option value="15m">the last 15 minutes</option>
          <option value="1h">the last hour</option>
          <option value="1d">the last day</option>
          <option value="7d">the last week</option>
          <option value="exact">from … to …</option>
        </select>
      </label>
      {isExact && <PickMoment name="since" label="From" />}
      {isExact && <PickMoment name="until" label="To, not included" />}
    </>
  );
}

function PickMoment({ name, label }: { name: 'since' | 'until'; label: string }) {
  return (
    <label class="log-filter">
      {label}
      <input
        type="datetime-local"
        step={1}
        value={localOf(address.value.query.get(name))}
        onChange={({ currentTarget }) =>
          setQuery({ span: 'exact', [name]: momentOf(currentTarget.value) })
        }
      />
    </label>
  );
}

/** As a field for local times takes it. */
function localOf(text: string | null): string {
  const moment = momentOf(text);
  if (!moment) return '';
  const date = new Date(moment);
  return new Date(date.getTime() - date.getTimezoneOffset() * 60_000).toISOString().slice(0, 19);
}

/** Takes all filters away; nothing where none is set. */
export function ClearFilters() {
  const names = [...address.value.query.keys()];
  if (names.length === 0) return null;
  return (
    <button
      type="button"
      onClick={({ currentTarget }) => {
        // The button goes away with the filters, and the focus would with it.
        currentTarget.closest('search')?.querySelector<HTMLElement>('select')?.focus();
        setQuery(Object.fromEntries(names.map((name) => [name, null])));
      }}
    >
      Clear the filters
    </button>
  );
}
