/** A cache of rendered items: each is rendered once, for all groups with the same document. */

export interface RenderCache<Item, Payload> {
  /** The payload of an item; the same promise or payload while it is cached. */
  get(item: Item): Payload | Promise<Payload>;
}

/** A budget of bytes that many caches share. The oldest entries are evicted first. */
export interface CacheBudget {
  /** Adds an entry; `drop` is called once, when it is evicted. */
  add(bytes: number, drop: () => void): void;
}

export interface RenderCacheOptions<Item, Payload> {
  readonly render: (item: Item) => Payload | Promise<Payload>;
  /** Approximate size of a payload in bytes. */
  readonly sizeOf: (payload: Payload) => number;
  readonly budget: CacheBudget;
  /** Whether a payload may be cached: another group may ask for it, and would get the same. */
  readonly isCacheable: (item: Item, payload: Payload) => boolean;
}

/** Creates an empty cache of rendered items. */
export function createRenderCache<Item, Payload>(
  options: RenderCacheOptions<Item, Payload>,
): RenderCache<Item, Payload> {
  const { render, sizeOf, budget, isCacheable } = options;
  const payloads = new Map<Item, Payload | Promise<Payload>>();

  function keep(item: Item, payload: Payload): Payload {
    if (!isCacheable(item, payload)) {
      payloads.delete(item);
      return payload;
    }
    payloads.set(item, payload);
    budget.add(sizeOf(payload), () => payloads.delete(item));
    return payload;
  }

  return {
    get(item) {
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

/** A budget of `bytes`; an entry that does not fit evicts older ones, or itself. */
export function createCacheBudget(bytes: number): CacheBudget {
  /** Entries before `first` are evicted and null, until the array is copied. */
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
