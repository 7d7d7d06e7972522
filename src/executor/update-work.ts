/** What the executor does for the update of a runtime, before it restarts the instance. */
import type { WorkKind } from '../lifecycle/change.ts';
import { updatePhases } from '../lifecycle/operation.ts';
import { updateTarget } from '../store/read/targets.ts';
import { firstCause } from '../store/work/work.ts';
import { callDriver, failureOf, isFinal } from './call.ts';
import { containerImage } from './image.ts';
import { withProgress } from './progress.ts';
import { observe, target } from './runtime-work.ts';
import type { WorkHandler } from './work-handler.ts';

const pullImage: WorkHandler = async (context, item) => {
  const { operationId } = item;
  const update = operationId && (await updateTarget(context.store, operationId));
  const found = update ? await target(context, item) : null;
  if (!update || !found) return 'DONE';
  const { driver, handle } = found;
  try {
    const image = await containerImage(context.store, update);
    const { imageDigest: digest } = await withProgress(context, item, (onProgress) =>
      callDriver(
        item,
        { signal: context.signal, seconds: driver.limits.deployContainer, name: 'deployContainer' },
        (call) => driver.deployContainer(handle, image, { ...call, onProgress, anew: true }),
      ),
    );
    await observe(context, item, { kind: 'IMAGE_PULLED', operationId, digest });
  } catch (error) {
    if (!isFinal(error)) throw error;
    const failure = failureOf(error, updatePhases.pulling);
    await observe(context, item, { kind: 'PULL_FAILED', operationId, failure });
  }
  return 'DONE';
};

const pullDeadline: WorkHandler = async (context, item) => {
  const { operationId } = item;
  if (!operationId) return 'DONE';
  const cause = await firstCause(context.store, item.resourceId, ['PULL_IMAGE']);
  await observe(context, item, { kind: 'PULL_DEADLINE', operationId, cause });
  return 'DONE';
};

export const updateWork = {
  PULL_IMAGE: pullImage,
  PULL_DEADLINE: pullDeadline,
} satisfies Partial<Record<WorkKind, WorkHandler>>;
