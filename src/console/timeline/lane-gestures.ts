/** Wheel, drag and pinch on the picture of a history. */
import type { LaneWindow } from './lane-window.ts';

/** @returns a function that ends it */
export function followGestures(element: SVGSVGElement, view: LaneWindow): () => void {
  const pointers = new Map<number, number>();
  /** The moment below a place of the screen. */
  const timeAt = (x: number): number => {
    const { left, width } = element.getBoundingClientRect();
    const { from, to } = view.span();
    return from + ((x - left) / width) * (to - from);
  };
  const width = (): number => element.getBoundingClientRect().width || 1;

  /** A plain wheel scrolls the page, unless the picture has the focus. */
  function onWheel(event: WheelEvent): void {
    const { deltaX, deltaY, clientX } = event;
    const isZoom = event.ctrlKey || event.metaKey || document.activeElement === element;
    const sideways = event.shiftKey ? deltaY || deltaX : deltaX;
    if (sideways !== 0 && (event.shiftKey || Math.abs(deltaX) > Math.abs(deltaY)))
      view.pan(sideways / width());
    else if (isZoom) view.zoom(Math.exp(deltaY / 300), timeAt(clientX));
    else return;
    event.preventDefault();
  }
  function onDown({ pointerId, clientX }: PointerEvent): void {
    pointers.set(pointerId, clientX);
  }
  function onMove({ pointerId, clientX, buttons }: PointerEvent): void {
    const before = pointers.get(pointerId);
    if (before === undefined) return;
    if (buttons === 0) {
      onUp({ pointerId });
      return;
    }
    if (pointers.size === 1 && Math.abs(clientX - before) < 2) return;
    const other = [...pointers].find(([id]) => id !== pointerId)?.[1];
    if (other === undefined) view.pan((before - clientX) / width());
    else {
      const [was, is] = [Math.abs(before - other), Math.abs(clientX - other)];
      if (was > 5 && is > 5) view.zoom(was / is, timeAt((clientX + other) / 2));
    }
    pointers.set(pointerId, clientX);
    if (pointers.size === 1 && !element.hasPointerCapture(pointerId))
      element.setPointerCapture(pointerId);
  }
  function onUp({ pointerId }: { pointerId: number }): void {
    pointers.delete(pointerId);
  }
  element.addEventListener('wheel', onWheel, { passive: false });
  element.addEventListener('pointerdown', onDown);
  element.addEventListener('pointermove', onMove);
  element.addEventListener('pointerup', onUp);
  element.addEventListener('pointercancel', onUp);
  return () => {
    element.removeEventListener('wheel', onWheel);
    element.removeEventListener('pointerdown', onDown);
    element.removeEventListener('pointermove', onMove);
    element.removeEventListener('pointerup', onUp);
    element.removeEventListener('pointercancel', onUp);
  };
}
