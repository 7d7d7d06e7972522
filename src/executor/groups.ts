/** Which kinds of work share a budget. */
import type { HostDriver } from '../lifecycle/compute.ts';
import type { Claimable } from '../store/work/work.ts';

/** Deadlines expire whatever the drivers do, also those of a driver that no node has. */
export const deadlines: Claimable = {
  kinds: ['HOST_DEADLINE', 'REMOVAL_DEADLINE', 'INSTANCE_DEADLINE', 'PULL_DEADLINE'],
  driver: null,
  limit: 32,
};

/** A registry that hangs delays other registries alone. */
export const registries: Claimable = { kinds: ['SYNC_CONTAINER_TAGS'], driver: null, limit: 8 };

/**
 * Starts at once on one provider. An engine makes containers no faster when it makes more at once (50 of the
 * runtime on 2 processors: 43 s with 8, 47 s with 50), and takes the processors of its machine from what runs there.
 */
const startsAtOnce: Readonly<Record<HostDriver, number>> = { PROCESS: 64, DOCKER: 8 };

/**
 * Each group of a kind of providers has a budget of its own, so that a driver that hangs in one kind of work
 * delays neither other kinds of work nor other kinds of providers. Providers with a driver of their own have
 * each a budget of its own.
 */
export const groupsOf = (driver: HostDriver): Claimable[] => [
  { kinds: ['CHECK_HOST', 'CONFIRM_HOST'], driver, limit: 32 },
  { kinds: ['START_RUNTIME'], driver, limit: startsAtOnce[driver] },
  {
    kinds: ['STOP_RUNTIME', 'KILL_RUNTIME', 'WATCH_RUNTIME', 'CONTINUE_RESTART'],
    driver,
    limit: 64,
  },
  {
    kinds: [
      'ALLOCATE_HOST',
      'CONFIGURE_DNS',
      'DEPLOY_CONTAINER',
      'PULL_IMAGE',
      'RESTART_HOST',
      'RESTART_CONTAINER',
      'RELEASE_HOST',
    ],
    driver,
    limit: 32,
  },
];
