/** Creating, editing and deleting hosts. */

import { hostSnapshot } from '../../store/command/snapshot.ts';
import { createHost, deleteHost, updateHost } from '../../store/resource/hosts.ts';
import { builder } from '../base/builder.ts';
import { callerOf } from '../base/context.ts';
import { HostSize } from '../base/enums.ts';
import { globalId } from '../base/ids.ts';
import { readsOf } from '../base/reads.ts';
import { Host, HostDriver } from '../entity/host.ts';
import { LabelInput } from '../entity/node.ts';
import { commonFields, guardedFields } from '../result/inputs.ts';
import { withReferences } from '../result/references.ts';
import {
  Conflict,
  InvalidInput,
  ResourceNotFound,
  resultType,
  type Saved,
  saveResult,
} from '../result/user-errors.ts';
import { HostCommandRefused, refusedHost } from './refusals.ts';

const HostSaved = builder.objectRef<Saved<'HostSaved'>>('HostSaved').implement({
  fields: (t) => ({
    host: t.drizzleField({
      type: Host,
      resolve: async (query, { id }, _args, context) =>
        (await readsOf(context, 'hosts').findFirst(query({ where: { id } })))!,
    }),
  }),
});

const HostDeleted = builder.objectRef<Saved<'HostDeleted'>>('HostDeleted').implement({
  fields: (t) => ({ deletedId: t.id({ resolve: ({ id }) => globalId('Host', id) }) }),
});

const CreateHostInput = builder.inputType('CreateHostInput', {
  fields: (t) => ({
    key: t.string({ required: true }),
    name: t.string(),
    description: t.string(),
    driver: t.field({ type: HostDriver }),
    size: t.field({ type: HostSize }),
    dnsName: t.string(),
    subscription: t.id(),
    labels: t.field({ type: [LabelInput] }),
    ...commonFields(t),
  }),
});

const UpdateHostInput = builder.inputType('UpdateHostInput', {
  fields: (t) => ({
    host: t.id({ required: true }),
    name: t.string(),
    description: t.string(),
    driver: t.field({ type: HostDriver }),
    size: t.field({ type: HostSize }),
    dnsName: t.string(),
    subscription: t.id(),
    labels: t.field({ type: [LabelInput] }),
    ...guardedFields(t),
  }),
});

const DeleteHostInput = builder.inputType('DeleteHostInput', {
  fields: (t) => ({ host: t.id({ required: true }), ...guardedFields(t) }),
});

const references = { host: 'Host', subscription: 'BillingSubscription' } as const;

builder.mutationFields((t) => ({
  createHost: t.field({
    type: resultType('CreateHostResult', [HostSaved, InvalidInput, ResourceNotFound, Conflict]),
    nullable: true,
    args: { input: t.arg({ type: CreateHostInput, required: true }) },
    resolve: async (_root, { input }, context) => {
      const resolved = withReferences(input, { subscription: references.subscription });
      return saveResult('HostSaved', await createHost(context.store, callerOf(context), resolved));
    },
  }),
  updateHost: t.field({
    type: resultType('UpdateHostResult', [HostSaved, InvalidInput, ResourceNotFound, Conflict]),
    nullable: true,
    args: { input: t.arg({ type: UpdateHostInput, required: true }) },
    resolve: async (_root, { input }, context) => {
      const resolved = withReferences(input, references);
      return saveResult('HostSaved', await updateHost(context.store, callerOf(context), resolved));
    },
  }),
  deleteHost: t.field({
    type: resultType('DeleteHostResult', [
      HostDeleted,
      HostCommandRefused,
      InvalidInput,
      ResourceNotFound,
      Conflict,
    ]),
    nullable: true,
    args: { input: t.arg({ type: DeleteHostInput, required: true }) },
    resolve: async (_root, { input }, context) => {
      const result = await deleteHost(
        context.store,
        callerOf(context),
        withReferences(input, { host: references.host }),
      );
      if (result.outcome !== 'REFUSED') return saveResult('HostDeleted', result);
      const snapshot = await hostSnapshot(context.store, result.id);
      return refusedHost('DELETE', result.refusal, snapshot);
    },
  }),
}));
