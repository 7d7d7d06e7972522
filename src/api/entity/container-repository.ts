/** Container repositories: images of runtimes, and their tags. */
import {
  addContainerTag,
  createContainerRepository,
  deleteContainerRepository,
  updateContainerRepository,
} from '../../store/resource/container-repositories.ts';
import { builder } from '../base/builder.ts';
import { callerOf } from '../base/context.ts';
import { globalId, named, referenceOf } from '../base/ids.ts';
import { readsOf } from '../base/reads.ts';
import { defineList, defineOrder } from '../list/connection.ts';
import { allOf, anyOf, resources } from '../list/filters.ts';
import { commonFields, guardedFields } from '../result/inputs.ts';
import {
  Conflict,
  creationResult,
  InvalidInput,
  ResourceNotFound,
  resultType,
  type Saved,
  saveResult,
} from '../result/user-errors.ts';
import { instanceList } from './instance.ts';

export const ContainerRepository = builder.drizzleNode('containerRepositories', {
  name: 'ContainerRepository',
  id: { column: (repository) => repository.id },
  fields: (t) => ({
    key: t.exposeString('key'),
    name: t.exposeString('name'),
    description: t.exposeString('description', { nullable: true }),
    image: t.exposeString('image'),
    tags: t.relation('tags', { query: { orderBy: { createdAt: 'desc', id: 'desc' }, limit: 200 } }),
    defaultTag: t.exposeString('defaultTag'),
    instances: instanceList.related(t, 'instances', 'containerRepositories'),
    version: t.exposeInt('version'),
    createdAt: t.expose('createdAt', { type: 'DateTime' }),
    updatedAt: t.expose('updatedAt', { type: 'DateTime' }),
    archivedAt: t.expose('archivedAt', { type: 'DateTime', nullable: true }),
  }),
});

builder.drizzleObject('containerTags', {
  name: 'ContainerTag',
  fields: (t) => ({
    name: t.exposeString('tag'),
    addedAt: t.expose('createdAt', { type: 'DateTime' }),
  }),
});

export const containerRepositoryList = defineList({
  name: 'ContainerRepository',
  type: ContainerRepository,
  table: 'containerRepositories',
  filter: builder.inputType('ContainerRepositoryFilter', {
    fields: (t) => ({
      image: t.stringList(),
      key: t.stringList(),
      text: t.string(),
      archived: t.boolean(),
    }),
  }),
  order: defineOrder('ContainerRepository', {
    by: { KEY: 'key', NAME: 'name', CREATED_AT: 'createdAt', UPDATED_AT: 'updatedAt' },
    initial: { field: 'KEY', direction: 'asc' },
  }),
  where: (filter) => allOf(resources(filter), anyOf('image', filter?.image)),
});

builder.queryFields((t) => ({
  containerRepository: t.drizzleField({
    type: ContainerRepository,
    nullable: true,
    args: { containerRepository: t.arg.id({ required: true }) },
    resolve: (query, _root, args, context) =>
      readsOf(context, 'containerRepositories').findFirst(
        query({
          where: { ...named('ContainerRepository', args.containerRepository) },
        }),
      ),
  }),
  containerRepositories: containerRepositoryList.root(t),
}));

const ContainerRepositorySaved = builder
  .objectRef<Saved<'ContainerRepositorySaved'>>('ContainerRepositorySaved')
  .implement({
    fields: (t) => ({
      containerRepository: t.drizzleField({
        type: ContainerRepository,
        resolve: async (query, { id }, _args, context) =>
          (await readsOf(context, 'containerRepositories').findFirst(query({ where: { id } })))!,
      }),
    }),
  });

const ContainerRepositoryDeleted = builder
  .objectRef<Saved<'ContainerRepositoryDeleted'>>('ContainerRepositoryDeleted')
  .implement({
    fields: (t) => ({
      deletedId: t.id({ resolve: ({ id }) => globalId('ContainerRepository', id) }),
    }),
  });

const CreateContainerRepositoryInput = builder.inputType('CreateContainerRepositoryInput', {
  fields: (t) => ({
    key: t.string({ required: true }),
    name: t.string(),
    description: t.string(),
    image: t.string({ required: true }),
    tags: t.stringList(),
    defaultTag: t.string(),
    ...commonFields(t),
  }),
});

const UpdateContainerRepositoryInput = builder.inputType('UpdateContainerRepositoryInput', {
  fields: (t) => ({
    containerRepository: t.id({ required: true }),
    name: t.string(),
    description: t.string(),
    image: t.string(),
    defaultTag: t.string(),
    ...guardedFields(t),
  }),
});

const DeleteContainerRepositoryInput = builder.inputType('DeleteContainerRepositoryInput', {
  fields: (t) => ({ containerRepository: t.id({ required: true }), ...guardedFields(t) }),
});

const AddContainerTagInput = builder.inputType('AddContainerTagInput', {
  fields: (t) => ({
    containerRepository: t.id({ required: true }),
    tag: t.string({ required: true }),
    default: t.boolean(),
    ...guardedFields(t),
  }),
});

builder.mutationFields((t) => ({
  createContainerRepository: t.field({
    type: resultType('CreateContainerRepositoryResult', [
      ContainerRepositorySaved,
      InvalidInput,
      Conflict,
    ]),
    nullable: true,
    args: { input: t.arg({ type: CreateContainerRepositoryInput, required: true }) },
    resolve: async (_root, { input }, context) =>
      creationResult(
        'ContainerRepositorySaved',
        await createContainerRepository(context.store, callerOf(context), input),
      ),
  }),
  updateContainerRepository: t.field({
    type: resultType('UpdateContainerRepositoryResult', [
      ContainerRepositorySaved,
      InvalidInput,
      ResourceNotFound,
      Conflict,
    ]),
    nullable: true,
    args: { input: t.arg({ type: UpdateContainerRepositoryInput, required: true }) },
    resolve: async (_root, { input }, context) =>
      saveResult(
        'ContainerRepositorySaved',
        await updateContainerRepository(context.store, callerOf(context), withReference(input)),
      ),
  }),
  addContainerTag: t.field({
    type: resultType('AddContainerTagResult', [
      ContainerRepositorySaved,
      InvalidInput,
      ResourceNotFound,
      Conflict,
    ]),
    nullable: true,
    args: { input: t.arg({ type: AddContainerTagInput, required: true }) },
    resolve: async (_root, { input }, context) =>
      saveResult(
        'ContainerRepositorySaved',
        await addContainerTag(context.store, callerOf(context), withReference(input)),
      ),
  }),
  deleteContainerRepository: t.field({
    type: resultType('DeleteContainerRepositoryResult', [
      ContainerRepositoryDeleted,
      InvalidInput,
      ResourceNotFound,
      Conflict,
    ]),
    nullable: true,
    args: { input: t.arg({ type: DeleteContainerRepositoryInput, required: true }) },
    resolve: async (_root, { input }, context) =>
      saveResult(
        'ContainerRepositoryDeleted',
        await deleteContainerRepository(context.store, callerOf(context), withReference(input)),
      ),
  }),
}));

function withReference<Input extends { containerRepository: string }>(input: Input): Input {
  return {
    ...input,
    containerRepository: referenceOf('ContainerRepository', input.containerRepository),
  };
}
