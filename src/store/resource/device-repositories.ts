/** Device repositories: where an instance's devices and their data live. One instance each at most. */
import { randomUUID } from 'node:crypto';
import { eq, sql } from 'drizzle-orm';
import type { Store } from '../commit/store.ts';
import { type Caller, named, type Transaction } from '../input/caller.ts';
import { checkKey, checkNotCleared, checkOneOf, checkTexts } from '../input/checks.ts';
import {
  type CommonInput,
  expectVersion,
  type GuardedInput,
  notFound,
  type SaveResult,
} from '../input/save-result.ts';
import { deviceRepositories, instances } from '../table/schema.ts';
import { type Storage, storages } from '../table/values.ts';
import { save } from './save.ts';
import { checkKeyIsFree, expectNoInstances } from './usage.ts';

export interface CreateDeviceRepositoryInput extends CommonInput {
  key: string;
  name?: string | null;
  description?: string | null;
  storage?: Storage | null;
}

export interface UpdateDeviceRepositoryInput extends GuardedInput {
  /** Id or key. */
  deviceRepository: string;
  name?: string | null;
  description?: string | null;
  storage?: Storage | null;
}

export interface DeleteDeviceRepositoryInput extends GuardedInput {
  /** Id or key. */
  deviceRepository: string;
}

export function createDeviceRepository(
  store: Store,
  caller: Caller,
  input: CreateDeviceRepositoryInput,
): Promise<SaveResult> {
  return save(store, caller, {
    field: 'createDeviceRepository',
    input,
    async change(tx, problems) {
      checkKey(problems, input.key);
      checkTexts(problems, input);
      const storage = input.storage ?? 'LOCAL';
      checkOneOf(problems, storage, { path: 'storage', values: storages });
      await checkKeyIsFree(tx, problems, { table: deviceRepositories, caller, key: input.key });
      problems.throwIfAny();
      const id = randomUUID();
      await tx.insert(deviceRepositories).values({
        id,
        organizationId: caller.organizationId,
        key: input.key,
        name: input.name ?? input.key,
        description: input.description,
        storage,
      });
      return { id };
    },
  });
}

export function updateDeviceRepository(
  store: Store,
  caller: Caller,
  input: UpdateDeviceRepositoryInput,
): Promise<SaveResult> {
  return save(store, caller, {
    field: 'updateDeviceRepository',
    input,
    async change(tx, problems) {
      const current = await find(tx, caller, input.deviceRepository);
      expectVersion(input, current);
      checkTexts(problems, input);
      checkNotCleared(problems, input, ['storage']);
      if (input.storage) checkOneOf(problems, input.storage, { path: 'storage', values: storages });
      problems.throwIfAny();
      if (input.storage && input.storage !== current.storage) {
        await expectNoInstances(tx, eq(instances.deviceRepositoryId, current.id), {
          remedy: 'its storage can not change before the instance has another device repository',
        });
      }
      await tx
        .update(deviceRepositories)
        .set({
          name: input.name === null ? current.key : input.name,
          description: input.description,
          storage: input.storage ?? undefined,
          version: current.version + 1,
          updatedAt: sql`clock_timestamp()`,
        })
        .where(eq(deviceRepositories.id, current.id));
      return { id: current.id };
    },
  });
}

export function deleteDeviceRepository(
  store: Store,
  caller: Caller,
  input: DeleteDeviceRepositoryInput,
): Promise<SaveResult> {
  return save(store, caller, {
    field: 'deleteDeviceRepository',
    input,
    async change(tx, problems) {
      const current = await find(tx, caller, input.deviceRepository);
      expectVersion(input, current);
      problems.throwIfAny();
      await expectNoInstances(tx, eq(instances.deviceRepositoryId, current.id), {
        remedy: 'give the instance another device repository, or delete it, first',
      });
      await tx
        .update(deviceRepositories)
        .set({ archivedAt: sql`clock_timestamp()` })
        .where(eq(deviceRepositories.id, current.id));
      return { id: current.id };
    },
  });
}

async function find(tx: Transaction, caller: Caller, reference: string) {
  const [found] = await tx
    .select()
    .from(deviceRepositories)
    .where(named(deviceRepositories, caller, reference))
    .for('update');
  return found ?? notFound('DEVICE_REPOSITORY', reference);
}
