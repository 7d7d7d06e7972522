/** The context of resolvers: the viewer, the store, the feed, this server. */
import DataLoader from 'dataloader';
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
export interface RequestInfo {
  /** `Last-Event-ID` of an EventSource; it replaces the argument `after`. */
  readonly lastEventId: string | null;
  /** Aborted when nobody waits for the result any more. */
  readonly signal: AbortSignal;
}

export interface Context {
  readonly request?: RequestInfo;
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
    accessKeyId: viewer.accessKeyId,
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
  const loaders = new Map<string, DataLoader<string, unknown>>();
  return {
    async load<Value>(name: string, key: string, loadMany: LoadMany<Value>) {
      let loader = loaders.get(name);
      if (!loader) {
        loader = createLoader<Value | null>(async (keys) => {
          const values = await loadMany([...new Set(keys)]);
          return keys.map((each) => values.get(each) ?? null);
        });
        loaders.set(name, loader);
      }
      return loader.load(key) as Promise<Value | null>;
    },
  };
}

const createLoader = <Value>(loadMany: (keys: readonly string[]) => Promise<Value[]>) =>
  new DataLoader<string, Value>(loadMany, { cache: false, batchScheduleFn: setImmediate });
