/** Billing subscriptions: who pays. */
import { randomUUID } from 'node:crypto';
import { and, asc, eq, isNull, sql } from 'drizzle-orm';
import type { Store } from '../commit/store.ts';
import { type Caller, named } from '../input/caller.ts';
import { checkKey, checkNotCleared, checkTexts } from '../input/checks.ts';
import {
  type CommonInput,
  conflict,
  expectVersion,
  type GuardedInput,
  NotSaved,
  notFound,
  type SaveResult,
} from '../input/save-result.ts';
import { billingSubscriptions, hosts, instances } from '../table/schema.ts';
import { save } from './save.ts';
import { checkKeyIsFree, usedBy } from './usage.ts';

export interface CreateBillingSubscriptionInput extends CommonInput {
  key: string;
  name?: string | null;
  description?: string | null;
  trial?: boolean | null;
}

export interface UpdateBillingSubscriptionInput extends GuardedInput {
  /** Id or key. */
  billingSubscription: string;
  name?: string | null;
  description?: string | null;
  trial?: boolean | null;
}

export interface DeleteBillingSubscriptionInput extends GuardedInput {
  /** Id or key. */
  billingSubscription: string;
}

export function createBillingSubscription(
  store: Store,
  caller: Caller,
  input: CreateBillingSubscriptionInput,
): Promise<SaveResult> {
  return save(store, caller, {
    field: 'createBillingSubscription',
    input,
    async change(tx, problems) {
      checkKey(problems, input.key);
      checkTexts(problems, input);
      await checkKeyIsFree(tx, problems, { table: billingSubscriptions, caller, key: input.key });
      problems.throwIfAny();
      const id = randomUUID();
      await tx.insert(billingSubscriptions).values({
        id,
        organizationId: caller.organizationId,
        key: input.key,
        name: input.name ?? input.key,
        description: input.description,
        trial: input.trial ?? false,
      });
      return { id };
    },
  });
}

export function updateBillingSubscription(
  store: Store,
  caller: Caller,
  input: UpdateBillingSubscriptionInput,
): Promise<SaveResult> {
  return save(store, caller, {
    field: 'updateBillingSubscription',
    input,
    async change(tx, problems) {
      const [current] = await tx
        .select()
        .from(billingSubscriptions)
        .where(named(billingSubscriptions, caller, input.billingSubscription))
        .for('update');
      if (!current) return notFound('BILLING_SUBSCRIPTION', input.billingSubscription);
      expectVersion(input, current);
      checkTexts(problems, input);
      checkNotCleared(problems, input, ['trial']);
      problems.throwIfAny();
      await tx
        .update(billingSubscriptions)
        .set({
          name: input.name === null ? current.key : input.name,
          description: input.description,
          trial: input.trial ?? undefined,
          version: current.version + 1,
          updatedAt: sql`clock_timestamp()`,
        })
        .where(eq(billingSubscriptions.id, current.id));
      return { id: current.id };
    },
  });
}

export function deleteBillingSubscription(
  store: Store,
  caller: Caller,
  input: DeleteBillingSubscriptionInput,
): Promise<SaveResult> {
  return save(store, caller, {
    field: 'deleteBillingSubscription',
    input,
    async change(tx, problems) {
      const [current] = await tx
        .select()
        .from(billingSubscriptions)
        .where(named(billingSubscriptions, caller, input.billingSubscription))
        .for('update');
      if (!current) return notFound('BILLING_SUBSCRIPTION', input.billingSubscription);
      expectVersion(input, current);
      problems.throwIfAny();
      const payers = await tx
        .select({ key: instances.key })
        .from(instances)
        .where(and(eq(instances.subscriptionId, current.id), isNull(instances.archivedAt)))
        .orderBy(asc(instances.key))
        .limit(6);
      const hostPayers = await tx
        .select({ key: hosts.key })
        .from(hosts)
        .where(and(eq(hosts.subscriptionId, current.id), isNull(hosts.archivedAt)))
        .orderBy(asc(hosts.key))
        .limit(6);
      if (payers.length + hostPayers.length > 0) {
        const users = [
          ...(payers.length > 0 ? [usedBy('instance', payers)] : []),
          ...(hostPayers.length > 0 ? [usedBy('host', hostPayers)] : []),
        ];
        throw new NotSaved(
          conflict(
            'IN_USE',
            `It pays for ${users.join(' and ')}: give them another subscription, or delete them, first.`,
          ),
        );
      }
      await tx
        .update(billingSubscriptions)
        .set({ archivedAt: sql`clock_timestamp()` })
        .where(eq(billingSubscriptions.id, current.id));
      return { id: current.id };
    },
  });
}
