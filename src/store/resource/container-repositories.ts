/** Container repositories: where the image of a runtime comes from, and its tags. */
import { randomUUID } from 'node:crypto';
import { and, eq, sql } from 'drizzle-orm';
import type { Store } from '../commit/store.ts';
import type { Caller, Transaction } from '../input/caller.ts';
import { checkImage, checkTag } from '../input/checks.ts';
import {
  expectVersion,
  type GuardedInput,
  type Problems,
  type SaveResult,
} from '../input/save-result.ts';
import { containerRepositories, containerTags, instances } from '../table/schema.ts';
import {
  type CreateEntryInput,
  createEntry,
  deleteEntry,
  findEntry,
  setColumns,
  type UpdateEntryInput,
  updateEntry,
} from './catalogue.ts';
import { type ContainerCredentialsInput, credentialColumns } from './container-credentials.ts';
import { save } from './save.ts';
import { expectNoInstances } from './usage.ts';

export interface CreateContainerRepositoryInput extends CreateEntryInput {
  image: string;
  /** Oldest first. */
  tags?: readonly string[] | null;
  defaultTag?: string | null;
  credentials?: ContainerCredentialsInput | null;
  insecure?: boolean | null;
}

export interface UpdateContainerRepositoryInput extends UpdateEntryInput {
  /** Id or key. */
  containerRepository: string;
  image?: string | null;
  defaultTag?: string | null;
  credentials?: ContainerCredentialsInput | null;
  insecure?: boolean | null;
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

const kind = { table: containerRepositories, entity: 'CONTAINER_REPOSITORY' } as const;

export function createContainerRepository(
  store: Store,
  caller: Caller,
  input: CreateContainerRepositoryInput,
): Promise<SaveResult> {
  const given = input.tags ?? [];
  const defaultTag = input.defaultTag ?? given.at(-1) ?? 'latest';
  const tags = given.includes(defaultTag) ? given : [...given, defaultTag];
  return createEntry(store, caller, {
    ...kind,
    field: 'createContainerRepository',
    input,
    columns({ problems, id }) {
      checkImage(problems, input.image);
      checkTags(problems, given);
      if (!given.includes(defaultTag)) checkTag(problems, defaultTag, 'defaultTag');
      if (tags.length > 1000) problems.issue('tags', 'Too many: give 1,000 at most.');
      const { image, insecure } = input;
      const credentials = credentialColumns(problems, {
        ...{ keys: store.secretKeys, id, image, before: null },
        input: input.credentials ?? null,
      });
      return { image, defaultTag, ...credentials, insecure: insecure ?? false };
    },
    async created(tx, repositoryId) {
      const { organizationId } = caller;
      // A millisecond apart, so that they keep their order.
      await tx.insert(containerTags).values(
        tags.map((tag, index) => ({
          ...{ id: randomUUID(), organizationId, repositoryId, tag },
          createdAt: sql`now() + ${index}::int * interval '1 millisecond'`,
        })),
      );
    },
  });
}

function checkTags(problems: Problems, tags: readonly string[]): void {
  for (const [index, tag] of tags.entries()) {
    checkTag(problems, tag, `tags.${index}`);
    if (tags.indexOf(tag) < index) {
      problems.issue(`tags.${index}`, `The tag ${tag} is there twice: give it once.`);
    }
  }
}

export function updateContainerRepository(
  store: Store,
  caller: Caller,
  input: UpdateContainerRepositoryInput,
): Promise<SaveResult> {
  return updateEntry(store, caller, {
    ...kind,
    field: 'updateContainerRepository',
    input,
    reference: input.containerRepository,
    required: ['image', 'defaultTag', 'insecure'],
    async columns(current, { tx, problems }) {
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
      const image = input.image ?? current.image;
      const credentials = credentialColumns(problems, {
        ...{ keys: store.secretKeys, id: current.id, image, before: current },
        input: input.credentials,
      });
      return {
        ...credentials,
        image: input.image ?? undefined,
        defaultTag: input.defaultTag ?? undefined,
        insecure: input.insecure ?? undefined,
        ...(image === current.image ? {} : { tagsSyncedAt: null }),
      };
    },
    async updated(tx, current, { image }) {
      if (image === undefined || image === current.image) return;
      // What was read of the image before says nothing about this one.
      await tx
        .update(containerTags)
        .set({ digest: null, imageCreatedAt: null, sizeBytes: null })
        .where(eq(containerTags.repositoryId, current.id));
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
      const reference = input.containerRepository;
      const current = await findEntry(tx, caller, { ...kind, reference });
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
      const { organizationId } = caller;
      await tx
        .insert(containerTags)
        .values({ id: randomUUID(), organizationId, repositoryId: current.id, tag });
      await setColumns(tx, kind, current, { defaultTag: input.default ? tag : undefined });
      return { id: current.id };
    },
  });
}

export function deleteContainerRepository(
  store: Store,
  caller: Caller,
  input: DeleteContainerRepositoryInput,
): Promise<SaveResult> {
  return deleteEntry(store, caller, {
    ...kind,
    field: 'deleteContainerRepository',
    input,
    reference: input.containerRepository,
    expectUnused: ({ id }, tx) =>
      expectNoInstances(tx, eq(instances.containerRepositoryId, id), {
        remedy: 'give them another container repository, or delete them, first',
      }),
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
