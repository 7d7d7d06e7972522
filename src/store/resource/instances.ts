/** Creating, updating and deleting instances. Their state is changed through `lifecycle/` alone. */

import { randomUUID } from 'node:crypto';
import { eq, sql } from 'drizzle-orm';
import type { HostDriver } from '../../lifecycle/compute.ts';
import { decideInstanceCommand } from '../../lifecycle/instance-commands.ts';
import { archive } from '../command/archive.ts';
import { instanceSnapshot } from '../command/snapshot.ts';
import type { Store } from '../commit/store.ts';
import { type Caller, named, type ResourceStore, type Transaction } from '../input/caller.ts';
import {
  checkKey,
  checkLabels,
  checkNotCleared,
  checkTexts,
  isKey,
  isText,
  type LabelInput,
} from '../input/checks.ts';
import {
  type CommonInput,
  expectVersion,
  type GuardedInput,
  notFound,
  type Problems,
  type SaveResult,
} from '../input/save-result.ts';
import { hosts, instances } from '../table/schema.ts';
import { checkHostTakes } from './capacity.ts';
import { findProvider } from './compute-providers.ts';
import { checkDnsNameIsFree, dnsNameOf, findSubscription, whatFreezes } from './hosts.ts';
import {
  checkConfiguration,
  findDeviceRepository,
  findHost,
  type InstanceConfigurationInput,
} from './instance-checks.ts';
import { checkWhatRuns, checkWhatStillRuns } from './instance-solution.ts';
import { created, type Logged, save } from './save.ts';
import { checkKeyIsFree } from './usage.ts';

export interface CreateInstanceInput extends CommonInput {
  key: string;
  name?: string | null;
  description?: string | null;
  /** Id or key, as are the references below. */
  solution: string;
  /** `1.0` or its id; null: always the newest published one. */
  solutionVersion?: string | null;
  subscription: string;
  deviceRepository: string;
  /** A host to share; null: one of its own. */
  host?: string | null;
  /** On which its own host will be; null: the default. Id or key. */
  provider?: string | null;
  labels?: readonly LabelInput[] | null;
  settings?: unknown;
  configuration: InstanceConfigurationInput;
}

export interface UpdateInstanceInput extends GuardedInput {
  /** Id or key. */
  instance: string;
  name?: string | null;
  description?: string | null;
  solution?: string | null;
  solutionVersion?: string | null;
  subscription?: string | null;
  deviceRepository?: string | null;
  host?: string | null;
  labels?: readonly LabelInput[] | null;
  settings?: unknown;
  configuration?: InstanceConfigurationInput | null;
}

export interface DeleteInstanceInput extends GuardedInput {
  /** Id or key. */
  instance: string;
}

/** Creates an instance, and with it a host of its own where the input names none. */
export function createInstance(
  store: ResourceStore,
  caller: Caller,
  input: CreateInstanceInput,
): Promise<SaveResult> {
  return save(store, caller, {
    field: 'createInstance',
    input,
    async change(tx, problems) {
      const check = { tx, caller, problems };
      const id = randomUUID();
      checkKey(problems, input.key);
      checkTexts(problems, input);
      const labels = checkLabels(problems, input.labels);
      const keyIsFree = await checkKeyIsFree(tx, problems, {
        table: instances,
        caller,
        key: input.key,
      });
      const host = isText(input.host) ? await findHost(check, input.host) : null;
      const keys = store.secretKeys;
      const runs = await checkWhatRuns(check, input, { instanceId: id, keys });
      const subscriptionId = await findSubscription(tx, problems, {
        caller,
        reference: input.subscription,
      });
      const deviceRepositoryId = await findDeviceRepository(check, input.deviceRepository, null);
      const configuration = await checkConfiguration(check, input.configuration);
      if (host) {
        await checkHostTakes(tx, problems, {
          ...{ caller, host, wanted: configuration, instanceId: null, path: 'host' },
        });
      }
      // A taken key says enough: that of its own host is taken with it.
      const own =
        isText(input.host) || !keyIsFree
          ? null
          : await checkOwnHost(tx, problems, { store, caller, input });
      if (isText(input.host) && isText(input.provider)) {
        problems.issue('provider', 'The host that it shares has a provider: leave this out.');
      }
      problems.throwIfAny();
      if (!runs || !subscriptionId || !deviceRepositoryId) throw new Error('checked above');

      const { organizationId } = caller;
      const logged: Logged[] = [created('INSTANCE', id, input.key)];
      if (own) {
        await tx.insert(hosts).values({
          ...own,
          organizationId,
          name: own.key,
          size: configuration.imageSize ?? 'SMALL',
          subscriptionId,
        });
        logged.unshift(created('HOST', own.id, own.key));
      }
      if (host) await growGuard(tx, host);
      await tx.insert(instances).values({
        ...configuration,
        id,
        organizationId,
        key: input.key,
        name: input.name ?? input.key,
        description: input.description,
        ...runs,
        labels,
        subscriptionId,
        deviceRepositoryId,
        hostId: own?.id ?? host?.id,
      });
      return { id, logged };
    },
  });
}

/** Edits an instance. An absent field keeps what is there. */
export function updateInstance(
  store: ResourceStore,
  caller: Caller,
  input: UpdateInstanceInput,
): Promise<SaveResult> {
  return save(store, caller, {
    field: 'updateInstance',
    input,
    async change(tx, problems) {
      const check = { tx, caller, problems };
      const where = named(instances, caller, input.instance);
      const [there] = await tx.select({ id: instances.id }).from(instances).where(where);
      if (!there) return notFound('INSTANCE', input.instance);
      const host = isText(input.host) ? await findHost(check, input.host) : undefined;
      const [current] = await tx.select().from(instances).where(where).for('update');
      if (!current) return notFound('INSTANCE', input.instance);
      expectVersion(input, current);

      checkTexts(problems, input);
      checkNotCleared(problems, input, [
        'solution',
        'subscription',
        'deviceRepository',
        'configuration',
      ]);
      const labels = input.labels === undefined ? undefined : checkLabels(problems, input.labels);
      const owner = { instanceId: current.id, keys: store.secretKeys };
      const runs = await checkWhatStillRuns(check, { current, ...owner }, input);
      const subscriptionId = isText(input.subscription)
        ? await findSubscription(tx, problems, { caller, reference: input.subscription })
        : undefined;
      const deviceRepositoryId = isText(input.deviceRepository)
        ? await findDeviceRepository(check, input.deviceRepository, current.id)
        : undefined;
      const configuration = input.configuration
        ? await checkConfiguration(check, input.configuration)
        : undefined;
      const hostId = input.host === null ? null : host?.id;
      const frozen = await whatFreezes(tx, { instanceId: current.id, state: current.state });
      const moves = { deviceRepositoryId, hostId, edition: configuration?.edition };
      const pathOf = {
        deviceRepositoryId: 'deviceRepository',
        hostId: 'host',
        edition: 'configuration',
      } as const;
      for (const column of ['deviceRepositoryId', 'hostId', 'edition'] as const) {
        if (!frozen || moves[column] === undefined || moves[column] === current[column]) continue;
        const what = column === 'edition' ? 'edition' : pathOf[column];
        problems.conflict(
          pathOf[column],
          'IN_USE',
          `Instance ${current.key} ${frozen}: its ${what} can change only while it is OFFLINE. Stop and detach it first.`,
        );
      }
      const place = host ?? (configuration && (await hostOf(tx, current)));
      // Where it may not move or change, room is not the question.
      if (place && !problems.any && (host?.id !== current.hostId || configuration)) {
        await checkHostTakes(tx, problems, {
          ...{ caller, host: place, wanted: configuration ?? current, instanceId: current.id },
          path: host && host.id !== current.hostId ? 'host' : 'configuration',
        });
      }
      problems.throwIfAny();

      if (host && host.id !== current.hostId) await growGuard(tx, host);
      await tx
        .update(instances)
        .set({
          ...configuration,
          ...runs,
          name: input.name === null ? current.key : input.name,
          description: input.description,
          labels,
          subscriptionId,
          deviceRepositoryId,
          hostId,
          version: current.version + 1,
          guard: current.guard + 1,
          updatedAt: sql`clock_timestamp()`,
        })
        .where(eq(instances.id, current.id));
      const { id, sequence } = current;
      return { id, logged: [{ kind: 'UPDATED', resource: 'INSTANCE', id, sequence }] };
    },
  });
}

/** Archives an instance that is OFFLINE. Its device repository is free again, its host stays. */
export function deleteInstance(
  store: Store,
  caller: Caller,
  input: DeleteInstanceInput,
): Promise<SaveResult> {
  return archive(store, caller, {
    field: 'deleteInstance',
    input,
    kind: 'INSTANCE',
    reference: input.instance,
    table: instances,
    load: (id) => instanceSnapshot(store, id),
    rule: (snapshot, context) => decideInstanceCommand(snapshot, 'DELETE', context),
  });
}

/** The host that an instance has now. */
async function hostOf(tx: Transaction, { hostId }: { hostId: string | null }) {
  if (hostId === null) return undefined;
  const [found] = await tx.select().from(hosts).where(eq(hosts.id, hostId));
  return found;
}

/** A host that gains an instance has changed: who read it without decides again. */
async function growGuard(tx: Transaction, host: { id: string; guard: number }): Promise<void> {
  await tx
    .update(hosts)
    .set({ guard: host.guard + 1 })
    .where(eq(hosts.id, host.id));
}

interface OwnHost {
  readonly id: string;
  readonly key: string;
  readonly dnsName: string;
  readonly providerId: string;
  readonly driver: HostDriver;
}

/** The host that a new instance brings along: `<key>-host`, under the instance's name in the DNS. */
async function checkOwnHost(
  tx: Transaction,
  problems: Problems,
  { store, caller, input }: { store: ResourceStore; caller: Caller; input: CreateInstanceInput },
): Promise<OwnHost | null> {
  if (!isKey(input.key)) return null;
  const key = `${input.key}-host`;
  if (!isKey(key)) {
    problems.issue(
      'key',
      `Its own host would be ${key}, which is too long for a key: take 58 characters at most, or name a host.`,
    );
    return null;
  }
  await checkKeyIsFree(tx, problems, {
    table: hosts,
    caller,
    key,
    remedy: 'it would be its own host; name a host to share, or choose another key',
  });
  const dnsName = dnsNameOf(store, input.key);
  await checkDnsNameIsFree(tx, problems, { dnsName, zone: store.dnsZone, path: 'key' });
  const { provider: reference } = input;
  const provider = await findProvider(tx, problems, { caller, reference, path: 'provider' });
  if (!provider) return null;
  return { id: randomUUID(), key, dnsName, providerId: provider.id, driver: provider.kind };
}
