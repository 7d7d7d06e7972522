/** Billing subscriptions: who pays for hosts and instances. */
import {
  createBillingSubscription,
  deleteBillingSubscription,
  updateBillingSubscription,
} from '../../store/resource/billing-subscriptions.ts';
import { builder } from '../base/builder.ts';
import { defineList } from '../list/connection.ts';
import { allOf, equal, resourceFilterFields, resources } from '../list/filters.ts';
import { entryOrder } from '../list/order.ts';
import { commonFields, guardedFields, textFields } from '../result/inputs.ts';
import { deletedType, savedType, saveField } from '../result/mutations.ts';
import { Conflict, InvalidInput } from '../result/user-errors.ts';
import { hostList } from './host.ts';
import { instanceList } from './instance.ts';

export const BillingSubscription = builder.drizzleNode('billingSubscriptions', {
  name: 'BillingSubscription',
  id: { column: (subscription) => subscription.id },
  fields: (t) => ({
    key: t.exposeString('key'),
    name: t.exposeString('name'),
    description: t.exposeString('description', { nullable: true }),
    trial: t.exposeBoolean('trial'),
    instances: instanceList.related(t, 'instances', 'billingSubscriptions'),
    hosts: hostList.related(t, 'hosts', 'billingSubscriptions'),
    version: t.exposeInt('version'),
    createdAt: t.expose('createdAt', { type: 'DateTime' }),
    updatedAt: t.expose('updatedAt', { type: 'DateTime' }),
    archivedAt: t.expose('archivedAt', { type: 'DateTime', nullable: true }),
  }),
});

export const billingSubscriptionList = defineList({
  name: 'BillingSubscription',
  type: BillingSubscription,
  table: 'billingSubscriptions',
  filter: builder.inputType('BillingSubscriptionFilter', {
    fields: (t) => ({
      trial: t.boolean(),
      ...resourceFilterFields(t),
    }),
  }),
  order: entryOrder('BillingSubscription'),
  where: (filter) => allOf(resources(filter), equal('trial', filter?.trial)),
});

builder.queryFields((t) => ({
  billingSubscription: billingSubscriptionList.one(t, 'billingSubscription'),
  billingSubscriptions: billingSubscriptionList.root(t),
}));

const BillingSubscriptionSaved = savedType('BillingSubscriptionSaved', {
  field: 'billingSubscription',
  type: BillingSubscription,
  table: 'billingSubscriptions',
});

const BillingSubscriptionDeleted = deletedType('BillingSubscriptionDeleted', 'BillingSubscription');

const CreateBillingSubscriptionInput = builder.inputType('CreateBillingSubscriptionInput', {
  fields: (t) => ({
    key: t.string({ required: true }),
    ...textFields(t),
    trial: t.boolean(),
    ...commonFields(t),
  }),
});

const UpdateBillingSubscriptionInput = builder.inputType('UpdateBillingSubscriptionInput', {
  fields: (t) => ({
    billingSubscription: t.id({ required: true }),
    ...textFields(t),
    trial: t.boolean(),
    ...guardedFields(t),
  }),
});

const DeleteBillingSubscriptionInput = builder.inputType('DeleteBillingSubscriptionInput', {
  fields: (t) => ({ billingSubscription: t.id({ required: true }), ...guardedFields(t) }),
});

const references = { billingSubscription: 'BillingSubscription' } as const;

builder.mutationFields((t) => ({
  createBillingSubscription: saveField(t, {
    result: 'CreateBillingSubscriptionResult',
    accepted: BillingSubscriptionSaved,
    refusals: [InvalidInput, Conflict],
    input: CreateBillingSubscriptionInput,
    save: createBillingSubscription,
  }),
  updateBillingSubscription: saveField(t, {
    result: 'UpdateBillingSubscriptionResult',
    accepted: BillingSubscriptionSaved,
    input: UpdateBillingSubscriptionInput,
    references,
    save: updateBillingSubscription,
  }),
  deleteBillingSubscription: saveField(t, {
    result: 'DeleteBillingSubscriptionResult',
    accepted: BillingSubscriptionDeleted,
    input: DeleteBillingSubscriptionInput,
    references,
    save: deleteBillingSubscription,
  }),
}));
