/** Container repositories: images of runtimes, and their tags. */
import type { FieldRef } from '@pothos/core';
import { imageName } from '../../lifecycle/image-name.ts';
import {
  addContainerTag,
  createContainerRepository,
  deleteContainerRepository,
  updateContainerRepository,
} from '../../store/resource/container-repositories.ts';
import { syncContainerTags } from '../../store/resource/container-tag-sync.ts';
import { builder, type Types } from '../base/builder.ts';
import { defineList } from '../list/connection.ts';
import { allOf, anyOf, resourceFilterFields, resources } from '../list/filters.ts';
import { entryOrder } from '../list/order.ts';
import { commonFields, guardedFields, textFields } from '../result/inputs.ts';
import { deletedType, savedType, saveField } from '../result/mutations.ts';
import { Conflict, InvalidInput } from '../result/user-errors.ts';
import { instanceList } from './instance.ts';
import { Resource } from './node.ts';
import { Operation } from './operation.ts';

const ContainerCredentials = builder
  .objectRef<{ username: string; hasPassword: boolean }>('ContainerCredentials')
  .implement({
    fields: (t) => ({
      username: t.exposeString('username'),
      hasPassword: t.exposeBoolean('hasPassword'),
    }),
  });

/** The newest operation of a repository; it has none but readings of tags. */
function lastTagSync(builderOf: object): FieldRef<Types, unknown> {
  const t = builderOf as { field(options: object): FieldRef<Types, unknown> };
  const newest = { orderBy: { createdAt: 'desc', id: 'desc' }, limit: 1 };
  return t.field({
    type: Operation,
    nullable: true,
    select: (_args: object, _context: object, nested: (query: object) => object) => ({
      with: { operations: nested(newest) },
    }),
    extensions: {
      pothosDrizzleLoaded: (row: Record<string, unknown>) => row.operations !== undefined,
    },
    resolve: ({ operations }: { operations?: object[] }) => operations?.[0] ?? null,
  });
}

export const ContainerRepository = builder.drizzleNode('containerRepositories', {
  name: 'ContainerRepository',
  id: { column: (repository) => repository.id },
  interfaces: [Resource],
  fields: (t) => ({
    description: t.exposeString('description', { nullable: true }),
    image: t.exposeString('image'),
    registry: t.string({ resolve: ({ image }) => imageName(image).registry }),
    path: t.string({ resolve: ({ image }) => imageName(image).path }),
    credentials: t.field({
      type: ContainerCredentials,
      nullable: true,
      resolve: ({ username, password }) =>
        username === null ? null : { username, hasPassword: password !== null },
    }),
    insecure: t.exposeBoolean('insecure'),
    tagsSyncedAt: t.expose('tagsSyncedAt', { type: 'DateTime', nullable: true }),
    lastTagSync: lastTagSync(t),
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
    digest: t.exposeString('digest', { nullable: true }),
    createdAt: t.expose('imageCreatedAt', { type: 'DateTime', nullable: true }),
    sizeBytes: t.exposeFloat('sizeBytes', { nullable: true }),
  }),
});

export const containerRepositoryList = defineList({
  name: 'ContainerRepository',
  type: ContainerRepository,
  table: 'containerRepositories',
  filter: builder.inputType('ContainerRepositoryFilter', {
    fields: (t) => ({
      image: t.stringList(),
      ...resourceFilterFields(t),
    }),
  }),
  order: entryOrder('ContainerRepository'),
  where: (filter) => allOf(resources(filter), anyOf('image', filter?.image)),
});

builder.queryFields((t) => ({
  containerRepository: containerRepositoryList.one(t, 'containerRepository'),
  containerRepositories: containerRepositoryList.root(t),
}));

const ContainerRepositorySaved = savedType('ContainerRepositorySaved', {
  field: 'containerRepository',
  type: ContainerRepository,
  table: 'containerRepositories',
});

const ContainerRepositoryDeleted = deletedType('ContainerRepositoryDeleted', 'ContainerRepository');

const ContainerCredentialsInput = builder.inputType('ContainerCredentialsInput', {
  fields: (t) => ({ username: t.string({ required: true }), password: t.string() }),
});

const CreateContainerRepositoryInput = builder.inputType('CreateContainerRepositoryInput', {
  fields: (t) => ({
    key: t.string({ required: true }),
    ...textFields(t),
    image: t.string({ required: true }),
    tags: t.stringList(),
    defaultTag: t.string(),
    credentials: t.field({ type: ContainerCredentialsInput }),
    insecure: t.boolean(),
    ...commonFields(t),
  }),
});

const UpdateContainerRepositoryInput = builder.inputType('UpdateContainerRepositoryInput', {
  fields: (t) => ({
    containerRepository: t.id({ required: true }),
    ...textFields(t),
    image: t.string(),
    defaultTag: t.string(),
    credentials: t.field({ type: ContainerCredentialsInput }),
    insecure: t.boolean(),
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

const SyncContainerTagsInput = builder.inputType('SyncContainerTagsInput', {
  fields: (t) => ({ containerRepository: t.id({ required: true }), ...commonFields(t) }),
});

const ContainerTagsSyncAccepted = savedType('ContainerTagsSyncAccepted', {
  field: 'operation',
  type: Operation,
  table: 'operations',
});

const references = { containerRepository: 'ContainerRepository' } as const;

builder.mutationFields((t) => ({
  createContainerRepository: saveField(t, {
    result: 'CreateContainerRepositoryResult',
    accepted: ContainerRepositorySaved,
    refusals: [InvalidInput, Conflict],
    input: CreateContainerRepositoryInput,
    save: createContainerRepository,
  }),
  updateContainerRepository: saveField(t, {
    result: 'UpdateContainerRepositoryResult',
    accepted: ContainerRepositorySaved,
    input: UpdateContainerRepositoryInput,
    references,
    save: updateContainerRepository,
  }),
  addContainerTag: saveField(t, {
    result: 'AddContainerTagResult',
    accepted: ContainerRepositorySaved,
    input: AddContainerTagInput,
    references,
    save: addContainerTag,
  }),
  syncContainerTags: saveField(t, {
    result: 'SyncContainerTagsResult',
    accepted: ContainerTagsSyncAccepted,
    input: SyncContainerTagsInput,
    references,
    save: syncContainerTags,
  }),
  deleteContainerRepository: saveField(t, {
    result: 'DeleteContainerRepositoryResult',
    accepted: ContainerRepositoryDeleted,
    input: DeleteContainerRepositoryInput,
    references,
    save: deleteContainerRepository,
  }),
}));
