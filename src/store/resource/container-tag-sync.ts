/**
 * Reading the tags of a container repository from its registry: one operation, one item of work, which a
 * worker does under its lease. Each write says with its token whether it still holds the item.
 */
import { randomUUID } from 'node:crypto';
import { and, eq, inArray, sql } from 'drizzle-orm';
import type { Actor } from '../../lifecycle/change.ts';
import { activeStatuses } from '../../lifecycle/operation.ts';
import type { Store } from '../commit/store.ts';
import type { Caller, Transaction } from '../input/caller.ts';
import type { CommonInput, SaveResult } from '../input/save-result.ts';
import { openCredentials, type RegistryCredentials } from '../secret/container-repository.ts';
import {
  containerRepositories,
  containerTags,
  operations,
  type StoredFailure,
  work,
} from '../table/schema.ts';
import type { WorkItem } from '../work/work.ts';
import { findEntry } from './catalogue.ts';
import { append, type Logged, save } from './save.ts';

export interface SyncContainerTagsInput extends CommonInput {
  /** Id or key. */
  containerRepository: string;
}

const kind = 'SYNC_CONTAINER_TAGS';
/** For all tags of one image. */
const deadlineSeconds = 600;
const actor: Actor = { kind: 'SYSTEM', name: 'registry' };

type Repository = typeof containerRepositories.$inferSelect;
type Operation = typeof operations.$inferSelect;

/** Begins the operation, or finds the one that is under way. Answers with its id. */
export function syncContainerTags(
  store: Store,
  caller: Caller,
  input: SyncContainerTagsInput,
): Promise<SaveResult> {
  return save(store, caller, {
    field: 'syncContainerTags',
    input,
    async change(tx, problems) {
      problems.throwIfAny();
      const reference = input.containerRepository;
      const repository = await findEntry(tx, caller, {
        ...{ table: containerRepositories, entity: 'CONTAINER_REPOSITORY', reference },
      });
      const { id: containerRepositoryId } = repository;
      const [underWay] = await tx
        .select({ id: operations.id })
        .from(operations)
        .where(
          and(
            eq(operations.containerRepositoryId, containerRepositoryId),
            inArray(operations.status, [...activeStatuses]),
          ),
        );
      if (underWay) return { id: underWay.id };
      const id = randomUUID();
      const { organizationId } = caller;
      const base = { organizationId, resourceKind: 'CONTAINER_REPOSITORY' } as const;
      await tx.insert(operations).values({
        ...{ ...base, id, kind, containerRepositoryId, status: 'QUEUED' },
        requestedBy: { ...caller.actor },
        reason: input.reason ?? null,
        createdAt: sql`clock_timestamp()`,
        deadlineAt: sql`clock_timestamp() + make_interval(secs => ${deadlineSeconds})`,
      });
      const sequence = await setState(tx, repository, 'SYNCING');
      await tx.insert(work).values({
        ...{ ...base, resourceId: containerRepositoryId, kind, operationId: id, sequence },
        dueAt: sql`clock_timestamp()`,
      });
      const status = { id, sequence, status: 'QUEUED' } as const;
      return { id, logged: [logged(containerRepositoryId, status)], work: true };
    },
  });
}

async function setState(
  tx: Transaction,
  { id, sequence }: Repository,
  state: Repository['state'],
  columns: Partial<Pick<Repository, 'defaultTag'>> & { tagsSyncedAt?: unknown } = {},
): Promise<number> {
  await tx
    .update(containerRepositories)
    .set({ ...columns, state, sequence: sequence + 1 } as never)
    .where(eq(containerRepositories.id, id));
  return sequence + 1;
}

const logged = (
  repositoryId: string,
  { id, sequence, status }: { id: string; sequence: number; status: Operation['status'] },
): Logged => ({
  ...{ kind: 'OPERATION', resource: 'CONTAINER_REPOSITORY', id: repositoryId },
  ...{ sequence, operationId: id, details: { status } },
});

/** What a worker needs for the reading. */
export interface TagSync {
  readonly image: string;
  readonly insecure: boolean;
  readonly credentials: RegistryCredentials | null;
  /** By tag: what it named at the last reading. */
  readonly digests: ReadonlyMap<string, string>;
  /** Until the deadline; negative: it is over. */
  readonly secondsLeft: number;
}

/** Begins or resumes the work. Null: the item is lost. @throws SecretError where the password does not open */
export async function beginTagSync(store: Store, item: WorkItem): Promise<TagSync | null> {
  const begun = await held(store, item, async (tx, { operation, repository }) => {
    const tags = await tx
      .select({ tag: containerTags.tag, digest: containerTags.digest })
      .from(containerTags)
      .where(eq(containerTags.repositoryId, repository.id));
    await tx
      .update(operations)
      .set({
        ...{ status: 'RUNNING', phase: 'LISTING_TAGS', progress: null },
        startedAt: sql`coalesce(${operations.startedAt}, clock_timestamp())`,
      })
      .where(eq(operations.id, operation.id));
    const [left] = await tx
      .select({
        seconds: sql<number>`extract(epoch from deadline_at - clock_timestamp())::float8`,
      })
      .from(operations)
      .where(eq(operations.id, operation.id));
    const status = { id: operation.id, sequence: repository.sequence, status: 'RUNNING' } as const;
    return { logged: logged(repository.id, status), repository, tags, left: left?.seconds ?? 0 };
  });
  if (!begun) return null;
  const { image, insecure } = begun.repository;
  return {
    ...{ image, insecure, secondsLeft: begun.left },
    credentials: openCredentials(store.secretKeys, begun.repository),
    digests: new Map(begun.tags.flatMap(({ tag, digest }) => (digest ? [[tag, digest]] : []))),
  };
}

/** Shows how much is read, 0 to 1. False: the item is lost. */
export async function recordTagProgress(
  store: Store,
  item: WorkItem,
  progress: number,
): Promise<boolean> {
  const done = await held(store, item, async (tx, { operation, repository }) => {
    await tx
      .update(operations)
      .set({ phase: 'READING_TAGS', progress })
      .where(eq(operations.id, operation.id));
    const status = { id: operation.id, sequence: repository.sequence, status: 'RUNNING' } as const;
    return { logged: logged(repository.id, status) };
  });
  return done !== null;
}

export interface ReadTag {
  readonly tag: string;
  readonly digest: string;
  /** What is behind it; null: as it was at the last reading; UNKNOWN: no image that can be read. */
  readonly image:
    | { readonly createdAt: Date | null; readonly sizeBytes: number }
    | null
    | 'UNKNOWN';
}

export type TagSyncEnd =
  | { readonly status: 'SUCCEEDED'; readonly tags: readonly ReadTag[] }
  | { readonly status: 'FAILED' | 'TIMED_OUT'; readonly failure: StoredFailure };

/** Ends the operation and the work, with the tags. Nothing is written if the item is lost. */
export async function endTagSync(store: Store, item: WorkItem, end: TagSyncEnd): Promise<void> {
  await held(store, item, async (tx, { operation, repository }) => {
    const isRead = end.status === 'SUCCEEDED';
    if (isRead) await writeTags(tx, repository, end.tags);
    const failure = isRead
      ? null
      : { ...end.failure, at: new Date().toISOString(), operationId: operation.id };
    await tx
      .update(operations)
      .set({
        ...{ status: end.status, phase: null, progress: isRead ? 1 : null, failure },
        endedAt: sql`clock_timestamp()`,
      })
      .where(eq(operations.id, operation.id));
    await tx.delete(work).where(and(eq(work.resourceId, repository.id), eq(work.kind, kind)));
    const columns = isRead ? { tagsSyncedAt: sql`clock_timestamp()` } : {};
    const sequence = await setState(tx, repository, 'READY', columns);
    return { logged: logged(repository.id, { ...operation, sequence, status: end.status }) };
  });
}

/**
 * Adds what is new, the oldest image first, and updates the rest. What the registry has no more is removed,
 * unless it was added by hand, is the default, or an instance uses it: then it stays, without a digest.
 */
async function writeTags(
  tx: Transaction,
  { id, organizationId }: Repository,
  tags: readonly ReadTag[],
): Promise<void> {
  const time = ({ image }: ReadTag) =>
    typeof image === 'object' ? (image?.createdAt?.getTime() ?? 0) : 0;
  const rows = [...tags]
    .sort((a, b) => time(a) - time(b))
    .map(({ tag, digest, image }, place) => ({
      ...{ tag, digest, place },
      created: typeof image === 'object' ? (image?.createdAt?.toISOString() ?? null) : null,
      size: typeof image === 'object' ? (image?.sizeBytes ?? null) : null,
    }));
  const read = JSON.stringify(rows);
  await tx.execute(sql`
    with given as (
      select * from jsonb_to_recordset(${read}::text::jsonb)
        v(tag text, digest text, place int, created timestamptz, size bigint))
    insert into container_tags as t (id, organization_id, repository_id, tag, digest,
      image_created_at, size_bytes, created_at)
    select gen_random_uuid(), ${organizationId}::uuid, ${id}::uuid, tag, digest, created, size,
           clock_timestamp() + place * interval '1 millisecond' from given
    on conflict (repository_id, tag) do update set digest = excluded.digest,
      image_created_at = case when t.digest = excluded.digest and excluded.size_bytes is null
        then t.image_created_at else excluded.image_created_at end,
      size_bytes = case when t.digest = excluded.digest and excluded.size_bytes is null
        then t.size_bytes else excluded.size_bytes end`);
  const isGone = sql`t.repository_id = ${id}::uuid and t.digest is not null
    and not exists (select from jsonb_to_recordset(${read}::text::jsonb) v(tag text)
                     where v.tag = t.tag)`;
  await tx.execute(sql`
    delete from container_tags t using container_repositories r
     where r.id = t.repository_id and ${isGone} and t.tag <> r.default_tag
       and not exists (select from instances i
                        where i.container_repository_id = r.id and i.container_tag = t.tag
                          and i.archived_at is null)`);
  await tx.execute(sql`
    update container_tags t set digest = null, image_created_at = null, size_bytes = null
     where ${isGone}`);
}

/**
 * Changes something while the item is held: its row, then the repository, are locked. The row of the log is
 * appended last. Null: the item is lost, and nothing was written.
 */
async function held<Result extends { logged: Logged }>(
  store: Store,
  { resourceId, token, operationId, organizationId }: WorkItem,
  change: (
    tx: Transaction,
    rows: { operation: Operation; repository: Repository },
  ) => Promise<Result>,
): Promise<Result | null> {
  const result = await store.database.drizzle.transaction(async (tx) => {
    const [repository] = await tx
      .select()
      .from(containerRepositories)
      .where(eq(containerRepositories.id, resourceId))
      .for('update');
    const [item] = await tx
      .select({ token: work.token })
      .from(work)
      .where(and(eq(work.resourceId, resourceId), eq(work.kind, kind)))
      .for('update');
    const [operation] = await tx
      .select()
      .from(operations)
      .where(eq(operations.id, operationId ?? randomUUID()))
      .for('update');
    if (!repository || !operation || String(item?.token) !== String(token)) return null;
    const changed = await change(tx, { operation, repository });
    const rows = { logged: [changed.logged] };
    return { changed, revision: await append(tx, { organizationId, actor }, rows) };
  });
  if (!result) return null;
  store.committed({ revision: result.revision, work: false });
  return result.changed;
}
