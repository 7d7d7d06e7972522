/** Container repositories: images of runtimes, and their tags. */
import {
  addContainerTag,
  createContainerRepository,
  deleteContainerRepository,
  updateContainerRepository,
} from '../../store/resource/container-repositories.ts';
import { builder } from '../base/builder.ts';
import { defineList } from '../list/connection.ts';
import { allOf, anyOf, resourceFilterFields, resources } from '../list/filters.ts';
import { entryOrder } from '../list/order.ts';
import { commonFields, guardedFields, textFields } from '../result/inputs.ts';
import { deletedType, savedType, saveField } from '../result/mutations.ts';
import { Conflict, InvalidInput } from '../result/user-errors.ts';
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

const CreateContainerRepositoryInput = builder.inputType('CreateContainerRepositoryInput', {
  fields: (t) => ({
    key: t.string({ required: true }),
    ...textFields(t),
    image: t.string({ required: true }),
    tags: t.stringList(),
    defaultTag: t.string(),
    ...commonFields(t),
  }),
});

const UpdateContainerRepositoryInput = builder.inputType('UpdateContainerRepositoryInput', {
  fields: (t) => ({
    containerRepository: t.id({ required: true }),
    ...textFields(t),
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
  deleteContainerRepository: saveField(t, {
    result: 'DeleteContainerRepositoryResult',
    accepted: ContainerRepositoryDeleted,
    input: DeleteContainerRepositoryInput,
    references,
    save: deleteContainerRepository,
  }),
}));
