/** What the executor does for container repositories: reads their tags from the registry. */
import { DriverError } from '../drivers/driver.ts';
import { RegistryRepository } from '../drivers/registry/repository.ts';
import type { WorkKind } from '../lifecycle/change.ts';
import { failureAt } from '../lifecycle/failure.ts';
import {
  beginTagSync,
  endTagSync,
  type ReadTag,
  recordTagProgress,
  type TagSync,
  type TagSyncEnd,
} from '../store/resource/container-tag-sync.ts';
import { SecretError } from '../store/secret/keys.ts';
import type { WorkItem } from '../store/work/work.ts';
import { runWithin } from '../timing/time-limit.ts';
import { failureOf } from './call.ts';
import type { WorkContext, WorkHandler } from './work-handler.ts';

const stage = 'READING_TAGS';
/** As many tags as a container repository has at most. */
const maxTags = 1000;
const concurrentTags = 4;
const progressMs = 1000;
/** Delay until another worker reads, where this one stops. */
const handOverSeconds = 0.1;

/** A tag behind which there is no image that can be read. It is shown, and fails nothing. */
const unreadable = ['PLATFORM_NOT_FOUND', 'MANIFEST_UNSUPPORTED'];

const hasCode = (error: unknown, codes: readonly string[]): boolean =>
  error instanceof DriverError && codes.includes(error.code);

const syncContainerTags: WorkHandler = async (context, item) => {
  const sync = await begin(context, item);
  if (sync && 'status' in sync) await endTagSync(context.store, item, sync);
  else if (sync) {
    const end = await readWithin(context, item, sync);
    if (context.signal.aborted) return { againInSeconds: handOverSeconds };
    if (end) await endTagSync(context.store, item, end);
  }
  return 'DONE';
};

async function begin({ store }: WorkContext, item: WorkItem): Promise<TagSync | TagSyncEnd | null> {
  try {
    return await beginTagSync(store, item);
  } catch (error) {
    if (!(error instanceof SecretError)) throw error;
    const message = `The password of the registry cannot be read. ${error.message}`;
    return { status: 'FAILED', failure: failureAt(stage, error.code, message) };
  }
}

/** Null: this worker has lost the item. A failure is the end: who asked sees it, and may ask again. */
async function readWithin(
  context: WorkContext,
  item: WorkItem,
  sync: TagSync,
): Promise<TagSyncEnd | null> {
  const deadlineMs = Math.max(0, sync.secondsLeft) * 1000;
  const endAt = performance.now() + deadlineMs;
  const isLate = () => performance.now() >= endAt;
  try {
    if (isLate()) throw new Error('The deadline is over.');
    const tags = await runWithin(deadlineMs, context.signal, (signal) =>
      readTags({ ...context, signal }, item, sync),
    );
    return tags && { status: 'SUCCEEDED', tags };
  } catch (error) {
    if (!isLate()) return { status: 'FAILED', failure: failureOf(error, stage) };
    const message = `The tags of ${sync.image} were not read by the deadline: read them again; if it stays so, look at the registry.`;
    return { status: 'TIMED_OUT', failure: failureAt(stage, 'DEADLINE_EXCEEDED', message) };
  }
}

/** Null: this worker has lost the item. */
async function readTags(
  { store, signal }: WorkContext,
  item: WorkItem,
  sync: TagSync,
): Promise<ReadTag[] | null> {
  const registry = new RegistryRepository(sync);
  const names = newest(await registry.tagNames(signal));
  /** In the order of the names. */
  const read: (ReadTag | null)[] = [];
  let taken = 0;
  let isLost = false;
  let shownAt = performance.now();
  const show = async (): Promise<void> => {
    if (performance.now() - shownAt < progressMs) return;
    shownAt = performance.now();
    isLost = !(await recordTagProgress(store, item, taken / names.length));
  };
  const take = async (): Promise<void> => {
    for (let name = names[taken]; name !== undefined && !isLost; name = names[taken]) {
      const place = taken;
      taken += 1;
      read[place] = await readTag(registry, { name, known: sync.digests.get(name), signal });
      await show();
    }
  };
  await Promise.all(Array.from({ length: concurrentTags }, take));
  return isLost ? null : read.filter((tag) => tag !== null);
}

/** Null: it was removed meanwhile. What is known of the same digest is not read again. */
async function readTag(
  registry: RegistryRepository,
  { name, known, signal }: { name: string; known: string | undefined; signal: AbortSignal },
): Promise<ReadTag | null> {
  try {
    if (known && (await registry.digest(name, signal)) === known) {
      return { tag: name, digest: known, image: null };
    }
    const { digest, createdAt, sizeBytes } = await registry.resolve(name, null, signal);
    return { tag: name, digest, image: { createdAt, sizeBytes } };
  } catch (error) {
    if (hasCode(error, ['TAG_NOT_FOUND'])) return null;
    if (!hasCode(error, unreadable)) throw error;
    return { tag: name, digest: await registry.digest(name, signal), image: 'UNKNOWN' };
  }
}

const byVersion = new Intl.Collator('en', { numeric: true });

/** The last of them in the order of versions, in which 1.10 comes after 1.9. */
const newest = (names: readonly string[]): string[] =>
  [...names].sort(byVersion.compare).slice(-maxTags);

export const tagWork = { SYNC_CONTAINER_TAGS: syncContainerTags } satisfies Partial<
  Record<WorkKind, WorkHandler>
>;
