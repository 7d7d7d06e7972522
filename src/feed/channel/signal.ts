/** Async iterables that signal that something is new. They carry no data: the consumer reads the store. */

export interface Signal {
  readonly iterable: AsyncIterableIterator<void>;
  /** Something is new. Calls made before the consumer asks again are merged into one. */
  notify(): void;
  /** Ends the iterable, after a signal that is still due. */
  end(): void;
}

/** Creates a signal that is due at once, so that the consumer's first read needs no special case. */
export function createSignal(onEnd: () => void): Signal {
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
    notify() {
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

/** A signal under names. */
export interface NamedSignal extends AsyncIterableIterator<void> {
  /** Signals under another name, too. */
  add(name: string): void;
}

export interface Signals {
  /** Opens a signal under a name, until its consumer or `end` ends it. */
  open(name: string): NamedSignal;
  notify(name: string): void;
  notifyAll(): void;
  end(): void;
}

/** Creates signals by name. */
export function createSignals(): Signals {
  const byName = new Map<string, Set<Signal>>();
  let ended = false;
  return {
    open(name) {
      const names = new Set<string>();
      let isOpen = true;
      const signal = createSignal(() => {
        isOpen = false;
        for (const each of names) {
          const signals = byName.get(each);
          signals?.delete(signal);
          if (signals?.size === 0) byName.delete(each);
        }
      });
      function add(another: string): void {
        if (!isOpen) return;
        names.add(another);
        const signals = byName.get(another) ?? new Set();
        byName.set(another, signals.add(signal));
      }
      add(name);
      if (ended) signal.end();
      return Object.assign(signal.iterable, { add });
    },
    notify(name) {
      for (const signal of byName.get(name) ?? []) signal.notify();
    },
    notifyAll() {
      for (const signals of byName.values()) for (const signal of signals) signal.notify();
    },
    end() {
      ended = true;
      for (const signals of [...byName.values()]) for (const signal of [...signals]) signal.end();
    },
  };
}
