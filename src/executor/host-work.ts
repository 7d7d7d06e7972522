/** What the executor does for hosts: one function per kind of work, in the order of a deployment. */
import { type Driver, DriverError } from '../drivers/driver.ts';
import { fits, lessOf, resourcesText } from '../lifecycle/capacity.ts';
import type { WorkKind } from '../lifecycle/change.ts';
import { defaultImage, sizes } from '../lifecycle/compute.ts';
import { hostStateFacts } from '../lifecycle/host.ts';
import { isLive } from '../lifecycle/host-commands.ts';
import type { HostObservation } from '../lifecycle/host-observations.ts';
import { recordHostObservation } from '../store/command/observations.ts';
import { hostSnapshot } from '../store/command/snapshot.ts';
import { roomFor } from '../store/read/providers.ts';
import { type HostTarget, hostTarget } from '../store/read/targets.ts';
import type { StoredFailure } from '../store/table/schema.ts';
import { databaseTime, firstCause, recordCheck, type WorkItem } from '../store/work/work.ts';
import { callDriver, failureOf, isFinal, stageOf } from './call.ts';
import { publishName, withdrawName } from './dns-work.ts';
import { containerImage } from './image.ts';
import { withProgress } from './progress.ts';
import type { WorkContext, WorkHandler } from './work-handler.ts';

const observe = ({ store }: WorkContext, item: WorkItem, observation: HostObservation) =>
  recordHostObservation(store, item.resourceId, observation, { heldItem: item });

async function target(
  context: WorkContext,
  item: WorkItem,
): Promise<{ host: HostTarget; driver: Driver } | null> {
  const host = await hostTarget(context.store, item.resourceId);
  return host && { host, driver: await context.driverOf(providerOf(host)) };
}

const providerOf = ({ driver: kind, providerId, providerVersion: version }: HostTarget) => ({
  ...{ kind, providerId, version },
});

/** A stage of the deployment. A failure that no retry can mend fails it; others are retried. */
function stage(kind: WorkKind, work: WorkHandler): WorkHandler {
  return async (context, item) => {
    try {
      return await work(context, item);
    } catch (error) {
      if (!isFinal(error)) throw error;
      const failure = failureOf(error, stageOf(kind));
      await observe(context, item, { kind: 'STAGE_FAILED', failure });
      return 'DONE';
    }
  };
}

const requestOf = (host: HostTarget) => ({
  hostId: host.id,
  hostKey: host.key,
  size: host.size,
  resources: sizes[host.size],
});

/** @throws DriverError PROVIDER_FULL if the provider has no room for the host */
async function checkRoom({ store }: WorkContext, { id, size }: HostTarget): Promise<void> {
  const room = await roomFor(store, id);
  if (!room) return;
  const { provider, capacity, taken } = room;
  const free = lessOf(capacity, taken);
  if (fits(sizes[size], free)) return;
  throw new DriverError(
    'PROVIDER_FULL',
    `Provider ${provider} has ${resourcesText(free)} free of ${resourcesText(capacity)}, and a host of size ${size} needs ${resourcesText(sizes[size])}. Remove hosts from it, or choose a smaller size or another provider.`,
    { retryable: false },
  );
}

const allocateHost: WorkHandler = async (context, item) => {
  const found = await target(context, item);
  if (!found) return 'DONE';
  const { host, driver } = found;
  await checkRoom(context, host);
  const allocated = await callDriver(
    item,
    { signal: context.signal, seconds: driver.limits.allocateHost, name: 'allocateHost' },
    (call) => driver.allocateHost(requestOf(host), call),
  );
  await observe(context, item, { kind: 'HOST_ONLINE', ...allocated });
  return 'DONE';
};

const configureDns: WorkHandler = async (context, item) => {
  const found = await target(context, item);
  if (!found?.host.address) return 'DONE';
  const { dnsName, address } = found.host;
  const behind = await publishName(context, item, { dnsName, address });
  if (behind) return behind;
  await observe(context, item, { kind: 'DNS_ANSWERS' });
  return 'DONE';
};

async function deployImages(context: WorkContext, item: WorkItem): Promise<string | null> {
  const found = await target(context, item);
  const { handle } = found?.host ?? {};
  if (!found || !handle) return null;
  const { host, driver } = found;
  let digest = '';
  const images = await Promise.all(
    host.images.map((stored) => containerImage(context.store, stored)),
  );
  for (const image of images.length ? images : [defaultImage]) {
    const deployed = await withProgress(context, item, (onProgress) =>
      callDriver(
        item,
        { signal: context.signal, seconds: driver.limits.deployContainer, name: 'deployContainer' },
        (call) => driver.deployContainer(handle, image, { ...call, onProgress }),
      ),
    );
    digest = deployed.imageDigest;
  }
  return digest;
}

const deployContainer: WorkHandler = async (context, item) => {
  const imageDigest = await deployImages(context, item);
  if (imageDigest === null) return 'DONE';
  await observe(context, item, { kind: 'CONTAINER_CREATED', imageDigest });
  return 'DONE';
};

async function checkOf(
  context: WorkContext,
  item: WorkItem,
  mostSeconds = Number.POSITIVE_INFINITY,
): Promise<{ answers: boolean; reason: string }> {
  try {
    const found = await target(context, item);
    const { handle } = found?.host ?? {};
    if (!found || !handle) return { answers: false, reason: 'nothing is allocated for it' };
    const seconds = Math.min(mostSeconds, found.driver.limits.checkHost);
    const observation = await callDriver(
      item,
      { signal: context.signal, seconds, name: 'checkHost' },
      (call) => found.driver.checkHost(handle, context.endpoint(), call),
    );
    return observation.answers ? { answers: true, reason: '' } : observation;
  } catch (error) {
    return { answers: false, reason: error instanceof Error ? error.message : 'unknown' };
  }
}

const confirmHost: WorkHandler = async (context, item) => {
  const check = await checkOf(context, item);
  if (!check.answers) {
    return { againInSeconds: 0.5, cause: causeOf('HOST_SILENT', check.reason, stageOf(item.kind)) };
  }
  await observe(context, item, { kind: 'HOST_ANSWERS' });
  return 'DONE';
};

const restartHost: WorkHandler = async (context, item) => {
  const found = await target(context, item);
  const { handle } = found?.host ?? {};
  if (!found || !handle) return 'DONE';
  const allocated = await callDriver(
    item,
    { signal: context.signal, seconds: found.driver.limits.restartHost, name: 'restartHost' },
    (call) => found.driver.restartHost(requestOf(found.host), handle, call),
  );
  await observe(context, item, { kind: 'RUNTIMES_GONE', ...allocated });
  return 'DONE';
};

const restartContainer: WorkHandler = async (context, item) => {
  const snapshot = await hostSnapshot(context.store, item.resourceId);
  if (snapshot?.host?.state !== 'RESTARTING_CONTAINER') return 'DONE';
  if (snapshot.instances.some(isLive)) return { againInSeconds: 0.2 };
  await deployImages(context, item);
  const check = await checkOf(context, item);
  if (!check.answers) {
    return {
      againInSeconds: 0.5,
      cause: causeOf('HOST_SILENT', check.reason, stageOf(item.kind)),
    };
  }
  const decided = await observe(context, item, { kind: 'CONTAINER_UP' });
  return decided.outcome === 'NOTHING' ? { againInSeconds: 0.2 } : 'DONE';
};

const releaseHost: WorkHandler = async (context, item) => {
  const snapshot = await hostSnapshot(context.store, item.resourceId);
  const found = await target(context, item);
  if (!snapshot || !found) return 'DONE';
  const { host, driver } = found;
  if (snapshot.instances.some(isLive)) return { againInSeconds: 0.2 };
  const behind = await withdrawName(context, item, host);
  if (behind) return behind;
  await callDriver(
    item,
    { signal: context.signal, seconds: driver.limits.releaseHost, name: 'releaseHost' },
    (call) => driver.releaseHost(host.id, host.handle, call),
  );
  const decided = await observe(context, item, { kind: 'HOST_RELEASED' });
  return decided.outcome === 'NOTHING' && snapshot.instances.length > 0
    ? { againInSeconds: 0.2 }
    : 'DONE';
};

const checkHost: WorkHandler = async (context, item) => {
  const found = await target(context, item);
  if (!found) return 'DONE';
  const facts = hostStateFacts[found.host.state];
  if (!facts.checked) {
    // A host that was adopted while it starts up is only told the address of the API.
    const transient = facts.class === 'TRANSIENT';
    const told = found.host.handle === null || (await checkOf(context, item)).answers;
    return told || !transient ? 'DONE' : { againInSeconds: 1 };
  }
  const at = await databaseTime(context.store);
  const check = await checkOf(context, item);
  if (context.signal.aborted) return { againInSeconds: 0 };
  if (await recordCheck(context.store, item.resourceId, { at, answers: check.answers })) {
    const decided = await observe(context, item, { kind: 'HOST_CHECKED', ...check });
    if (decided.outcome === 'WRITTEN') return 'DONE';
  }
  return { againInSeconds: context.store.deadlines.healthCheck, resetAttempts: true };
};

const stageWork: readonly WorkKind[] = [
  'ALLOCATE_HOST',
  'CONFIGURE_DNS',
  'DEPLOY_CONTAINER',
  'CONFIRM_HOST',
  'RESTART_HOST',
  'RESTART_CONTAINER',
];

/** Nobody has worked on the host, because no server has its driver. Null: this server has it. */
async function noDriver(context: WorkContext, host: HostTarget): Promise<StoredFailure | null> {
  try {
    await context.driverOf(providerOf(host));
    return null;
  } catch (error) {
    return failureOf(error, host.state);
  }
}

const hostDeadline: WorkHandler = async (context, item) => {
  const host = await hostTarget(context.store, item.resourceId);
  if (!host || host.sequence !== item.sequence) return 'DONE';
  if (host.removing) return { againInSeconds: 1 };
  const asks = Boolean(hostStateFacts[host.state].deadline?.ifItAnswers);
  const check = asks ? await checkOf(context, item, 3) : { answers: false };
  const cause =
    (await firstCause(context.store, host.id, stageWork)) ?? (await noDriver(context, host));
  const decided = await observe(context, item, {
    kind: 'HOST_DEADLINE',
    sequence: item.sequence,
    answers: check.answers,
    cause,
  });
  return decided.outcome === 'NOTHING' ? { againInSeconds: 1 } : 'DONE';
};

const removalDeadline: WorkHandler = async (context, item) => {
  const cause = await firstCause(context.store, item.resourceId, ['RELEASE_HOST']);
  await observe(context, item, {
    kind: 'REMOVAL_DEADLINE',
    operationId: item.operationId ?? '',
    cause,
  });
  return 'DONE';
};

const causeOf = (code: string, message: string, at: string) => ({
  code,
  message,
  stage: at,
  exitCode: null,
  retryable: true,
  logTail: null,
});

export const hostWork = {
  ALLOCATE_HOST: stage('ALLOCATE_HOST', allocateHost),
  CONFIGURE_DNS: stage('CONFIGURE_DNS', configureDns),
  DEPLOY_CONTAINER: stage('DEPLOY_CONTAINER', deployContainer),
  CONFIRM_HOST: confirmHost,
  RESTART_HOST: restartHost,
  RESTART_CONTAINER: restartContainer,
  RELEASE_HOST: releaseHost,
  CHECK_HOST: checkHost,
  HOST_DEADLINE: hostDeadline,
  REMOVAL_DEADLINE: removalDeadline,
} satisfies Partial<Record<WorkKind, WorkHandler>>;
