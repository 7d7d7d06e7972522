/** Billing subscriptions: who pays. */
import { eq } from 'drizzle-orm';
import type { Store } from '../commit/store.ts';
import type { Caller } from '../input/caller.ts';
import { conflict, type GuardedInput, NotSaved, type SaveResult } from '../input/save-result.ts';
import { billingSubscriptions, hosts, instances } from '../table/schema.ts';
import {
  type CreateEntryInput,
  createEntry,
  deleteEntry,
  type UpdateEntryInput,
  updateEntry,
} from './catalogue.ts';
import { usedBy, usersOf } from './usage.ts';

export interface CreateBillingSubscriptionInput extends CreateEntryInput {
  trial?: boolean | null;
}

export interface UpdateBillingSubscriptionInput extends UpdateEntryInput {
  /** Id or key. */
  billingSubscription: string;
  trial?: boolean | null;
}

export interface DeleteBillingSubscriptionInput extends GuardedInput {
  /** Id or key. */
  billingSubscription: string;
}

const kind = { table: billingSubscriptions, entity: 'BILLING_SUBSCRIPTION' } as const;

export function createBillingSubscription(
  store: Store,
  caller: Caller,
  input: CreateBillingSubscriptionInput,
): Promise<SaveResult> {
  return createEntry(store, caller, {
    ...kind,
    field: 'createBillingSubscription',
    input,
    columns: () => ({ trial: input.trial ?? false }),
  });
}

export function updateBillingSubscription(
  store: Store,
  caller: Caller,
  input: UpdateBillingSubscriptionInput,
): Promise<SaveResult> {
  return updateEntry(store, caller, {
    ...kind,
    field: 'updateBillingSubscription',
    input,
    reference: input.billingSubscription,
    required: ['trial'],
    columns: () => ({ trial: input.trial ?? undefined }),
  });
}

export function deleteBillingSubscription(
  store: Store,
  caller: Caller,
  input: DeleteBillingSubscriptionInput,
): Promise<SaveResult> {
  return deleteEntry(store, caller, {
    ...kind,
    field: 'deleteBillingSubscription',
    input,
    reference: input.billingSubscription,
    async expectUnused({ id }, tx) {
      const payers = await usersOf(tx, instances, eq(instances.subscriptionId, id));
      const hostPayers = await usersOf(tx, hosts, eq(hosts.subscriptionId, id));
      const users = [
        ...(payers.length > 0 ? [usedBy('instance', payers)] : []),
        ...(hostPayers.length > 0 ? [usedBy('host', hostPayers)] : []),
      ];
      if (users.length === 0) return;
      throw new NotSaved(
        conflict(
          'IN_USE',
          `It pays for ${users.join(' and ')}: give them another subscription, or delete them, first.`,
        ),
      );
    },
  });
}
