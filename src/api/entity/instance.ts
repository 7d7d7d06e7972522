/** Instances: the type, its list and its queries. Commands are in instance-commands.ts. */
import { isConverged } from '../../lifecycle/instance.ts';
import { allowedInstanceActions, takes } from '../../lifecycle/instance-commands.ts';
import { readUpdatesAvailable } from '../../store/read/images.ts';
import { readInstanceFacts, readStatesAt } from '../../store/read/reads.ts';
import { builder } from '../base/builder.ts';
import type { Context } from '../base/context.ts';
import {
  DesiredInstanceState,
  Edition,
  InstanceAction,
  InstanceState,
  Reachability,
  UnreachableCause,
} from '../base/enums.ts';
import { defineList, type List } from '../list/connection.ts';
import { Failure, shownFailure } from './failure.ts';
import { Endpoint, InstanceConfiguration, InstanceRun } from './instance-configuration.ts';
import {
  InstanceFilter,
  type InstanceFilterShape,
  instanceOrder,
  instancesWhere,
} from './instance-list.ts';
import { Label, labelsOf, Resource } from './node.ts';
import { activeOperationOf, operationList } from './operation.ts';
import { instanceTransitionList } from './transition.ts';

export const Instance = builder.drizzleNode('instances', {
  name: 'Instance',
  id: { column: (instance) => instance.id },
  interfaces: [Resource],
  fields: (t) => ({
    description: t.string({ nullable: true, resolve: ({ description }) => description }),
    labels: t.field({ type: [Label], resolve: ({ labels }) => labelsOf(labels) }),
    state: t.field({ type: InstanceState, resolve: ({ state }) => state }),
    stateSince: t.field({ type: 'DateTime', resolve: ({ stateSince }) => stateSince }),
    desiredState: t.field({ type: DesiredInstanceState, resolve: ({ desired }) => desired }),
    converged: t.boolean({
      resolve: byFacts(false, ({ instance: { state, desired, operation } }) =>
        isConverged(state, desired, operation !== null),
      ),
    }),
    reachability: t.field({ type: Reachability, resolve: ({ reachability }) => reachability }),
    unreachableBecause: t.field({
      type: UnreachableCause,
      nullable: true,
      resolve: ({ unreachableBecause }) => unreachableBecause,
    }),
    lastSeenAt: t.field({
      type: 'DateTime',
      nullable: true,
      resolve: ({ lastSeenAt }) => lastSeenAt,
    }),
    takesMessages: t.boolean({
      nullable: true,
      resolve: byFacts(false, ({ instance }) => takes(instance).messages),
    }),
    takesInputCommands: t.boolean({
      nullable: true,
      resolve: byFacts(false, ({ instance }) => takes(instance).inputCommands),
    }),
    allowedActions: t.field({
      type: [InstanceAction],
      resolve: byFacts([], ({ instance, host }) => allowedInstanceActions(instance, host)),
    }),
    edition: t.field({ type: Edition, resolve: ({ edition }) => edition }),
    configuration: t.field({
      type: InstanceConfiguration,
      // The members of the union read the columns of this row.
      resolve: (instance) => instance as never,
    }),
    settings: t.field({
      type: 'JSON',
      resolve: ({ settings, secretSettings }) => withoutSecrets(settings, secretSettings),
    }),
    solution: t.relation('solution'),
    solutionVersion: t.relation('solutionVersion', { nullable: true }),
    run: t.relation('run', { nullable: true, type: InstanceRun }),
    updateAvailable: t.boolean({
      nullable: true,
      resolve: ({ id }, _args, { loaders, store }) =>
        loaders.load('updateAvailable', id, (ids) => readUpdatesAvailable(store, ids)),
    }),
    billingSubscription: t.relation('subscription', { nullable: true }),
    deviceRepository: t.relation('deviceRepository'),
    host: t.relation('host', { nullable: true }),
    endpoints: t.field({
      type: [Endpoint],
      nullable: true,
      select: {
        with: {
          host: { columns: { id: true }, with: { dnsRecord: { columns: { name: true } } } },
        },
      },
      resolve: ({ endpoints, reachability, host }) => {
        if (reachability === 'UNKNOWN') return null;
        const dnsName = host?.dnsRecord?.name ?? null;
        return (endpoints ?? []).map((endpoint) => ({ ...endpoint, dnsName }));
      },
    }),
    failure: t.field({
      type: Failure,
      nullable: true,
      resolve: ({ id, failure, updatedAt }) =>
        shownFailure(failure, { resourceId: id, since: updatedAt }),
    }),
    activeOperation: activeOperationOf(t),
    operations: operationList.related(t, 'operations', 'instances'),
    history: instanceTransitionList.related(t, 'history', 'instances'),
    stateAt: t.field({
      type: InstanceState,
      nullable: true,
      args: { time: t.arg({ type: 'DateTime', required: true }) },
      resolve: ({ id }, { time }, { loaders, store }) =>
        loaders.load(`stateAt ${time.getTime()}`, id, (ids) => readStatesAt(store, ids, time)),
    }),
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

type InstanceFacts =
  Awaited<ReturnType<typeof readInstanceFacts>> extends ReadonlyMap<string, infer Facts>
    ? Facts
    : never;

/** Resolves a field from the input of the state machine. An archived instance has none. */
function byFacts<Value>(ofArchived: Value, ofFacts: (facts: InstanceFacts) => Value) {
  return async ({ id }: { id: string }, _args: object, { loaders, store }: Context) => {
    const facts = await loaders.load('instanceFacts', id, (ids) => readInstanceFacts(store, ids));
    return facts ? ofFacts(facts) : ofArchived;
  };
}

function withoutSecrets(
  settings: Readonly<Record<string, unknown>>,
  secrets: readonly string[],
): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(settings).map(([name, value]) => [name, secrets.includes(name) ? null : value]),
  );
}

export const instanceList: List<InstanceFilterShape> = defineList({
  name: 'Instance',
  type: Instance,
  table: 'instances',
  filter: InstanceFilter,
  order: instanceOrder,
  where: instancesWhere,
});

builder.queryFields((t) => ({
  instance: instanceList.one(t, 'instance'),
  instances: instanceList.root(t),
}));
