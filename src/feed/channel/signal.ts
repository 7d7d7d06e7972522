/** Async iterables that say that something is new, never what: who is told reads for itself. */

export interface Pulse {
  readonly iterable: AsyncIterableIterator<void>;
  /** Something is new; several before the reader comes back are one. */
  fire(): void;
  /** Ends the iterable, after what is still to be told. */
  end(): void;
}

/** A pulse that is due from the start, so that its reader's first read is not one of its own. */
export function createPulse(onEnd: () => void): Pulse {
  let due = true;
  let ended = false;
  let waiting: ((result: IteratorResult<void>) => void)[] = [];

  function settle(): void {
    if (due && waiting.length > 0) {
      due = false;
      waiting.shift()?.({ done: false, value: undefined });
    }
    if (!ended) return;
    for (const resolve of waiting) resolve({ done: true, value: undefined });
    waiting = [];
  }
  function end(): void {
    if (ended) return;
    ended = true;
    settle();
    onEnd();
  }
  return {
    fire() {
      if (ended) return;
      due = true;
      settle();
    },
    end,
    iterable: {
      [Symbol.asyncIterator]() {
        return this;
      },
      next() {
        return new Promise((resolve) => {
          waiting.push(resolve);
          settle();
        });
      },
      async return() {
        due = false;
        end();
        return { done: true, value: undefined };
      },
    },
  };
}

export interface Pulses {
  /** A pulse under a name, until its reader or `end` ends it. */
  open(name: string): AsyncIterableIterator<void>;
  fire(name: string): void;
  fireAll(): void;
  end(): void;
}

/** Pulses by name. */
export function createPulses(): Pulses {
  const named = new Map<string, Set<Pulse>>();
  let ended = false;
  return {
    open(name) {
      const pulses = named.get(name) ?? new Set();
      named.set(name, pulses);
      const pulse = createPulse(() => {
        pulses.delete(pulse);
        if (pulses.size === 0 && named.get(name) === pulses) named.delete(name);
      });
      pulses.add(pulse);
      if (ended) pulse.end();
      return pulse.iterable;
    },
    fire(name) {
      for (const pulse of named.get(name) ?? []) pulse.fire();
    },
    fireAll() {
      for (const pulses of named.values()) for (const pulse of pulses) pulse.fire();
    },
    end() {
      ended = true;
      for (const pulses of [...named.values()]) for (const pulse of [...pulses]) pulse.end();
    },
  };
}
