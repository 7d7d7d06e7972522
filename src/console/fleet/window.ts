/** Which lines of a long list are drawn: those that the window shows, and some around them. */
import type { RefObject } from 'preact';
import { useLayoutEffect, useRef, useState } from 'preact/hooks';

export interface Window {
  readonly first: number;
  /** Itself excluded. */
  readonly end: number;
}

const around = 12;
/** The window moves by so many lines, so that most frames of a scroll draw nothing. */
const step = 6;
const linesOfPrint = 2_000;

/** Lines of one height, from the top of `ref` on, scrolled by the page. */
export function useWindow(
  ref: RefObject<HTMLElement | null>,
  { count, height }: { count: number; height: number },
): Window {
  const [shown, setShown] = useState<Window>({ first: 0, end: 60 });
  const [isPrinted, setPrinted] = useState(false);
  const latest = useRef({ count, height });
  latest.current = { count, height };

  useLayoutEffect(() => {
    const look = (): void => {
      const { count, height } = latest.current;
      const top = -(ref.current?.getBoundingClientRect().top ?? 0) / height;
      const seen = Math.ceil(innerHeight / height);
      const first = Math.max(0, Math.min(top, count - seen) - around);
      const quantized = Math.floor(first / step) * step;
      const end = quantized + Math.ceil((seen + 2 * around + step) / step) * step;
      setShown((before) =>
        before.first === quantized && before.end === end ? before : { first: quantized, end },
      );
    };
    const print = (): void => setPrinted(true);
    const printed = (): void => setPrinted(false);
    look();
    addEventListener('scroll', look, { passive: true });
    addEventListener('resize', look);
    addEventListener('beforeprint', print);
    addEventListener('afterprint', printed);
    return () => {
      removeEventListener('scroll', look);
      removeEventListener('resize', look);
      removeEventListener('beforeprint', print);
      removeEventListener('afterprint', printed);
    };
  }, [ref, height, count]);

  if (isPrinted) return { first: 0, end: Math.min(count, linesOfPrint) };
  return { first: Math.min(shown.first, count), end: Math.min(shown.end, count) };
}
