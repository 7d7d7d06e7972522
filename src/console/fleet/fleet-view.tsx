/** The fleet: counts by state, and a table or a wall of its instances and hosts. */
import { effect, signal } from '@preact/signals';
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { address, Link, setQuery } from '../app/router.tsx';
import { fleetRows, load, openFleet, revision } from '../live/fleet.ts';
import type { Row } from '../live/row.ts';
import { summary } from '../live/summary.ts';
import { FiltersOnPaper } from '../part/on-paper.tsx';
import { unknownIn } from '../part/unknown.ts';
import { UnknownNotice } from '../part/unknown-notice.tsx';
import { clearFilters, Filters, StateButtons } from './filters.tsx';
import { isGroup } from './layout.ts';
import { type FleetList, type FleetQuery, knownValues, listOf, readQuery } from './query.ts';
import { FleetTable } from './table.tsx';
import { FleetWall } from './wall.tsx';
import './fleet.css';

const phone = matchMedia('(max-width: 700px)');
const isNarrow = signal(phone.matches);
phone.addEventListener('change', () => {
  isNarrow.value = phone.matches;
});

export function FleetView({ path }: { path: readonly string[] }) {
  useEffect(openFleet, []);
  const { query: asked } = address.value;
  const query = useMemo(() => readQuery(path, asked), [path, asked]);
  const list = useList(query);
  return (
    <div class="fleet-view">
      <Heading query={query} />
      <StateButtons query={query} byState={list.byState} />
      <Filters query={query} rows={list.all} />
      <FiltersOnPaper />
      <UnknownNotice unknown={unknownIn(asked, knownValues(query.kind))} />
      <Status query={query} list={list} />
      <Content query={query} list={list} />
    </div>
  );
}

/** The list is made anew so often at most; the rows in sight are drawn more often. */
const listMilliseconds = 300;
/** While the page is scrolled: no row moves beneath the reader, and no frame is late. */
const scrolledListMilliseconds = 1_500;
/** A scroll is over when so long no event of it came. */
const scrollEndMilliseconds = 150;

function useList(query: FleetQuery): FleetList {
  const [tick, setTick] = useState(0);
  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    let [scrolledAt, madeAt] = [Number.NEGATIVE_INFINITY, Number.NEGATIVE_INFINITY];
    const scrolled = (): void => {
      scrolledAt = performance.now();
    };
    const makeOrWait = (): void => {
      const now = performance.now();
      const isScrolled = now - scrolledAt < scrollEndMilliseconds;
      if (isScrolled && now - madeAt < scrolledListMilliseconds) {
        timer = setTimeout(makeOrWait, scrollEndMilliseconds);
        return;
      }
      timer = undefined;
      madeAt = now;
      setTick((before) => before + 1);
    };
    addEventListener('scroll', scrolled, { passive: true });
    const stop = effect(() => {
      if (revision.value === 0 || timer !== undefined) return;
      const wait = madeAt + listMilliseconds - performance.now();
      timer = setTimeout(makeOrWait, Math.max(0, wait));
    });
    return () => {
      removeEventListener('scroll', scrolled);
      stop();
      clearTimeout(timer);
    };
  }, []);
  const before = useRef<readonly Row[]>([]);
  return useMemo(() => {
    const list = listOf(fleetRows(), query, before.current);
    before.current = list.all;
    return list;
  }, [query, tick]);
}

function Heading({ query }: { query: FleetQuery }) {
  const counts = summary.value;
  const kinds = [
    { kind: 'INSTANCE', name: 'Instances', href: '/instances', count: counts?.instanceCount },
    { kind: 'HOST', name: 'Hosts', href: '/hosts', count: counts?.hostCount },
  ] as const;
  const view = query.isWall ? '?view=wall' : '';
  return (
    <div class="heading">
      <h1 class="unseen">Fleet: {query.kind === 'HOST' ? 'hosts' : 'instances'}</h1>
      <nav class="kinds" aria-label="Kinds of resources">
        {kinds.map(({ kind, name, href, count }) => (
          <Link
            key={kind}
            href={href + view}
            aria-current={kind === query.kind ? 'page' : undefined}
          >
            {name} <span class="quiet">{count?.toLocaleString() ?? '–'}</span>
          </Link>
        ))}
      </nav>
      <div class="row">
        <fieldset class="forms">
          <legend class="unseen">Shown as</legend>
          <button
            type="button"
            aria-pressed={!query.isWall}
            onClick={() => setQuery({ view: null })}
          >
            Table
          </button>
          <button
            type="button"
            aria-pressed={query.isWall}
            onClick={() => setQuery({ view: 'wall' })}
          >
            Wall
          </button>
        </fieldset>
        <Link class="button primary" href="/create">
          Create
        </Link>
      </div>
    </div>
  );
}

/** How many match, and how far the fleet is loaded. */
function Status({ query, list }: { query: FleetQuery; list: FleetList }) {
  const { value: state } = load;
  const one = query.kind === 'HOST' ? 'host' : 'instance';
  const noun = list.all.length === 1 ? one : `${one}s`;
  const isAll = list.matching === list.all.length;
  return (
    <div class="matching">
      <p>
        {isAll
          ? `${list.all.length.toLocaleString()} ${noun}`
          : `${list.matching.toLocaleString()} of ${list.all.length.toLocaleString()} ${noun} match`}
        {state.status === 'LOADING' && state.total !== null && (
          <span class="quiet">
            {' '}
            · loaded {state.loaded.toLocaleString()} of {state.total.toLocaleString()} resources
          </span>
        )}
      </p>
      {!isAll && (
        <button type="button" class="plain" onClick={clearFilters}>
          Clear the filters
        </button>
      )}
      {state.status === 'FAILED' && (
        <div class="failed" role="alert">
          <span class="wrong">The fleet is not live: {state.message}</span> It is tried again every
          few seconds.
        </div>
      )}
    </div>
  );
}

function Content({ query, list }: { query: FleetQuery; list: FleetList }) {
  const { status } = load.value;
  const noun = query.kind === 'HOST' ? 'host' : 'instance';
  if (list.lines.length === 0) {
    if (status === 'LOADING') return <p class="quiet">Loading the fleet …</p>;
    if (list.all.length > 0)
      return (
        <div class="empty">
          <p>No {noun} matches.</p>
          <button type="button" onClick={clearFilters}>
            Clear the filters
          </button>
        </div>
      );
    if (status === 'LIVE')
      return (
        <div class="empty">
          <p>
            {query.kind === 'HOST'
              ? 'No host yet. A host is created with the first instance on it.'
              : 'No instance yet.'}
          </p>
          <Link class="button primary" href="/create">
            Create an instance
          </Link>
        </div>
      );
    return null;
  }
  if (query.isWall)
    return <FleetWall list={list} name={query.kind === 'HOST' ? 'Hosts' : 'Instances'} />;
  const hasGroups = list.lines.some(isGroup);
  return (
    <FleetTable
      key={hasGroups ? 'groups' : 'rows'}
      list={list}
      query={query}
      lineHeight={isNarrow.value ? 64 : 36}
    />
  );
}
