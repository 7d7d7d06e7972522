/** The pauses of a loop. A wake-up ends a pause that allows it, or prevents the next one. */

export interface Pauses {
  /** Whether `wake` was called since `begin`. */
  readonly isWoken: boolean;
  /** A round of the loop begins: earlier wake-ups are served by it. */
  begin(): void;
  wake(): void;
  /** Waits, with `wakes` until woken at the latest. */
  pause(ms: number, options: { wakes: boolean }): Promise<void>;
  /** Ends the present pause and all later ones. */
  stop(): void;
}

/** Creates the pauses of one loop. */
export function createPauses(): Pauses {
  let isWoken = false;
  let isStopped = false;
  let present: { readonly wakes: boolean; end(): void } | null = null;
  return {
    get isWoken() {
      return isWoken;
    },
    begin() {
      isWoken = false;
    },
    wake() {
      isWoken = true;
      if (present?.wakes) present.end();
    },
    pause(ms, { wakes }) {
      if (isStopped || ms <= 0 || (wakes && isWoken)) return Promise.resolve();
      return new Promise((resolve) => {
        const end = () => {
          clearTimeout(timer);
          present = null;
          resolve();
        };
        const timer = setTimeout(end, ms);
        present = { wakes, end };
      });
    },
    stop() {
      isStopped = true;
      present?.end();
    },
  };
}
