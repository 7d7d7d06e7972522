/**
 * Removes what a provider holds for this installation and the store does not know, or knows to be over: what a
 * server has made and could not record, or what was restored on the engine.
 */
import type { Driver } from '../drivers/driver.ts';
import type { Store } from '../store/commit/store.ts';
import { findOrphans, newToken } from '../store/read/orphans.ts';
import { callWithin } from './call.ts';

/**
 * Sweeps one provider. Resolves with what was removed, for the log; rejects with the first failure, after
 * everything else was tried.
 *
 * The token is drawn before the store is read. What a later command makes has a greater token, so a
 * removal that comes too late is refused; what an earlier one makes is in the store already.
 */
export async function sweepOrphans(
  store: Store,
  driver: Driver,
  signal: AbortSignal,
): Promise<readonly object[]> {
  const fencingToken = await newToken(store);
  const { limits } = driver;
  const held = await callWithin(
    { signal, seconds: limits.listHoldings, name: 'listHoldings', fencingToken },
    (call) => driver.listHoldings(call),
  );
  const { hosts, runs } = await findOrphans(store, held);
  const removals = [
    ...hosts.map((hostId) => ({
      what: { hostId },
      removed: callWithin(
        { signal, seconds: limits.releaseHost, name: 'releaseHost', fencingToken },
        (call) => driver.releaseHost(hostId, null, call),
      ),
    })),
    ...runs.map(({ handle, ...run }) => ({
      what: run,
      removed: callWithin(
        { signal, seconds: limits.removeRuntime, name: 'removeRuntime', fencingToken },
        (call) => driver.removeRuntime(handle, run, call),
      ),
    })),
  ];
  const results = await Promise.allSettled(removals.map(({ removed }) => removed));
  const failed = results.find((result) => result.status === 'rejected');
  if (failed) throw failed.reason;
  return removals.map(({ what }) => what);
}
