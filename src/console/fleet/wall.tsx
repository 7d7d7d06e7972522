/** The fleet as a wall of tiles: shape, colour and key. Only the tiles in sight are drawn. */
import { useLayoutEffect, useMemo, useRef, useState } from 'preact/hooks';
import { Link } from '../app/router.tsx';
import { fleetRows, revision } from '../live/fleet.ts';
import type { Row } from '../live/row.ts';
import { appearanceOf, StateShape } from '../part/state-sign.tsx';
import { useListKeys } from './keys.ts';
import { isGroup, layoutOf } from './layout.ts';
import type { FleetList } from './query.ts';
import { GroupName, hrefOf } from './table.tsx';
import { useWindow } from './window.ts';

const lineHeight = 36;
const [leastTileWidth, mostTileWidth] = [165, 320];
/** About as wide as a character of a key, and what stands beside the key in a tile. */
const [characterWidth, besideKey] = [8.5, 56];

export function FleetWall({ list, name }: { list: FleetList; name: string }) {
  const wall = useRef<HTMLDivElement>(null);
  const tileWidth = useMemo(() => tileWidthOf(list), [list]);
  const { perLine, characters } = useTiles(wall, tileWidth);
  const layout = useMemo(() => layoutOf(list.lines, perLine), [list, perLine]);
  const { lines, rows } = layout;
  const shown = useWindow(wall, { count: lines.length, height: lineHeight });
  const { active, ...keys } = useListKeys(
    { list: wall, top: wall },
    { layout, height: lineHeight, shown },
  );
  const now = revision.value > 0 ? fleetRows() : null;
  return (
    // biome-ignore lint/a11y/useSemanticElements: a list of lines, which are none for assistive technology
    <div
      class="wall"
      role="list"
      aria-label={name}
      ref={wall}
      {...keys}
      style={{
        height: `${lines.length * lineHeight}px`,
        paddingTop: `${shown.first * lineHeight}px`,
        '--tiles': perLine,
      }}
    >
      {lines.slice(shown.first, shown.end).map((line) =>
        isGroup(line) ? (
          // biome-ignore lint/a11y/useSemanticElements: an item of the list above
          <div key={`group ${line.group}`} class="group" role="listitem">
            <GroupName line={line} />
          </div>
        ) : (
          <div key={rows[line.from]?.id} class="wall-line" role="presentation">
            {rows.slice(line.from, line.end).map((row, offset) => (
              <Tile
                key={row.id}
                row={now?.get(row.id) ?? row}
                index={line.from + offset}
                count={rows.length}
                isLong={row.key.length > characters}
                isActive={line.from + offset === active}
              />
            ))}
          </div>
        ),
      )}
    </div>
  );
}

/** So that the longest key is read whole, within bounds: keys often differ at their end. */
function tileWidthOf({ all }: FleetList): number {
  const longest = all.reduce((most, { key }) => Math.max(most, key.length), 0);
  const wanted = longest * characterWidth + besideKey;
  return Math.min(mostTileWidth, Math.max(leastTileWidth, wanted));
}

interface Tiles {
  readonly perLine: number;
  /** A key of more characters may not fit. */
  readonly characters: number;
}

function useTiles(wall: { readonly current: HTMLElement | null }, tileWidth: number): Tiles {
  const [width, setWidth] = useState(0);
  useLayoutEffect(() => {
    const measure = (): void => setWidth(wall.current?.clientWidth ?? 0);
    measure();
    addEventListener('resize', measure);
    return () => removeEventListener('resize', measure);
  }, [wall]);
  const perLine = Math.max(2, Math.floor(width / tileWidth));
  return { perLine, characters: Math.floor((width / perLine - besideKey) / characterWidth) };
}

interface TileProps {
  readonly row: Row;
  readonly index: number;
  readonly count: number;
  readonly isLong: boolean;
  readonly isActive: boolean;
}

/** The same node while nothing of it has changed, so that it is not compared. */
function Tile({ row, index, count, isLong, isActive }: TileProps) {
  return useMemo(() => {
    const { word, tone, shape } = appearanceOf(row.kind, row.state);
    const facts = [
      word,
      row.isConfirmed ? null : 'not confirmed',
      row.isConverged ? null : 'not as desired',
    ];
    const what = facts.filter(Boolean).join(', ');
    return (
      // biome-ignore lint/a11y/useSemanticElements: an item of the list above
      <div role="listitem" aria-setsize={count} aria-posinset={index + 1}>
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
          <span class="key" data-long={isLong || undefined}>
            {row.key}
          </span>
          {!row.isConverged && <span aria-hidden="true">≠</span>}
        </Link>
      </div>
    );
  }, [row, index, count, isLong, isActive]);
}
