/** The function that performs one kind of work: what it is given, and what it returns. */

import type { DnsProvider } from '../drivers/dns/provider.ts';
import type { Driver } from '../drivers/driver.ts';
import type { Store } from '../store/commit/store.ts';
import type { InstanceTarget } from '../store/read/targets.ts';
import type { StoredFailure } from '../store/table/schema.ts';
import type { WorkItem } from '../store/work/work.ts';
import type { ProviderRef } from './provider-drivers.ts';

/** Performs an item. An error that it throws is a failed attempt, which is repeated. */
export type WorkHandler = (context: WorkContext, item: WorkItem) => Promise<Outcome>;

/** DONE: nothing is left to do (the commit removed the item, or the item is void). */
export type Outcome =
  | 'DONE'
  | {
      readonly againInSeconds: number;
      /** Stored only if it is the first cause. */
      readonly cause?: StoredFailure;
      /** Not a failed attempt: attempts are counted anew. */
      readonly resetAttempts?: boolean;
    };

/** What the handler of an item gets. */
export interface WorkContext {
  readonly store: Store;
  readonly dns: DnsProvider;
  readonly signal: AbortSignal;
  readonly heartbeatSeconds: number;
  readonly authorities: string | null;
  endpoint(): string;
  driverOf(provider: ProviderRef): Promise<Driver>;
  /** The instance as it is now; items that are performed together read theirs together. */
  instanceTarget(id: string): Promise<InstanceTarget | null>;
  wake(): void;
}
