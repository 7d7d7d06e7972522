/** Creating, editing and deleting instances. */

import { instanceSnapshot } from '../../store/command/snapshot.ts';
import { createInstance, deleteInstance, updateInstance } from '../../store/resource/instances.ts';
import { builder } from '../base/builder.ts';
import { callerOf } from '../base/context.ts';
import { globalId } from '../base/ids.ts';
import { readsOf } from '../base/reads.ts';
import { Instance } from '../entity/instance.ts';
import { withReferences } from '../result/references.ts';
import {
  Conflict,
  InvalidInput,
  ResourceNotFound,
  resultType,
  type Saved,
  saveResult,
} from '../result/user-errors.ts';
import {
  CreateInstanceInput,
  DeleteInstanceInput,
  instanceReferences,
  UpdateInstanceInput,
} from './instance-input.ts';
import { InstanceCommandRefused, refusedInstance } from './refusals.ts';

const InstanceSaved = builder.objectRef<Saved<'InstanceSaved'>>('InstanceSaved').implement({
  fields: (t) => ({
    instance: t.drizzleField({
      type: Instance,
      resolve: async (query, { id }, _args, context) =>
        (await readsOf(context, 'instances').findFirst(query({ where: { id } })))!,
    }),
  }),
});

const InstanceDeleted = builder.objectRef<Saved<'InstanceDeleted'>>('InstanceDeleted').implement({
  fields: (t) => ({ deletedId: t.id({ resolve: ({ id }) => globalId('Instance', id) }) }),
});

builder.mutationFields((t) => ({
  createInstance: t.field({
    type: resultType('CreateInstanceResult', [
      InstanceSaved,
      InvalidInput,
      ResourceNotFound,
      Conflict,
    ]),
    nullable: true,
    args: { input: t.arg({ type: CreateInstanceInput, required: true }) },
    resolve: async (_root, { input }, context) =>
      saveResult(
        'InstanceSaved',
        await createInstance(context.store, callerOf(context), instanceReferences(input)),
      ),
  }),
  updateInstance: t.field({
    type: resultType('UpdateInstanceResult', [
      InstanceSaved,
      InvalidInput,
      ResourceNotFound,
      Conflict,
    ]),
    nullable: true,
    args: { input: t.arg({ type: UpdateInstanceInput, required: true }) },
    resolve: async (_root, { input }, context) =>
      saveResult(
        'InstanceSaved',
        await updateInstance(context.store, callerOf(context), instanceReferences(input)),
      ),
  }),
  deleteInstance: t.field({
    type: resultType('DeleteInstanceResult', [
      InstanceDeleted,
      InstanceCommandRefused,
      InvalidInput,
      ResourceNotFound,
      Conflict,
    ]),
    nullable: true,
    args: { input: t.arg({ type: DeleteInstanceInput, required: true }) },
    resolve: async (_root, { input }, context) => {
      const result = await deleteInstance(
        context.store,
        callerOf(context),
        withReferences(input, { instance: 'Instance' }),
      );
      if (result.outcome !== 'REFUSED') return saveResult('InstanceDeleted', result);
      const snapshot = await instanceSnapshot(context.store, result.id);
      return refusedInstance('DELETE', result.refusal, snapshot);
    },
  }),
}));
