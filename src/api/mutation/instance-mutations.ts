/** Creating, updating and deleting instances. */

import { instanceSnapshot } from '../../store/command/snapshot.ts';
import { createInstance, deleteInstance, updateInstance } from '../../store/resource/instances.ts';
import { builder } from '../base/builder.ts';
import { Instance } from '../entity/instance.ts';
import { deletedType, savedType, saveField } from '../result/mutations.ts';
import { Conflict, InvalidInput, ResourceNotFound } from '../result/user-errors.ts';
import {
  CreateInstanceInput,
  DeleteInstanceInput,
  instanceReferences,
  UpdateInstanceInput,
} from './instance-input.ts';
import { InstanceCommandRefused, refusedInstance } from './refusals.ts';

const InstanceSaved = savedType('InstanceSaved', {
  field: 'instance',
  type: Instance,
  table: 'instances',
});

const InstanceDeleted = deletedType('InstanceDeleted', 'Instance');

builder.mutationFields((t) => ({
  createInstance: saveField(t, {
    result: 'CreateInstanceResult',
    accepted: InstanceSaved,
    input: CreateInstanceInput,
    save: (store, caller, input) => createInstance(store, caller, instanceReferences(input)),
  }),
  updateInstance: saveField(t, {
    result: 'UpdateInstanceResult',
    accepted: InstanceSaved,
    input: UpdateInstanceInput,
    save: (store, caller, input) => updateInstance(store, caller, instanceReferences(input)),
  }),
  deleteInstance: saveField(t, {
    result: 'DeleteInstanceResult',
    accepted: InstanceDeleted,
    refusals: [InstanceCommandRefused, InvalidInput, ResourceNotFound, Conflict],
    input: DeleteInstanceInput,
    references: { instance: 'Instance' },
    save: deleteInstance,
    refused: async ({ refusal, id }, { store }) =>
      refusedInstance('DELETE', refusal, await instanceSnapshot(store, id)),
  }),
}));
