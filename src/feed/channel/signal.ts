/** Async iterables that signal that something is new. They carry no data: the consumer reads the store. */
import { Repeater, SlidingBuffer } from '@repeaterjs/repeater';

/** A signal under names. */
export interface NamedSignal extends AsyncIterableIterator<void> {
  /** Signals under another name, too. */
  add(name: string): void;
}

export interface Signals {
  /**
   * A signal of this name that is due at once, so that the consumer's first read needs no special case.
   * Notifications that arrive before the consumer asks again are merged into one.
   */
  open(name: string): NamedSignal;
  notify(name: string): void;
  notifyAll(): void;
  /** Ends all signals; one that is due still arrives. */
  end(): void;
}

interface OpenSignal {
  notify(): void;
  end(): void;
}

/** Creates signals by name. */
export function createSignals(): Signals {
  const byName = new Map<string, Set<OpenSignal>>();
  let hasEnded = false;

  function add(name: string, signal: OpenSignal): () => void {
    const signals = byName.get(name) ?? new Set();
    byName.set(name, signals);
    signals.add(signal);
    return () => {
      signals.delete(signal);
      if (signals.size === 0 && byName.get(name) === signals) byName.delete(name);
    };
  }

  return {
    open(first) {
      const names = new Set([first]);
      let register: (name: string) => void = () => {};
      const signals = new Repeater<void>((push, stop) => {
        const signal = { notify: () => void push(undefined), end: () => stop() };
        const removals: (() => void)[] = [];
        register = (name) => removals.push(add(name, signal));
        for (const name of names) register(name);
        void stop.then(() => {
          register = () => {};
          for (const remove of removals) remove();
        });
        signal.notify();
        if (hasEnded) signal.end();
      }, new SlidingBuffer(1));
      return Object.assign(signals, {
        add(name: string) {
          if (names.has(name)) return;
          names.add(name);
          register(name);
        },
      });
    },
    notify(name) {
      for (const signal of byName.get(name) ?? []) signal.notify();
    },
    notifyAll() {
      for (const signals of byName.values()) for (const signal of signals) signal.notify();
    },
    end() {
      hasEnded = true;
      for (const signals of [...byName.values()]) for (const signal of [...signals]) signal.end();
    },
  };
}
