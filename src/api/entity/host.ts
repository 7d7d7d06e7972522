/** Hosts: the type, its list and its queries. Commands are in host-commands.ts. */

import { isIPv6 } from 'node:net';
import type { InputRef } from '@pothos/core';
import {
  type HostDriver as HostDriverName,
  type HostSize as HostSizeName,
  hostDrivers,
} from '../../lifecycle/compute.ts';
import type { HostState as HostStateName } from '../../lifecycle/host.ts';
import { allowedHostActions } from '../../lifecycle/host-commands.ts';
import { readAllocations, readDnsConfirmations, readHostFacts } from '../../store/read/reads.ts';
import type { HostCheck } from '../../store/table/schema.ts';
import { builder } from '../base/builder.ts';
import type { Context } from '../base/context.ts';
import { HostAction, HostSize, HostState } from '../base/enums.ts';
import { anyNamed } from '../base/ids.ts';
import { defineList, type List } from '../list/connection.ts';
import {
  allOf,
  anyOf,
  equal,
  type ResourceFilter,
  resourceFilterFields,
  resources,
} from '../list/filters.ts';
import { type LabelFilterShape, labelled } from '../list/labels.ts';
import { resourceOrder } from '../list/order.ts';
import { HostCapacity } from './capacity.ts';
import { Failure, shownFailure } from './failure.ts';
import { instanceList } from './instance.ts';
import { Label, LabelFilter, labelsOf, Resource } from './node.ts';
import { activeOperationOf, operationList } from './operation.ts';
import { hostTransitionList } from './transition.ts';

export const HostDriver = builder.enumType('HostDriver', { values: hostDrivers });

const DnsRecordType = builder.enumType('DnsRecordType', { values: ['A', 'AAAA'] as const });

builder.drizzleObject('dnsRecords', {
  name: 'DnsRecord',
  fields: (t) => ({
    name: t.string({ resolve: ({ name }) => name }),
    type: t.field({
      type: DnsRecordType,
      resolve: ({ address }) => (isIPv6(address) ? 'AAAA' : 'A'),
    }),
    address: t.string({ resolve: ({ address }) => address }),
    ttlSeconds: t.int({ resolve: ({ ttlSeconds }) => ttlSeconds }),
    confirmedAt: t.field({
      type: 'DateTime',
      nullable: true,
      resolve: ({ hostId }, _args, { loaders, store }) =>
        loaders.load('dnsConfirmations', hostId, (ids) => readDnsConfirmations(store, ids)),
    }),
  }),
});

const HealthCheck = builder.objectRef<HostCheck>('HealthCheck').implement({
  fields: (t) => ({
    at: t.field({ type: 'DateTime', resolve: ({ at }) => new Date(at) }),
    answered: t.exposeBoolean('answered'),
  }),
});

export const Host = builder.drizzleNode('hosts', {
  name: 'Host',
  id: { column: (host) => host.id },
  interfaces: [Resource],
  fields: (t) => ({
    description: t.string({ nullable: true, resolve: ({ description }) => description }),
    labels: t.field({ type: [Label], resolve: ({ labels }) => labelsOf(labels) }),
    provider: t.relation('provider'),
    driver: t.field({ type: HostDriver, resolve: ({ driver }) => driver }),
    state: t.field({ type: HostState, resolve: ({ state }) => state }),
    stateSince: t.field({ type: 'DateTime', resolve: ({ stateSince }) => stateSince }),
    failedStage: t.field({
      type: HostState,
      nullable: true,
      resolve: ({ failedStage }) => failedStage,
    }),
    removing: t.boolean({ resolve: ({ removing }) => removing }),
    size: t.field({ type: HostSize, resolve: ({ size }) => size }),
    capacity: t.field({
      type: HostCapacity,
      resolve: async ({ id, size }, _args, { loaders, store }) => {
        const allocated = await loaders.load('allocations', id, (ids) =>
          readAllocations(store, ids),
        );
        return { size, allocated: allocated ?? { cpus: 0, memoryBytes: 0 } };
      },
    }),
    address: t.string({ nullable: true, resolve: ({ address }) => address }),
    dnsName: t.string({ resolve: ({ dnsName }) => dnsName }),
    dnsRecord: t.relation('dnsRecord', { nullable: true }),
    lastCheckAt: t.field({
      type: 'DateTime',
      nullable: true,
      resolve: ({ lastCheckAt }) => lastCheckAt,
    }),
    lastOkAt: t.field({ type: 'DateTime', nullable: true, resolve: ({ lastOkAt }) => lastOkAt }),
    healthChecks: t.field({
      type: [HealthCheck],
      select: { with: { healthChecks: { columns: { checks: true } } } },
      resolve: ({ healthChecks }) => [...(healthChecks?.checks ?? [])],
    }),
    allowedActions: t.field({
      type: [HostAction],
      resolve: async ({ id }, _args, context) => {
        const facts = await hostFacts(context, id);
        return facts ? allowedHostActions(facts.host, facts.instances) : [];
      },
    }),
    billingSubscription: t.relation('subscription', { nullable: true }),
    billedSince: t.field({
      type: 'DateTime',
      nullable: true,
      select: {
        with: {
          intervals: {
            columns: { openedAt: true },
            where: { meter: 'COMPUTE', closedAt: { isNull: true } },
            limit: 1,
          },
        },
      },
      resolve: ({ intervals }) => intervals[0]?.openedAt ?? null,
    }),
    failure: t.field({
      type: Failure,
      nullable: true,
      resolve: ({ id, failure, updatedAt }) =>
        shownFailure(failure, { resourceId: id, since: updatedAt }),
    }),
    instances: instanceList.related(t, 'instances', 'hosts'),
    activeOperation: activeOperationOf(t),
    operations: operationList.related(t, 'operations', 'hosts'),
    history: hostTransitionList.related(t, 'history', 'hosts'),
    version: t.int({ resolve: ({ version }) => version }),
    createdAt: t.field({ type: 'DateTime', resolve: ({ createdAt }) => createdAt }),
    updatedAt: t.field({ type: 'DateTime', resolve: ({ updatedAt }) => updatedAt }),
    archivedAt: t.field({
      type: 'DateTime',
      nullable: true,
      resolve: ({ archivedAt }) => archivedAt,
    }),
  }),
});

/** The input of the state machine; null for an archived host. */
function hostFacts({ loaders, store }: Context, id: string) {
  return loaders.load('hostFacts', id, (ids) => readHostFacts(store, ids));
}

export interface HostFilterShape extends ResourceFilter {
  state?: readonly HostStateName[] | null;
  driver?: readonly HostDriverName[] | null;
  provider?: readonly string[] | null;
  size?: readonly HostSizeName[] | null;
  removing?: boolean | null;
  billingSubscription?: readonly string[] | null;
  label?: readonly LabelFilterShape[] | null;
}

const HostFilter: InputRef<HostFilterShape> = builder.inputType('HostFilter', {
  fields: (t) => ({
    state: t.field({ type: [HostState] }),
    driver: t.field({ type: [HostDriver] }),
    provider: t.idList(),
    size: t.field({ type: [HostSize] }),
    removing: t.boolean(),
    billingSubscription: t.idList(),
    label: t.field({ type: [LabelFilter] }),
    ...resourceFilterFields(t),
  }),
});

export const hostList: List<HostFilterShape> = defineList({
  name: 'Host',
  type: Host,
  table: 'hosts',
  filter: HostFilter,
  order: resourceOrder('Host'),
  where: (filter) =>
    allOf(
      resources(filter),
      anyOf('state', filter?.state),
      anyOf('driver', filter?.driver),
      filter?.provider ? { provider: anyNamed('ComputeProvider', filter.provider) } : {},
      anyOf('size', filter?.size),
      equal('removing', filter?.removing),
      filter?.billingSubscription
        ? { subscription: anyNamed('BillingSubscription', filter.billingSubscription) }
        : {},
      ...labelled(filter?.label),
    ),
});

builder.queryFields((t) => ({
  host: hostList.one(t, 'host'),
  hosts: hostList.root(t),
}));
