/** The arrow keys within a long list: one link of it is reached by Tab, the others from there. */
import type { RefObject } from 'preact';
import { useLayoutEffect, useRef, useState } from 'preact/hooks';
import type { Layout } from './layout.ts';
import type { Window } from './window.ts';

export interface ListKeys {
  /** Index of the link that Tab reaches. */
  readonly active: number;
  readonly onKeyDown: (event: KeyboardEvent) => void;
  readonly onFocus: (event: FocusEvent) => void;
}

/** Links carry `data-index`: their place in the list. `top` begins where the first line does. */
export function useListKeys(
  { list, top: begin }: Readonly<Record<'list' | 'top', RefObject<HTMLElement | null>>>,
  { layout, height, shown }: { layout: Layout; height: number; shown: Window },
): ListKeys {
  const [wanted, setWanted] = useState(0);
  const isPending = useRef(false);
  const { rows, lineOf, perLine } = layout;

  useLayoutEffect(() => {
    if (!isPending.current) return;
    const link = list.current?.querySelector<HTMLElement>(`[data-index="${wanted}"]`);
    if (!link) return;
    isPending.current = false;
    link.focus({ preventScroll: true });
  });

  function move(to: number): void {
    const index = Math.max(0, Math.min(rows.length - 1, to));
    isPending.current = true;
    setWanted(index);
    const top = (begin.current?.getBoundingClientRect().top ?? 0) + (lineOf[index] ?? 0) * height;
    const room = 3 * height;
    if (top < room) scrollBy(0, top - room);
    else if (top + room > innerHeight) scrollBy(0, top + room - innerHeight);
  }

  return {
    active: drawn(layout, wanted, shown),
    onFocus({ target }) {
      const { index } = (target as HTMLElement).dataset;
      if (index !== undefined) setWanted(Number(index));
    },
    onKeyDown(event) {
      const perScreen = Math.max(1, Math.floor(innerHeight / height) - 5) * perLine;
      const steps: Readonly<Record<string, number>> = {
        ArrowDown: perLine,
        ArrowUp: -perLine,
        ...(perLine > 1 ? { ArrowRight: 1, ArrowLeft: -1 } : {}),
        PageDown: perScreen,
        PageUp: -perScreen,
        Home: -rows.length,
        End: rows.length,
      };
      const change = steps[event.key];
      if (change === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      move(wanted + change);
    },
  };
}

/** The wanted link where it is drawn; else the first one that is. */
function drawn({ lineOf }: Layout, wanted: number, { first, end }: Window): number {
  const line = lineOf[wanted] ?? -1;
  return line >= first && line < end ? wanted : lineOf.findIndex((each) => each >= first);
}
