/** Observations of runtimes, drivers, checks and deadlines: decided by `lifecycle/`, and written. */
import type { Actor } from '../../lifecycle/change.ts';
import { type HostObservation, observeHost } from '../../lifecycle/host-observations.ts';
import {
  type InstanceObservation,
  observeInstance,
} from '../../lifecycle/instance-observations.ts';
import type { HeldItem } from '../commit/options.ts';
import { type Decided, decideAndCommit, type Store } from '../commit/store.ts';
import { hostSnapshot, instanceSnapshot, type StoredSnapshot } from './snapshot.ts';

/** Decides and writes one observation of an instance. */
export function recordInstanceObservation(
  store: Store,
  instanceId: string,
  observation: InstanceObservation,
  options: {
    actor: Actor;
    heldItem?: HeldItem;
    completes?: { id: string; outcome: 'DONE' | 'FAILED'; message: string | null };
    isVoid?: () => Promise<boolean>;
  },
): Promise<Decided<StoredSnapshot>> {
  return decideAndCommit(
    store,
    () => instanceSnapshot(store, instanceId),
    (snapshot, context) => observeInstance(snapshot, observation, context),
    options,
  );
}

/** Decides and writes one observation of a host. */
export function recordHostObservation(
  store: Store,
  hostId: string,
  observation: HostObservation,
  options: { heldItem?: HeldItem } = {},
): Promise<Decided<StoredSnapshot>> {
  return decideAndCommit(
    store,
    () => hostSnapshot(store, hostId),
    (snapshot, context) => observeHost(snapshot, observation, context),
    { actor: observerOf(observation), ...options },
  );
}

function observerOf(observation: HostObservation): Actor {
  switch (observation.kind) {
    case 'HOST_CHECKED':
      return { kind: 'HEALTH_CHECK', name: 'minute check' };
    case 'HOST_DEADLINE':
    case 'REMOVAL_DEADLINE':
      return { kind: 'DEADLINE', name: 'deadline' };
    default:
      return { kind: 'DRIVER', name: 'driver' };
  }
}
