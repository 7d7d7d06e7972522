/** The fleet as a wall of tiles: shape, colour and key. Only the tiles in sight are drawn. */
import { useLayoutEffect, useMemo, useRef, useState } from 'preact/hooks';
import { Link } from '../app/router.tsx';
import { fleetRows, revision } from '../live/fleet.ts';
import type { Row } from '../live/row.ts';
import { appearanceOf, StateShape } from '../part/state-sign.tsx';
import { useListKeys } from './keys.ts';
import { isGroup, type Layout, layoutOf } from './layout.ts';
import type { FleetList, Group } from './query.ts';
import { GroupName, hrefOf } from './table.tsx';
import { useWindow, type Window } from './window.ts';

const lineHeight = 36;
const [leastTileWidth, mostTileWidth] = [165, 320];
/** About as wide as a character of a key, and what stands beside the key in a tile. */
const [characterWidth, besideKey] = [8.5, 56];

export function FleetWall({ list, name }: { list: FleetList; name: string }) {
  const wall = useRef<HTMLUListElement>(null);
  const perLine = useTilesPerLine(
    wall,
    useMemo(() => tileWidthOf(list), [list]),
  );
  const layout = useMemo(() => layoutOf(list.lines, perLine), [list, perLine]);
  const shown = useWindow(wall, { count: layout.lines.length, height: lineHeight });
  const { active, ...keys } = useListKeys(
    { list: wall, top: wall },
    { layout, height: lineHeight, shown },
  );
  const now = revision.value > 0 ? fleetRows() : null;
  return (
    <ul
      class="wall"
      aria-label={name}
      ref={wall}
      {...keys}
      style={{
        height: `${layout.lines.length * lineHeight}px`,
        paddingTop: `${shown.first * lineHeight}px`,
        gridTemplateColumns: `repeat(${perLine}, minmax(0, 1fr))`,
        gridAutoRows: `${lineHeight}px`,
      }}
    >
      {tiles(layout, shown).map((each) =>
        isGroup(each) ? (
          <li key={`group ${each.group}`} class="group">
            <GroupName line={each} />
          </li>
        ) : (
          <Tile
            key={each.row.id}
            row={now?.get(each.row.id) ?? each.row}
            index={each.index}
            count={layout.rows.length}
            isFirst={each.isFirst}
            isActive={each.index === active}
          />
        ),
      )}
    </ul>
  );
}

interface Placed {
  readonly row: Row;
  readonly index: number;
  /** It begins a line: the one before may have been short. */
  readonly isFirst: boolean;
}

function tiles({ lines, rows }: Layout, shown: Window): (Placed | Group)[] {
  return lines.slice(shown.first, shown.end).flatMap((line): (Placed | Group)[] =>
    isGroup(line)
      ? [line]
      : rows.slice(line.from, line.end).map((row, offset) => ({
          ...{ row, index: line.from + offset, isFirst: offset === 0 },
        })),
  );
}

/** So that the longest key is read whole, within bounds: keys often differ at their end. */
function tileWidthOf({ all }: FleetList): number {
  const longest = all.reduce((most, { key }) => Math.max(most, key.length), 0);
  const wanted = longest * characterWidth + besideKey;
  return Math.min(mostTileWidth, Math.max(leastTileWidth, wanted));
}

function useTilesPerLine(
  wall: { readonly current: HTMLElement | null },
  tileWidth: number,
): number {
  const [perLine, setPerLine] = useState(8);
  useLayoutEffect(() => {
    const measure = (): void => {
      const width = wall.current?.clientWidth ?? 0;
      setPerLine(Math.max(2, Math.floor(width / tileWidth)));
    };
    measure();
    addEventListener('resize', measure);
    return () => removeEventListener('resize', measure);
  }, [wall, tileWidth]);
  return perLine;
}

interface TileProps extends Placed {
  readonly count: number;
  readonly isActive: boolean;
}

/** The same node while nothing of it has changed, so that it is not compared. */
function Tile({ row, index, count, isFirst, isActive }: TileProps) {
  return useMemo(() => {
    const { word, tone, shape } = appearanceOf(row.kind, row.state);
    const facts = [
      word,
      row.isConfirmed ? null : 'not confirmed',
      row.isConverged ? null : 'not as desired',
    ];
    const what = facts.filter(Boolean).join(', ');
    return (
      <li class={isFirst ? 'first' : ''} aria-setsize={count} aria-posinset={index + 1}>
        <Link
          class="tile"
          href={hrefOf(row)}
          data-tone={tone}
          data-unconfirmed={!row.isConfirmed || undefined}
          data-index={index}
          tabIndex={isActive ? 0 : -1}
          title={`${row.key}: ${what}`}
          aria-label={`${row.key}: ${what}`}
        >
          <StateShape shape={shape} />
          <span class="key">{row.key}</span>
          {!row.isConverged && <span aria-hidden="true">≠</span>}
        </Link>
      </li>
    );
  }, [row, index, count, isFirst, isActive]);
}
