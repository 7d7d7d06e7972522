/** A budget that many share: what was added first goes first. */
export interface Kept {
  /** Counts so many bytes; `drop` is called once when they have to go. */
  add(bytes: number, drop: () => void): void;
}

/** Keeps `bytes` in all, a little less or more by what is added last. */
export function createKept(bytes: number): Kept {
  const entries = new Set<{ readonly bytes: number; readonly drop: () => void }>();
  let held = 0;
  return {
    add(size, drop) {
      entries.add({ bytes: size, drop });
      held += size;
      for (const entry of entries) {
        if (held <= bytes) break;
        entries.delete(entry);
        held -= entry.bytes;
        entry.drop();
      }
    },
  };
}
