/** State outside of React, whose readers are told at once, then at most ten times a second. */
import { useSyncExternalStore } from 'react';

/** A burst of events renders at this interval: faster than anyone reads. */
const pauseMilliseconds = 100;

export interface Observable {
  subscribe(listener: () => void): () => void;
  /** Grows with every change that has been told. */
  version(): number;
}

/** @returns the observable, and the function that announces a change of what it stands for */
export function createObservable(): [Observable, () => void] {
  const listeners = new Set<() => void>();
  let version = 0;
  let scheduled = false;
  let told = 0;
  const tell = (): void => {
    scheduled = false;
    told = performance.now();
    version += 1;
    for (const listener of [...listeners]) listener();
  };
  const observable: Observable = {
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    version: () => version,
  };
  const changed = (): void => {
    if (scheduled) return;
    scheduled = true;
    const wait = told + pauseMilliseconds - performance.now();
    if (wait > 0) setTimeout(tell, wait);
    else requestAnimationFrame(tell);
  };
  return [observable, changed];
}

/** Renders the component again after each change. @returns the version, for `useMemo` */
export function useObservable({ subscribe, version }: Observable): number {
  return useSyncExternalStore(subscribe, version);
}
