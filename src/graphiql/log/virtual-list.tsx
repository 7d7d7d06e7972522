/** A list of which only the rows in sight are in the document. All rows have one height; one may be open. */
import { type KeyboardEvent, type ReactNode, useLayoutEffect, useRef, useState } from 'react';

export const rowHeight = 28;
const overscan = 8;

export interface VirtualListProps<Item> {
  readonly label: string;
  readonly items: readonly Item[];
  readonly keyOf: (item: Item) => number;
  /** The key of the row that is open, and what its details take. */
  readonly openKey: number | null;
  readonly openHeight: number;
  /** Rows come at the top, else at the bottom. */
  readonly growsAtTop: boolean;
  readonly children: (item: Item) => ReactNode;
}

export function VirtualList<Item>(props: VirtualListProps<Item>) {
  const { label, items, keyOf, openKey, openHeight, children } = props;
  const box = useRef<HTMLDivElement>(null);
  const [scrolled, setScrolled] = useState(0);
  const height = useHeight(box);
  const openIndex = openKey === null ? -1 : items.findIndex((each) => keyOf(each) === openKey);
  const topOf = (index: number): number =>
    index * rowHeight + (openIndex >= 0 && index > openIndex ? openHeight : 0);
  const whole = topOf(items.length);
  useScrollPosition(props, { box, scrolled, whole });

  /** The first row that ends below this place. */
  const rowAt = (place: number): number => {
    const below = openIndex >= 0 && place >= topOf(openIndex + 1) ? openHeight : 0;
    const row = Math.floor((place - below) / rowHeight);
    return openIndex >= 0 && below === 0 ? Math.min(row, openIndex) : row;
  };
  const first = Math.max(0, rowAt(scrolled) - overscan);
  const end = Math.min(items.length, rowAt(scrolled + height) + overscan + 1);

  function onKeyDown(event: KeyboardEvent<HTMLOListElement>): void {
    const step = stepOf(event.key, items.length);
    const row = (event.target as Element).closest('li');
    if (step === undefined || !row || !(event.target as Element).matches('li > button')) return;
    event.preventDefault();
    const index = Math.min(items.length - 1, Math.max(0, Number(row.dataset.index) + step));
    const list = box.current;
    if (!list) return;
    const top = topOf(index);
    if (top < list.scrollTop) list.scrollTop = top;
    else if (top + rowHeight > list.scrollTop + list.clientHeight)
      list.scrollTop = top + rowHeight - list.clientHeight;
    setScrolled(list.scrollTop);
    requestAnimationFrame(() =>
      list.querySelector<HTMLElement>(`li[data-index="${index}"] > button`)?.focus(),
    );
  }

  return (
    <div
      ref={box}
      className="im-list"
      onScroll={(event) => setScrolled(event.currentTarget.scrollTop)}
    >
      <ol aria-label={label} style={{ height: whole }} onKeyDown={onKeyDown}>
        {items.slice(first, end).map((item, offset) => {
          const index = first + offset;
          return (
            <li
              key={keyOf(item)}
              className="im-row"
              data-index={index}
              aria-posinset={index + 1}
              aria-setsize={items.length}
              style={{ transform: `translateY(${topOf(index)}px)` }}
            >
              {children(item)}
            </li>
          );
        })}
      </ol>
    </div>
  );
}

/** How far a key goes in a list of so many rows. */
function stepOf(key: string, count: number): number | undefined {
  const steps: Readonly<Record<string, number>> = {
    ...{ ArrowDown: 1, ArrowUp: -1, PageDown: 10, PageUp: -10, Home: -count, End: count },
  };
  return steps[key];
}

/** The height of the list in pixels. */
function useHeight(box: { readonly current: HTMLElement | null }): number {
  const [height, setHeight] = useState(600);
  useLayoutEffect(() => {
    const list = box.current;
    if (!list) return;
    const observer = new ResizeObserver(() => setHeight(list.clientHeight));
    observer.observe(list);
    return () => observer.disconnect();
  }, [box]);
  return height;
}

/**
 * Keeps what is in sight where it is while rows come and go above it. At the end of a list that grows there, it
 * stays at the end.
 */
function useScrollPosition<Item>(
  { items, keyOf, growsAtTop }: VirtualListProps<Item>,
  {
    box,
    scrolled,
    whole,
  }: {
    readonly box: { readonly current: HTMLElement | null };
    readonly scrolled: number;
    readonly whole: number;
  },
): void {
  const before = useRef<{ items: readonly Item[]; atEnd: boolean }>({ items: [], atEnd: true });
  useLayoutEffect(() => {
    const list = box.current;
    const known = before.current;
    if (!list || known.items === items) return;
    if (!growsAtTop && known.atEnd) list.scrollTop = whole;
    // To read the position from the list would lay the page out once more.
    else if (scrolled > 0) list.scrollTop += rowsAdded(known.items, items, keyOf) * rowHeight;
    known.items = items;
  });
  useLayoutEffect(() => {
    const list = box.current;
    const note = (): void => {
      if (list)
        before.current.atEnd = list.scrollTop + list.clientHeight >= list.scrollHeight - rowHeight;
    };
    list?.addEventListener('scroll', note, { passive: true });
    return () => list?.removeEventListener('scroll', note);
  }, [box]);
}

/** How many rows are there before those of the earlier list; negative: so many of its first rows are gone. */
function rowsAdded<Item>(
  before: readonly Item[],
  now: readonly Item[],
  keyOf: (item: Item) => number,
): number {
  const [first, next] = [before[0], now[0]];
  if (first === undefined || next === undefined || keyOf(first) === keyOf(next)) return 0;
  const added = now.findIndex((each) => keyOf(each) === keyOf(first));
  if (added >= 0) return added;
  const gone = before.findIndex((each) => keyOf(each) === keyOf(next));
  return gone < 0 ? 0 : -gone;
}
