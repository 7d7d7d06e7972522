/** Creating, updating and deleting hosts. Their state is changed through `lifecycle/` alone. */

import { randomUUID } from 'node:crypto';
import { and, eq, isNull, or, sql } from 'drizzle-orm';
import { type HostDriver, type HostSize, hostSizes } from '../../lifecycle/compute.ts';
import { checkDnsName } from '../../lifecycle/dns-name.ts';
import { decideHostCommand, refuseHostCommand } from '../../lifecycle/host-commands.ts';
import { activeStatuses } from '../../lifecycle/operation.ts';
import { archive } from '../command/archive.ts';
import { hostSnapshot } from '../command/snapshot.ts';
import type { Store } from '../commit/store.ts';
import { type Caller, named, type ResourceStore, type Transaction } from '../input/caller.ts';
import {
  checkKey,
  checkLabels,
  checkNotCleared,
  checkOneOf,
  checkTexts,
  isText,
  type LabelInput,
} from '../input/checks.ts';
import {
  type CommonInput,
  conflict,
  expectVersion,
  type GuardedInput,
  NotSaved,
  notFound,
  type Problems,
  type SaveResult,
} from '../input/save-result.ts';
import { billingSubscriptions, hosts, operations } from '../table/schema.ts';
import { checkSizeTakes } from './capacity.ts';
import { findProvider } from './compute-providers.ts';
import { created, save } from './save.ts';
import { checkKeyIsFree, usedBy } from './usage.ts';

/** What describes a host. Without a value: the default, and in an update no change. */
interface HostFields {
  name?: string | null;
  description?: string | null;
  /** That of its provider, if it is given at all. */
  driver?: HostDriver | null;
  size?: HostSize | null;
  /** `north.instances.test`, or `north` alone; by default the key. */
  dnsName?: string | null;
  subscription?: string | null;
  labels?: readonly LabelInput[] | null;
}

export interface CreateHostInput extends CommonInput, HostFields {
  key: string;
  /** Id or key; by default the default of the organization. */
  provider?: string | null;
}

export interface UpdateHostInput extends GuardedInput, HostFields {
  /** Id or key. */
  host: string;
}

export interface DeleteHostInput extends GuardedInput {
  /** Id or key. */
  host: string;
}

export function createHost(
  store: ResourceStore,
  caller: Caller,
  input: CreateHostInput,
): Promise<SaveResult> {
  return save(store, caller, {
    field: 'createHost',
    input,
    async change(tx, problems) {
      checkKey(problems, input.key);
      checkTexts(problems, input);
      const labels = checkLabels(problems, input.labels);
      const size = input.size ?? 'SMALL';
      checkOneOf(problems, size, { path: 'size', values: hostSizes });
      const subscriptionId = isText(input.subscription)
        ? await findSubscription(tx, problems, { caller, reference: input.subscription })
        : null;
      const { provider: reference } = input;
      const provider = await findProvider(tx, problems, { caller, reference, path: 'provider' });
      if (provider) checkDriver(problems, input.driver, provider);
      const dnsName = dnsNameOf(store, input.dnsName ?? input.key);
      const keyIsFree = await checkKeyIsFree(tx, problems, {
        table: hosts,
        caller,
        key: input.key,
      });
      // A name made of a key that is no good is refused with the key, whose problems are reported already.
      if (isText(input.dnsName) || keyIsFree)
        await checkDnsNameIsFree(tx, problems, { dnsName, zone: store.dnsZone, path: 'dnsName' });
      problems.throwIfAny();
      if (!provider) throw new Error('checked above');
      const id = randomUUID();
      await tx.insert(hosts).values({
        id,
        organizationId: caller.organizationId,
        key: input.key,
        name: input.name ?? input.key,
        description: input.description,
        labels,
        providerId: provider.id,
        driver: provider.kind,
        size,
        dnsName,
        subscriptionId,
      });
      return { id, logged: [created('HOST', id, input.key)] };
    },
  });
}

export function updateHost(
  store: ResourceStore,
  caller: Caller,
  input: UpdateHostInput,
): Promise<SaveResult> {
  return save(store, caller, {
    field: 'updateHost',
    input,
    async change(tx, problems) {
      const [current] = await tx
        .select()
        .from(hosts)
        .where(named(hosts, caller, input.host))
        .for('update');
      if (!current) return notFound('HOST', input.host);
      expectVersion(input, current);
      checkTexts(problems, input);
      checkNotCleared(problems, input, ['driver', 'size']);
      checkDriver(problems, input.driver, { key: 'its provider', kind: current.driver });
      const labels = input.labels === undefined ? undefined : checkLabels(problems, input.labels);
      if (input.size) checkOneOf(problems, input.size, { path: 'size', values: hostSizes });
      const subscriptionId = isText(input.subscription)
        ? await findSubscription(tx, problems, { caller, reference: input.subscription })
        : (input.subscription as null | undefined);
      const dnsName =
        input.dnsName === undefined ? undefined : dnsNameOf(store, input.dnsName ?? current.key);
      if (dnsName !== undefined && dnsName !== current.dnsName) {
        await checkDnsNameIsFree(tx, problems, { dnsName, zone: store.dnsZone, path: 'dnsName' });
      }
      const frozen = await whatFreezes(tx, { hostId: current.id, state: current.state });
      const wanted = {
        size: input.size ?? undefined,
        dnsName,
        subscriptionId,
      };
      const paths = { ...wanted, subscription: subscriptionId, subscriptionId: undefined };
      const now = { ...current, subscription: current.subscriptionId };
      for (const [path, value] of Object.entries(paths)) {
        if (!frozen || value === undefined || value === now[path as keyof typeof paths]) continue;
        problems.conflict(
          path,
          'IN_USE',
          `Host ${current.key} ${frozen}: its ${path} can change only while it is OFFLINE. Remove it with removeHost first.`,
        );
      }
      if (input.size && input.size !== current.size) {
        await checkSizeTakes(tx, problems, { ...current, size: input.size });
      }
      problems.throwIfAny();
      await tx
        .update(hosts)
        .set({
          ...wanted,
          name: input.name === null ? current.key : input.name,
          description: input.description,
          labels,
          version: current.version + 1,
          guard: current.guard + 1,
          updatedAt: sql`clock_timestamp()`,
        })
        .where(eq(hosts.id, current.id));
      const { id, sequence } = current;
      return { id, logged: [{ kind: 'UPDATED', resource: 'HOST', id, sequence }] };
    },
  });
}

/** Archives a host that is OFFLINE and that no instance names. */
export function deleteHost(
  store: Store,
  caller: Caller,
  input: DeleteHostInput,
): Promise<SaveResult> {
  return archive(store, caller, {
    field: 'deleteHost',
    input,
    kind: 'HOST',
    reference: input.host,
    table: hosts,
    load: (id) => hostSnapshot(store, id),
    rule(snapshot, context) {
      if (!snapshot.host) throw new Error('deleteHost: the snapshot has no host');
      const refusal = refuseHostCommand('DELETE', snapshot.host, snapshot.instances);
      if (refusal) return refusal;
      if (snapshot.instances.length > 0) {
        const users = usedBy('instance', [...snapshot.instances].sort(byKey));
        throw new NotSaved(
          conflict('IN_USE', `Host of ${users}: move them to another host, or delete them, first.`),
        );
      }
      return decideHostCommand(snapshot, 'DELETE', context);
    },
  });
}

const byKey = (a: { key: string }, b: { key: string }): number => (a.key < b.key ? -1 : 1);

/** A host has the driver of its provider. */
function checkDriver(
  problems: Problems,
  driver: HostDriver | null | undefined,
  { key, kind }: { key: string; kind: HostDriver },
): void {
  if (!driver || driver === kind) return;
  problems.issue(
    'driver',
    `The driver of ${key} is ${kind}: leave it out, or choose another provider.`,
  );
}

/** Fully qualified: a single label lies in the zone. */
export function dnsNameOf(store: ResourceStore, name: string): string {
  return name === '' || name.includes('.') ? name : `${name}.${store.dnsZone}`;
}

/** Is it a name that the zone can hold, and that no host of any organization has or had? */
export async function checkDnsNameIsFree(
  tx: Transaction,
  problems: Problems,
  { dnsName, zone, path }: { dnsName: string; zone: string; path: string },
): Promise<void> {
  const faults = checkDnsName(dnsName, zone);
  for (const fault of faults) problems.issue(path, fault);
  if (faults.length > 0) return;
  const taken = await tx.select({ id: hosts.id }).from(hosts).where(eq(hosts.dnsName, dnsName));
  if (taken.length === 0) return;
  const remedy =
    path === 'dnsName'
      ? 'choose another'
      : 'choose another key, or create its host with a dnsName of your own and name it';
  problems.conflict(path, 'KEY_TAKEN', `The DNS name ${dnsName} is taken: ${remedy}.`);
}

/** The subscription that pays, kept from being deleted meanwhile; undefined: there is none such. */
export async function findSubscription(
  tx: Transaction,
  problems: Problems,
  { caller, reference }: { caller: Caller; reference: string },
): Promise<string | undefined> {
  const [found] = await tx
    .select({ id: billingSubscriptions.id })
    .from(billingSubscriptions)
    .where(named(billingSubscriptions, caller, reference))
    .for('share');
  if (!found) {
    problems.issue(
      'subscription',
      'There is no such billing subscription: give the id or key of one, or create it with createBillingSubscription.',
    );
  }
  return found?.id;
}

/** What keeps a resource as it is: `is RUNNING`, `has DEPLOY_INSTANCE under way`. Null: nothing. */
export async function whatFreezes(
  tx: Transaction,
  resource: { state: string } & ({ instanceId: string } | { hostId: string }),
): Promise<string | null> {
  if (resource.state !== 'OFFLINE') return `is ${resource.state}`;
  const [active] = await tx
    .select({ kind: operations.kind })
    .from(operations)
    .where(
      and(
        'hostId' in resource
          ? eq(operations.hostId, resource.hostId)
          : eq(operations.instanceId, resource.instanceId),
        or(...activeStatuses.map((status) => eq(operations.status, status))),
        isNull(operations.endedAt),
      ),
    );
  return active ? `has ${active.kind} under way` : null;
}
