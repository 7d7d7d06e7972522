/** Device repositories: where the devices of one instance and their data are kept. */
import {
  createDeviceRepository,
  deleteDeviceRepository,
  updateDeviceRepository,
} from '../../store/resource/device-repositories.ts';
import { builder } from '../base/builder.ts';
import { StorageLocation } from '../base/enums.ts';
import type { Where } from '../base/reads.ts';
import { defineList } from '../list/connection.ts';
import { allOf, anyOf, resourceFilterFields, resources } from '../list/filters.ts';
import { entryOrder } from '../list/order.ts';
import { commonFields, guardedFields, textFields } from '../result/inputs.ts';
import { deletedType, savedType, saveField } from '../result/mutations.ts';
import { Conflict, InvalidInput } from '../result/user-errors.ts';
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
      ...resourceFilterFields(t),
    }),
  }),
  order: entryOrder('DeviceRepository'),
  where: (filter) =>
    allOf(resources(filter), anyOf('storage', filter?.storage), usedBy(filter?.used)),
});

function usedBy(used: boolean | null | undefined): Where {
  const instances = { archivedAt: { isNull: true } };
  if (used == null) return {};
  return used ? { instances } : { NOT: { instances } };
}

builder.queryFields((t) => ({
  deviceRepository: deviceRepositoryList.one(t, 'deviceRepository'),
  deviceRepositories: deviceRepositoryList.root(t),
}));

const DeviceRepositorySaved = savedType('DeviceRepositorySaved', {
  field: 'deviceRepository',
  type: DeviceRepository,
  table: 'deviceRepositories',
});

const DeviceRepositoryDeleted = deletedType('DeviceRepositoryDeleted', 'DeviceRepository');

const CreateDeviceRepositoryInput = builder.inputType('CreateDeviceRepositoryInput', {
  fields: (t) => ({
    key: t.string({ required: true }),
    ...textFields(t),
    storage: t.field({ type: StorageLocation }),
    ...commonFields(t),
  }),
});

const UpdateDeviceRepositoryInput = builder.inputType('UpdateDeviceRepositoryInput', {
  fields: (t) => ({
    deviceRepository: t.id({ required: true }),
    ...textFields(t),
    storage: t.field({ type: StorageLocation }),
    ...guardedFields(t),
  }),
});

const DeleteDeviceRepositoryInput = builder.inputType('DeleteDeviceRepositoryInput', {
  fields: (t) => ({ deviceRepository: t.id({ required: true }), ...guardedFields(t) }),
});

const references = { deviceRepository: 'DeviceRepository' } as const;

builder.mutationFields((t) => ({
  createDeviceRepository: saveField(t, {
    result: 'CreateDeviceRepositoryResult',
    accepted: DeviceRepositorySaved,
    refusals: [InvalidInput, Conflict],
    input: CreateDeviceRepositoryInput,
    save: createDeviceRepository,
  }),
  updateDeviceRepository: saveField(t, {
    result: 'UpdateDeviceRepositoryResult',
    accepted: DeviceRepositorySaved,
    input: UpdateDeviceRepositoryInput,
    references,
    save: updateDeviceRepository,
  }),
  deleteDeviceRepository: saveField(t, {
    result: 'DeleteDeviceRepositoryResult',
    accepted: DeviceRepositoryDeleted,
    input: DeleteDeviceRepositoryInput,
    references,
    save: deleteDeviceRepository,
  }),
}));
