/** Device repositories: where the devices of one instance and their data are kept. */
import {
  createDeviceRepository,
  deleteDeviceRepository,
  updateDeviceRepository,
} from '../../store/resource/device-repositories.ts';
import { builder } from '../base/builder.ts';
import { callerOf } from '../base/context.ts';
import { StorageLocation } from '../base/enums.ts';
import { globalId, named, referenceOf } from '../base/ids.ts';
import type { Where } from '../base/reads.ts';
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
import { DeviceConnection, DeviceFilter, deviceOrder, devicesOf } from './device.ts';
import { Instance } from './instance.ts';

export const DeviceRepository = builder.drizzleNode('deviceRepositories', {
  name: 'DeviceRepository',
  id: { column: (repository) => repository.id },
  fields: (t) => ({
    key: t.exposeString('key'),
    name: t.exposeString('name'),
    description: t.exposeString('description', { nullable: true }),
    storage: t.expose('storage', { type: StorageLocation }),
    usedBy: t.field({
      type: Instance,
      nullable: true,
      select: (_args, _context, nested) => ({
        with: {
          instances: nested({ limit: 1, where: { archivedAt: { isNull: true } } } as object),
        },
      }),
      resolve: ({ instances }) => instances[0] ?? null,
    }),
    devices: t.field({
      type: DeviceConnection,
      nullable: true,
      args: {
        ...t.arg.connectionArgs(),
        filter: t.arg({ type: DeviceFilter }),
        orderBy: t.arg({ type: deviceOrder.input }),
      },
      resolve: ({ id, storage }, args, context) =>
        storage === 'CLOUD' ? devicesOf(id, args, context) : null,
    }),
    version: t.exposeInt('version'),
    createdAt: t.expose('createdAt', { type: 'DateTime' }),
    updatedAt: t.expose('updatedAt', { type: 'DateTime' }),
    archivedAt: t.expose('archivedAt', { type: 'DateTime', nullable: true }),
  }),
});

export const deviceRepositoryList = defineList({
  name: 'DeviceRepository',
  type: DeviceRepository,
  table: 'deviceRepositories',
  filter: builder.inputType('DeviceRepositoryFilter', {
    fields: (t) => ({
      storage: t.field({ type: [StorageLocation] }),
      used: t.boolean(),
      key: t.stringList(),
      text: t.string(),
      archived: t.boolean(),
    }),
  }),
  order: defineOrder('DeviceRepository', {
    by: { KEY: 'key', NAME: 'name', CREATED_AT: 'createdAt', UPDATED_AT: 'updatedAt' },
    initial: { field: 'KEY', direction: 'asc' },
  }),
  where: (filter) =>
    allOf(resources(filter), anyOf('storage', filter?.storage), usedBy(filter?.used)),
});

function usedBy(used: boolean | null | undefined): Where {
  const instances = { archivedAt: { isNull: true } };
  if (used == null) return {};
  return used ? { instances } : { NOT: { instances } };
}

builder.queryFields((t) => ({
  deviceRepository: t.drizzleField({
    type: DeviceRepository,
    nullable: true,
    args: { deviceRepository: t.arg.id({ required: true }) },
    resolve: (query, _root, args, context) =>
      readsOf(context, 'deviceRepositories').findFirst(
        query({
          where: { ...named('DeviceRepository', args.deviceRepository) },
        }),
      ),
  }),
  deviceRepositories: deviceRepositoryList.root(t),
}));

const DeviceRepositorySaved = builder
  .objectRef<Saved<'DeviceRepositorySaved'>>('DeviceRepositorySaved')
  .implement({
    fields: (t) => ({
      deviceRepository: t.drizzleField({
        type: DeviceRepository,
        resolve: async (query, { id }, _args, context) =>
          (await readsOf(context, 'deviceRepositories').findFirst(query({ where: { id } })))!,
      }),
    }),
  });

const DeviceRepositoryDeleted = builder
  .objectRef<Saved<'DeviceRepositoryDeleted'>>('DeviceRepositoryDeleted')
  .implement({
    fields: (t) => ({
      deletedId: t.id({ resolve: ({ id }) => globalId('DeviceRepository', id) }),
    }),
  });

const CreateDeviceRepositoryInput = builder.inputType('CreateDeviceRepositoryInput', {
  fields: (t) => ({
    key: t.string({ required: true }),
    name: t.string(),
    description: t.string(),
    storage: t.field({ type: StorageLocation }),
    ...commonFields(t),
  }),
});

const UpdateDeviceRepositoryInput = builder.inputType('UpdateDeviceRepositoryInput', {
  fields: (t) => ({
    deviceRepository: t.id({ required: true }),
    name: t.string(),
    description: t.string(),
    storage: t.field({ type: StorageLocation }),
    ...guardedFields(t),
  }),
});

const DeleteDeviceRepositoryInput = builder.inputType('DeleteDeviceRepositoryInput', {
  fields: (t) => ({ deviceRepository: t.id({ required: true }), ...guardedFields(t) }),
});

builder.mutationFields((t) => ({
  createDeviceRepository: t.field({
    type: resultType('CreateDeviceRepositoryResult', [
      DeviceRepositorySaved,
      InvalidInput,
      Conflict,
    ]),
    nullable: true,
    args: { input: t.arg({ type: CreateDeviceRepositoryInput, required: true }) },
    resolve: async (_root, { input }, context) =>
      creationResult(
        'DeviceRepositorySaved',
        await createDeviceRepository(context.store, callerOf(context), input),
      ),
  }),
  updateDeviceRepository: t.field({
    type: resultType('UpdateDeviceRepositoryResult', [
      DeviceRepositorySaved,
      InvalidInput,
      ResourceNotFound,
      Conflict,
    ]),
    nullable: true,
    args: { input: t.arg({ type: UpdateDeviceRepositoryInput, required: true }) },
    resolve: async (_root, { input }, context) =>
      saveResult(
        'DeviceRepositorySaved',
        await updateDeviceRepository(context.store, callerOf(context), withReference(input)),
      ),
  }),
  deleteDeviceRepository: t.field({
    type: resultType('DeleteDeviceRepositoryResult', [
      DeviceRepositoryDeleted,
      InvalidInput,
      ResourceNotFound,
      Conflict,
    ]),
    nullable: true,
    args: { input: t.arg({ type: DeleteDeviceRepositoryInput, required: true }) },
    resolve: async (_root, { input }, context) =>
      saveResult(
        'DeviceRepositoryDeleted',
        await deleteDeviceRepository(context.store, callerOf(context), withReference(input)),
      ),
  }),
}));

function withReference<Input extends { deviceRepository: string }>(input: Input): Input {
  return {
    ...input,
    deviceRepository: referenceOf('DeviceRepository', input.deviceRepository),
  };
}
