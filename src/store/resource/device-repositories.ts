/** Device repositories: where an instance's devices and their data live. One instance each at most. */
import { eq } from 'drizzle-orm';
import type { Store } from '../commit/store.ts';
import type { Caller } from '../input/caller.ts';
import { checkOneOf } from '../input/checks.ts';
import type { GuardedInput, SaveResult } from '../input/save-result.ts';
import { deviceRepositories, instances } from '../table/schema.ts';
import { type Storage, storages } from '../table/values.ts';
import {
  type CreateEntryInput,
  createEntry,
  deleteEntry,
  type UpdateEntryInput,
  updateEntry,
} from './catalogue.ts';
import { expectNoInstances } from './usage.ts';

export interface CreateDeviceRepositoryInput extends CreateEntryInput {
  storage?: Storage | null;
}

export interface UpdateDeviceRepositoryInput extends UpdateEntryInput {
  /** Id or key. */
  deviceRepository: string;
  storage?: Storage | null;
}

export interface DeleteDeviceRepositoryInput extends GuardedInput {
  /** Id or key. */
  deviceRepository: string;
}

const kind = { table: deviceRepositories, entity: 'DEVICE_REPOSITORY' } as const;

export function createDeviceRepository(
  store: Store,
  caller: Caller,
  input: CreateDeviceRepositoryInput,
): Promise<SaveResult> {
  return createEntry(store, caller, {
    ...kind,
    field: 'createDeviceRepository',
    input,
    columns({ problems }) {
      const storage = input.storage ?? 'LOCAL';
      checkOneOf(problems, storage, { path: 'storage', values: storages });
      return { storage };
    },
  });
}

export function updateDeviceRepository(
  store: Store,
  caller: Caller,
  input: UpdateDeviceRepositoryInput,
): Promise<SaveResult> {
  return updateEntry(store, caller, {
    ...kind,
    field: 'updateDeviceRepository',
    input,
    reference: input.deviceRepository,
    required: ['storage'],
    columns(_current, { problems }) {
      if (input.storage) checkOneOf(problems, input.storage, { path: 'storage', values: storages });
      return { storage: input.storage ?? undefined };
    },
    async allow(current, tx) {
      if (!input.storage || input.storage === current.storage) return;
      await expectNoInstances(tx, eq(instances.deviceRepositoryId, current.id), {
        remedy: 'its storage can not change before the instance has another device repository',
      });
    },
  });
}

export function deleteDeviceRepository(
  store: Store,
  caller: Caller,
  input: DeleteDeviceRepositoryInput,
): Promise<SaveResult> {
  return deleteEntry(store, caller, {
    ...kind,
    field: 'deleteDeviceRepository',
    input,
    reference: input.deviceRepository,
    expectUnused: ({ id }, tx) =>
      expectNoInstances(tx, eq(instances.deviceRepositoryId, id), {
        remedy: 'give the instance another device repository, or delete it, first',
      }),
  });
}
