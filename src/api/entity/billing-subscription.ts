/** Billing subscriptions: who pays for hosts and instances. */
import {
  createBillingSubscription,
  deleteBillingSubscription,
  updateBillingSubscription,
} from '../../store/resource/billing-subscriptions.ts';
import { builder } from '../base/builder.ts';
import { callerOf } from '../base/context.ts';
import { globalId, named, referenceOf } from '../base/ids.ts';
import { readsOf } from '../base/reads.ts';
import { defineList, defineOrder } from '../list/connection.ts';
import { allOf, equal, resources } from '../list/filters.ts';
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
      key: t.stringList(),
      text: t.string(),
      archived: t.boolean(),
    }),
  }),
  order: defineOrder('BillingSubscription', {
    by: { KEY: 'key', NAME: 'name', CREATED_AT: 'createdAt', UPDATED_AT: 'updatedAt' },
    initial: { field: 'KEY', direction: 'asc' },
  }),
  where: (filter) => allOf(resources(filter), equal('trial', filter?.trial)),
});

builder.queryFields((t) => ({
  billingSubscription: t.drizzleField({
    type: BillingSubscription,
    nullable: true,
    args: { billingSubscription: t.arg.id({ required: true }) },
    resolve: (query, _root, args, context) =>
      readsOf(context, 'billingSubscriptions').findFirst(
        query({
          where: { ...named('BillingSubscription', args.billingSubscription) },
        }),
      ),
  }),
  billingSubscriptions: billingSubscriptionList.root(t),
}));

const BillingSubscriptionSaved = builder
  .objectRef<Saved<'BillingSubscriptionSaved'>>('BillingSubscriptionSaved')
  .implement({
    fields: (t) => ({
      billingSubscription: t.drizzleField({
        type: BillingSubscription,
        resolve: async (query, { id }, _args, context) =>
          (await readsOf(context, 'billingSubscriptions').findFirst(query({ where: { id } })))!,
      }),
    }),
  });

const BillingSubscriptionDeleted = builder
  .objectRef<Saved<'BillingSubscriptionDeleted'>>('BillingSubscriptionDeleted')
  .implement({
    fields: (t) => ({
      deletedId: t.id({ resolve: ({ id }) => globalId('BillingSubscription', id) }),
    }),
  });

const CreateBillingSubscriptionInput = builder.inputType('CreateBillingSubscriptionInput', {
  fields: (t) => ({
    key: t.string({ required: true }),
    name: t.string(),
    description: t.string(),
    trial: t.boolean(),
    ...commonFields(t),
  }),
});

const UpdateBillingSubscriptionInput = builder.inputType('UpdateBillingSubscriptionInput', {
  fields: (t) => ({
    billingSubscription: t.id({ required: true }),
    name: t.string(),
    description: t.string(),
    trial: t.boolean(),
    ...guardedFields(t),
  }),
});

const DeleteBillingSubscriptionInput = builder.inputType('DeleteBillingSubscriptionInput', {
  fields: (t) => ({ billingSubscription: t.id({ required: true }), ...guardedFields(t) }),
});

builder.mutationFields((t) => ({
  createBillingSubscription: t.field({
    type: resultType('CreateBillingSubscriptionResult', [
      BillingSubscriptionSaved,
      InvalidInput,
      Conflict,
    ]),
    nullable: true,
    args: { input: t.arg({ type: CreateBillingSubscriptionInput, required: true }) },
    resolve: async (_root, { input }, context) =>
      creationResult(
        'BillingSubscriptionSaved',
        await createBillingSubscription(context.store, callerOf(context), input),
      ),
  }),
  updateBillingSubscription: t.field({
    type: resultType('UpdateBillingSubscriptionResult', [
      BillingSubscriptionSaved,
      InvalidInput,
      ResourceNotFound,
      Conflict,
    ]),
    nullable: true,
    args: { input: t.arg({ type: UpdateBillingSubscriptionInput, required: true }) },
    resolve: async (_root, { input }, context) =>
      saveResult(
        'BillingSubscriptionSaved',
        await updateBillingSubscription(context.store, callerOf(context), withReference(input)),
      ),
  }),
  deleteBillingSubscription: t.field({
    type: resultType('DeleteBillingSubscriptionResult', [
      BillingSubscriptionDeleted,
      InvalidInput,
      ResourceNotFound,
      Conflict,
    ]),
    nullable: true,
    args: { input: t.arg({ type: DeleteBillingSubscriptionInput, required: true }) },
    resolve: async (_root, { input }, context) =>
      saveResult(
        'BillingSubscriptionDeleted',
        await deleteBillingSubscription(context.store, callerOf(context), withReference(input)),
      ),
  }),
}));

function withReference<Input extends { billingSubscription: string }>(input: Input): Input {
  return {
    ...input,
    billingSubscription: referenceOf('BillingSubscription', input.billingSubscription),
  };
}
