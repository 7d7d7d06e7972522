/** The running calls of a driver, so that closing it aborts them. */
import { setMaxListeners } from 'node:events';
import type { Call } from './driver.ts';

export interface InFlight {
  /** Runs a call's work with a signal that is aborted by the caller or by `endAll`. */
  run<T>(call: Call, work: (call: Call) => Promise<T>): Promise<T>;
  endAll(): void;
}

/** Not `AbortSignal.any`: on Node 20 a long-lived source keeps every signal made from it. */
export function createInFlight(): InFlight {
  const open = new Set<AbortController>();
  let ended = false;
  return {
    async run({ fencingToken, signal }, work) {
      const controller = new AbortController();
      setMaxListeners(0, controller.signal); // A verb may ask many things at once.
      const abort = (): void => controller.abort();
      if (signal.aborted || ended) abort();
      open.add(controller);
      signal.addEventListener('abort', abort, { once: true });
      try {
        return await work({ fencingToken, signal: controller.signal });
      } finally {
        signal.removeEventListener('abort', abort);
        open.delete(controller);
      }
    },
    endAll() {
      ended = true;
      for (const controller of open) controller.abort();
    },
  };
}
