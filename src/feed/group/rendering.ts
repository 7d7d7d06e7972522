/** Items as their subscribers get them: made once, however many groups ask, and kept for a while. */

export interface Rendering<Item, Payload> {
  /** The same promise or payload while it is kept. */
  payloadOf(item: Item): Payload | Promise<Payload>;
}

/** A budget that many share: what was added first goes first. */
export interface Kept {
  /** Counts so many bytes; `drop` is called once when they have to go. */
  add(bytes: number, drop: () => void): void;
}

export interface RenderingOptions<Item, Payload> {
  readonly render: (item: Item) => Payload | Promise<Payload>;
  /** Bytes of a payload, roughly. */
  readonly sizeOf: (payload: Payload) => number;
  readonly kept: Kept;
  /** What nobody else will ask for, or what may be another next time, is not kept. */
  readonly mayKeep: (item: Item, payload: Payload) => boolean;
}

export function createRendering<Item, Payload>(
  options: RenderingOptions<Item, Payload>,
): Rendering<Item, Payload> {
  const { render, sizeOf, kept, mayKeep } = options;
  const payloads = new Map<Item, Payload | Promise<Payload>>();

  function keep(item: Item, payload: Payload): Payload {
    if (!mayKeep(item, payload)) {
      payloads.delete(item);
      return payload;
    }
    payloads.set(item, payload);
    kept.add(sizeOf(payload), () => payloads.delete(item));
    return payload;
  }

  return {
    payloadOf(item) {
      const known = payloads.get(item);
      if (known !== undefined) return known;
      const payload = render(item);
      if (!(payload instanceof Promise)) return keep(item, payload);
      payloads.set(item, payload);
      payload.then(
        (value) => keep(item, value),
        () => payloads.delete(item),
      );
      return payload;
    },
  };
}

/** Keeps `bytes` in all, a little less or more by what is added last. */
export function createKept(bytes: number): Kept {
  /** Those before `first` are dropped, and empty until the array is made anew. */
  let entries: ({ readonly bytes: number; readonly drop: () => void } | null)[] = [];
  let first = 0;
  let held = 0;
  return {
    add(size, drop) {
      entries.push({ bytes: size, drop });
      held += size;
      for (let entry = entries[first]; entry && held > bytes; entry = entries[first]) {
        entries[first] = null;
        first += 1;
        held -= entry.bytes;
        entry.drop();
      }
      if (first > 1000 && first > entries.length / 2) {
        entries = entries.slice(first);
        first = 0;
      }
    },
  };
}
