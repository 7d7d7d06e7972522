/** The context of resolvers: the viewer, the store, the feed, this server. */
import type { Feed } from '../../feed/feed.ts';
import type { Caller, ResourceStore } from '../../store/input/caller.ts';
import type { ServerLimits } from './limits.ts';
import type { Slots } from './slots.ts';
import type { Viewer } from './viewer.ts';

/** The same for every request to this server. */
export interface ServerFacts {
  /** Version of the package. */
  readonly version: string;
  /** Number of migrations applied. */
  readonly schemaVersion: number;
  readonly limits: ServerLimits;
}

/** What resolvers may read of their request. */
export interface RequestFacts {
  /** `Last-Event-ID` of an EventSource; it replaces `after`. */
  readonly lastEventId: string | null;
  /** Aborted when nobody waits for the answer any more. */
  readonly signal: AbortSignal;
}

export interface Context {
  readonly request?: RequestFacts;
  readonly store: ResourceStore;
  readonly feed: Feed;
  readonly viewer: Viewer;
  readonly server: ServerFacts;
  /** `operation(waitSeconds:)` takes a slot before it waits. */
  readonly waiters: Slots;
  /** Batches reads of one request that could not be planned into a statement above them. */
  readonly loaders: Loaders;
}

/** The viewer as the store identifies a caller. */
export function callerOf({ viewer }: Context): Caller {
  return {
    organizationId: viewer.organizationId,
    callerId: viewer.accessKeyId,
    actor: { kind: viewer.kind === 'RUN' ? 'RUNTIME' : 'USER', name: viewer.name },
  };
}

/** Finds many values at once; keys without a value are left out of the map. */
export type LoadMany<Value> = (keys: readonly string[]) => Promise<ReadonlyMap<string, Value>>;

export interface Loaders {
  /**
   * The value of a key, or null. All keys requested in the same tick under the same name are read
   * together. Nothing is cached: the next event of a subscription, which has the same context,
   * reads again.
   */
  load<Value>(name: string, key: string, loadMany: LoadMany<Value>): Promise<Value | null>;
}

/** Makes the loaders of one request. */
export function createLoaders(): Loaders {
  const batches = new Map<string, Batch>();
  return {
    async load<Value>(name: string, key: string, loadMany: LoadMany<Value>) {
      const batch = batches.get(name) ?? startBatch(name, loadMany, batches);
      batch.keys.add(key);
      const values = await batch.values;
      return (values.get(key) ?? null) as Value | null;
    },
  };
}

interface Batch {
  readonly keys: Set<string>;
  readonly values: Promise<ReadonlyMap<string, unknown>>;
}

function startBatch(name: string, loadMany: LoadMany<unknown>, batches: Map<string, Batch>): Batch {
  const keys = new Set<string>();
  const values = new Promise<void>((resolve) => setImmediate(resolve)).then(() => {
    batches.delete(name);
    return loadMany([...keys]);
  });
  const batch = { keys, values };
  batches.set(name, batch);
  return batch;
}
