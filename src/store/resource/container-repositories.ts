/** Container repositories: where the image of a runtime comes from, and its tags. */
import { randomUUID } from 'node:crypto';
import { and, eq, sql } from 'drizzle-orm';
import type { Store } from '../commit/store.ts';
import { type Caller, named, type Transaction } from '../input/caller.ts';
import { checkImage, checkKey, checkNotCleared, checkTag, checkTexts } from '../input/checks.ts';
import {
  type CommonInput,
  expectVersion,
  type GuardedInput,
  notFound,
  type SaveResult,
} from '../input/save-result.ts';
import { containerRepositories, containerTags, instances } from '../table/schema.ts';
import { save } from './save.ts';
import { checkKeyIsFree, expectNoInstances } from './usage.ts';

export interface CreateContainerRepositoryInput extends CommonInput {
  key: string;
  name?: string | null;
  description?: string | null;
  image: string;
  /** Oldest first. */
  tags?: readonly string[] | null;
  defaultTag?: string | null;
}

export interface UpdateContainerRepositoryInput extends GuardedInput {
  /** Id or key. */
  containerRepository: string;
  name?: string | null;
  description?: string | null;
  image?: string | null;
  defaultTag?: string | null;
}

export interface AddContainerTagInput extends GuardedInput {
  /** Id or key. */
  containerRepository: string;
  tag: string;
  default?: boolean | null;
}

export interface DeleteContainerRepositoryInput extends GuardedInput {
  /** Id or key. */
  containerRepository: string;
}

export function createContainerRepository(
  store: Store,
  caller: Caller,
  input: CreateContainerRepositoryInput,
): Promise<SaveResult> {
  return save(store, caller, {
    field: 'createContainerRepository',
    input,
    async change(tx, problems) {
      checkKey(problems, input.key);
      checkTexts(problems, input);
      checkImage(problems, input.image);
      const tags = [...(input.tags ?? [])];
      for (const [index, tag] of tags.entries()) {
        checkTag(problems, tag, `tags.${index}`);
        if (tags.indexOf(tag) < index) {
          problems.issue(`tags.${index}`, `The tag ${tag} is there twice: give it once.`);
        }
      }
      const defaultTag = input.defaultTag ?? tags.at(-1) ?? 'latest';
      if (!tags.includes(defaultTag)) {
        checkTag(problems, defaultTag, 'defaultTag');
        tags.push(defaultTag);
      }
      if (tags.length > 1000) problems.issue('tags', 'Too many: give 1,000 at most.');
      await checkKeyIsFree(tx, problems, { table: containerRepositories, caller, key: input.key });
      problems.throwIfAny();
      const id = randomUUID();
      const { organizationId } = caller;
      await tx.insert(containerRepositories).values({
        id,
        organizationId,
        key: input.key,
        name: input.name ?? input.key,
        description: input.description,
        image: input.image,
        defaultTag,
      });
      // A millisecond apart, so that they keep their order.
      await tx.insert(containerTags).values(
        tags.map((tag, place) => ({
          id: randomUUID(),
          organizationId,
          repositoryId: id,
          tag,
          createdAt: sql`now() + ${place}::int * interval '1 millisecond'`,
        })),
      );
      return { id };
    },
  });
}

export function updateContainerRepository(
  store: Store,
  caller: Caller,
  input: UpdateContainerRepositoryInput,
): Promise<SaveResult> {
  return save(store, caller, {
    field: 'updateContainerRepository',
    input,
    async change(tx, problems) {
      const current = await find(tx, caller, input.containerRepository);
      expectVersion(input, current);
      checkTexts(problems, input);
      checkNotCleared(problems, input, ['image', 'defaultTag']);
      if (typeof input.image === 'string') checkImage(problems, input.image);
      if (
        typeof input.defaultTag === 'string' &&
        checkTag(problems, input.defaultTag, 'defaultTag') &&
        !(await hasTag(tx, current.id, input.defaultTag))
      ) {
        problems.issue(
          'defaultTag',
          `${current.key} has no tag ${input.defaultTag}: add it with addContainerTag.`,
        );
      }
      problems.throwIfAny();
      await tx
        .update(containerRepositories)
        .set({
          name: input.name === null ? current.key : input.name,
          description: input.description,
          image: input.image ?? undefined,
          defaultTag: input.defaultTag ?? undefined,
          version: current.version + 1,
          updatedAt: sql`clock_timestamp()`,
        })
        .where(eq(containerRepositories.id, current.id));
      return { id: current.id };
    },
  });
}

/** Answers with the id of the repository. */
export function addContainerTag(
  store: Store,
  caller: Caller,
  input: AddContainerTagInput,
): Promise<SaveResult> {
  return save(store, caller, {
    field: 'addContainerTag',
    input,
    async change(tx, problems) {
      const current = await find(tx, caller, input.containerRepository);
      expectVersion(input, current);
      const { tag } = input;
      if (checkTag(problems, tag, 'tag') && (await hasTag(tx, current.id, tag))) {
        problems.conflict(
          'tag',
          'KEY_TAKEN',
          `${current.key} has the tag ${tag} already: choose another, or make it the default with updateContainerRepository.`,
        );
      }
      problems.throwIfAny();
      await tx.insert(containerTags).values({
        id: randomUUID(),
        organizationId: caller.organizationId,
        repositoryId: current.id,
        tag,
      });
      await tx
        .update(containerRepositories)
        .set({
          defaultTag: input.default ? tag : undefined,
          version: current.version + 1,
          updatedAt: sql`clock_timestamp()`,
        })
        .where(eq(containerRepositories.id, current.id));
      return { id: current.id };
    },
  });
}

export function deleteContainerRepository(
  store: Store,
  caller: Caller,
  input: DeleteContainerRepositoryInput,
): Promise<SaveResult> {
  return save(store, caller, {
    field: 'deleteContainerRepository',
    input,
    async change(tx, problems) {
      const current = await find(tx, caller, input.containerRepository);
      expectVersion(input, current);
      problems.throwIfAny();
      await expectNoInstances(tx, eq(instances.containerRepositoryId, current.id), {
        remedy: 'give them another container repository, or delete them, first',
      });
      await tx
        .update(containerRepositories)
        .set({ archivedAt: sql`clock_timestamp()` })
        .where(eq(containerRepositories.id, current.id));
      return { id: current.id };
    },
  });
}

/** Does a container repository have this tag? */
export async function hasTag(tx: Transaction, repositoryId: string, tag: string): Promise<boolean> {
  const found = await tx
    .select({ id: containerTags.id })
    .from(containerTags)
    .where(and(eq(containerTags.repositoryId, repositoryId), eq(containerTags.tag, tag)));
  return found.length > 0;
}

async function find(tx: Transaction, caller: Caller, reference: string) {
  const [found] = await tx
    .select()
    .from(containerRepositories)
    .where(named(containerRepositories, caller, reference))
    .for('update');
  return found ?? notFound('CONTAINER_REPOSITORY', reference);
}
