/** Where the keyboard goes when the element that has its focus leaves the page. */
import { type RefObject, useLayoutEffect, useRef } from 'react';

/**
 * @param heir called before the element leaves; what it returns is called after that. By itself the focus would
 * fall to the body, and the tab key begin at the top.
 */
export function usePassFocus<E extends HTMLElement>(
  heir: (leaving: E) => () => HTMLElement | null | undefined,
): RefObject<E | null> {
  const element = useRef<E>(null);
  const find = useRef(heir);
  useLayoutEffect(() => {
    const leaving = element.current;
    return () => {
      if (!leaving?.contains(document.activeElement)) return;
      const found = find.current(leaving);
      queueMicrotask(() => found()?.focus());
    };
  }, []);
  return element;
}

/** The state of the subscription in the response pane, else the button that runs an operation. */
export const toResponse = () => (): HTMLElement | null =>
  document.querySelector<HTMLElement>('.im-log .im-stream-state') ??
  document.querySelector<HTMLElement>('.graphiql-execute-button');
