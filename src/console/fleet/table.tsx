/** The fleet as a table. Only the rows in sight are drawn. */
import { useMemo, useRef } from 'preact/hooks';
import { Link, setQuery } from '../app/router.tsx';
import { fleetRows, revision } from '../live/fleet.ts';
import type { Row } from '../live/row.ts';
import { appearanceOf, StateSign } from '../part/state-sign.tsx';
import { Time } from '../part/time.tsx';
import { useListKeys } from './keys.ts';
import { isGroup, layoutOf } from './layout.ts';
import {
  type FleetList,
  type FleetQuery,
  type Group,
  noteOf,
  type Sort,
  sortNames,
} from './query.ts';
import { useWindow } from './window.ts';

const columns = {
  INSTANCE: ['state', 'key', 'since', 'desired', 'solution', 'host', 'labels', 'note'],
  HOST: ['state', 'key', 'since', 'size', 'address', 'labels', 'note'],
} as const;

export const hrefOf = ({ kind, key }: Row): string =>
  `/${kind === 'HOST' ? 'hosts' : 'instances'}/${key}`;

export function FleetTable({
  list,
  query,
  lineHeight,
}: {
  list: FleetList;
  query: FleetQuery;
  lineHeight: number;
}) {
  /** Ends where the drawn rows begin: the place of the list in the page. */
  const top = useRef<HTMLTableSectionElement>(null);
  const body = useRef<HTMLTableSectionElement>(null);
  const layout = useMemo(() => layoutOf(list.lines, 1), [list]);
  const { lines, rows } = layout;
  const shown = useWindow(top, { count: lines.length, height: lineHeight });
  const { active, ...keys } = useListKeys(
    { list: body, top },
    { layout, height: lineHeight, shown },
  );
  const names = columns[query.kind];
  const now = revision.value > 0 ? fleetRows() : null;
  return (
    <table class="fleet" data-kind={query.kind} aria-rowcount={lines.length + 1}>
      <caption class="unseen">{query.kind === 'HOST' ? 'Hosts' : 'Instances'}</caption>
      <thead>
        <tr aria-rowindex={1}>
          {names.map((name) => (
            <Heading key={name} name={name} query={query} />
          ))}
        </tr>
      </thead>
      <tbody class="space" ref={top} style={{ height: `${shown.first * lineHeight}px` }} />
      <tbody ref={body} {...keys}>
        {lines.slice(shown.first, shown.end).map((line, offset) => {
          const at = shown.first + offset;
          if (isGroup(line))
            return <GroupRow key={line.group} at={at} line={line} columns={names.length} />;
          const row = rows[line.from];
          return (
            row && (
              <FleetRow
                key={row.id}
                row={now?.get(row.id) ?? row}
                at={at}
                index={line.from}
                isActive={line.from === active}
              />
            )
          );
        })}
      </tbody>
      <tbody class="space" style={{ height: `${(lines.length - shown.end) * lineHeight}px` }} />
    </table>
  );
}

function Heading({ name, query }: { name: Sort; query: FleetQuery }) {
  const isSorted = query.sort === name;
  const order = query.isDescending ? 'descending' : 'ascending';
  return (
    <th
      scope="col"
      class={name === 'state' ? 'state-cell' : name}
      aria-sort={isSorted ? order : undefined}
    >
      <button
        type="button"
        class="sort"
        onClick={() => setQuery({ sort: isSorted && !query.isDescending ? `-${name}` : name })}
      >
        {sortNames[name]}
        <span class="arrow" aria-hidden="true">
          {isSorted ? (query.isDescending ? '↓' : '↑') : ''}
        </span>
      </button>
    </th>
  );
}

function GroupRow({ at, line, columns }: { at: number; line: Group; columns: number }) {
  return (
    <tr class="group" aria-rowindex={at + 2}>
      <th scope="colgroup" colSpan={columns}>
        <GroupName line={line} />
      </th>
    </tr>
  );
}

export function GroupName({ line }: { line: Group }) {
  return (
    <>
      {line.group} <span class="quiet">{line.count.toLocaleString()}</span>
      {line.errors > 0 && <span class="wrong"> {line.errors.toLocaleString()} in error</span>}
    </>
  );
}

interface FleetRowProps {
  readonly row: Row;
  readonly at: number;
  readonly index: number;
  readonly isActive: boolean;
}

/** The same node while nothing of it has changed, so that it is not compared. */
function FleetRow({ row, at, index, isActive }: FleetRowProps) {
  return useMemo(
    () => (
      <tr aria-rowindex={at + 2} data-error={row.isError || undefined}>
        <td class="state-cell">
          <StateSign kind={row.kind} state={row.state} isUnconfirmed={!row.isConfirmed} />
        </td>
        <th scope="row" class="key">
          <Link href={hrefOf(row)} data-index={index} tabIndex={isActive ? 0 : -1}>
            {row.key}
          </Link>
          {row.name !== row.key && <span class="quiet"> {row.name}</span>}
        </th>
        <td class="since">
          <Time at={row.since} />
        </td>
        {row.kind === 'HOST' ? <HostCells row={row} /> : <InstanceCells row={row} />}
        <td class="labels">
          {row.labels.map(({ name, value }) => (
            <span key={name} class="label">
              {value ? `${name}=${value}` : name}
            </span>
          ))}
        </td>
        <Note row={row} />
      </tr>
    ),
    [row, at, index, isActive],
  );
}

function InstanceCells({ row }: { row: Row }) {
  const desired = row.desired ?? '';
  return (
    <>
      <td class="desired">
        {!row.isConverged && (
          <span class="differs" title="Not as desired">
            ≠{' '}
          </span>
        )}
        {appearanceOf('INSTANCE', desired).word}
      </td>
      <td class="solution">
        {row.solution} <span class="quiet">{row.version}</span>
      </td>
      <td class="host">
        {row.host && (
          <Link href={`/hosts/${row.host}`} tabIndex={-1}>
            {row.host}
          </Link>
        )}
      </td>
    </>
  );
}

function HostCells({ row }: { row: Row }) {
  return (
    <>
      <td class="size">{row.size}</td>
      <td class="address">{row.address}</td>
    </>
  );
}

function Note({ row }: { row: Row }) {
  const note = noteOf(row);
  return (
    <td class="note" title={note}>
      {row.failure ? <span class="wrong">{note}</span> : note}
    </td>
  );
}
