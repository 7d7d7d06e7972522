/** Creating, updating and deleting hosts. */

import { hostSnapshot } from '../../store/command/snapshot.ts';
import { createHost, deleteHost, updateHost } from '../../store/resource/hosts.ts';
import { builder, type InputFields } from '../base/builder.ts';
import { HostSize } from '../base/enums.ts';
import { Host, HostDriver } from '../entity/host.ts';
import { LabelInput } from '../entity/node.ts';
import { commonFields, guardedFields, textFields } from '../result/inputs.ts';
import { deletedType, savedType, saveField } from '../result/mutations.ts';
import { Conflict, InvalidInput, ResourceNotFound } from '../result/user-errors.ts';
import { HostCommandRefused, refusedHost } from './refusals.ts';

const HostSaved = savedType('HostSaved', {
  field: 'host',
  type: Host,
  table: 'hosts',
});

const HostDeleted = deletedType('HostDeleted', 'Host');

/** Of both inputs that describe a host. */
const hostFields = (t: InputFields) => ({
  ...textFields(t),
  driver: t.field({ type: HostDriver }),
  size: t.field({ type: HostSize }),
  dnsName: t.string(),
  subscription: t.id(),
  labels: t.field({ type: [LabelInput] }),
});

const CreateHostInput = builder.inputType('CreateHostInput', {
  fields: (t) => ({
    key: t.string({ required: true }),
    provider: t.id(),
    ...hostFields(t),
    ...commonFields(t),
  }),
});

const UpdateHostInput = builder.inputType('UpdateHostInput', {
  fields: (t) => ({
    host: t.id({ required: true }),
    ...hostFields(t),
    ...guardedFields(t),
  }),
});

const DeleteHostInput = builder.inputType('DeleteHostInput', {
  fields: (t) => ({ host: t.id({ required: true }), ...guardedFields(t) }),
});

const references = { host: 'Host', subscription: 'BillingSubscription' } as const;
const ofCreation = { provider: 'ComputeProvider', ...references } as const;

builder.mutationFields((t) => ({
  createHost: saveField(t, {
    result: 'CreateHostResult',
    accepted: HostSaved,
    input: CreateHostInput,
    references: ofCreation,
    save: createHost,
  }),
  updateHost: saveField(t, {
    result: 'UpdateHostResult',
    accepted: HostSaved,
    input: UpdateHostInput,
    references,
    save: updateHost,
  }),
  deleteHost: saveField(t, {
    result: 'DeleteHostResult',
    accepted: HostDeleted,
    refusals: [HostCommandRefused, InvalidInput, ResourceNotFound, Conflict],
    input: DeleteHostInput,
    references,
    save: deleteHost,
    refused: async ({ refusal, id }, { store }) =>
      refusedHost('DELETE', refusal, await hostSnapshot(store, id)),
  }),
}));
