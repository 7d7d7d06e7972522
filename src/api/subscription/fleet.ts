/** `fleet`: counts by state, once or after each change. */

import { ChannelSource, shared } from '../../feed/channel/channel-source.ts';
import { createLatest, ticksOf } from '../../feed/channel/latest.ts';
import { hostStates } from '../../lifecycle/host.ts';
import { instanceStates } from '../../lifecycle/instance.ts';
import { countFleet, type FleetCounts } from '../../store/read/fleet.ts';
import { builder } from '../base/builder.ts';
import type { Context } from '../base/context.ts';
import { HostState, InstanceState } from '../base/enums.ts';
import { scopeOf, whereSql } from '../base/reads.ts';
import { hostList } from '../entity/host.ts';
import { instanceList } from '../entity/instance.ts';

/** Least interval between two counts for a group of subscribers; counts never overlap. */
const updateMilliseconds = 250;

interface StateCount<State> {
  readonly state: State;
  readonly count: number;
}

const InstanceStateCount = builder
  .objectRef<StateCount<(typeof instanceStates)[number]>>('InstanceStateCount')
  .implement({
    fields: (t) => ({
      state: t.expose('state', { type: InstanceState }),
      count: t.exposeInt('count'),
    }),
  });

const HostStateCount = builder
  .objectRef<StateCount<(typeof hostStates)[number]>>('HostStateCount')
  .implement({
    fields: (t) => ({
      state: t.expose('state', { type: HostState }),
      count: t.exposeInt('count'),
    }),
  });

interface Fleet extends FleetCounts {
  readonly cursor: string;
}

const FleetSummary = builder.objectRef<Fleet>('FleetSummary').implement({
  fields: (t) => ({
    instancesByState: t.field({
      type: [InstanceStateCount],
      resolve: ({ instances }) => byState(instanceStates, instances),
    }),
    hostsByState: t.field({
      type: [HostStateCount],
      resolve: ({ hosts }) => byState(hostStates, hosts),
    }),
    instanceCount: t.int({ resolve: ({ instances }) => total(instances) }),
    hostCount: t.int({ resolve: ({ hosts }) => total(hosts) }),
    unreachableCount: t.exposeInt('unreachable'),
    convergedCount: t.exposeInt('converged'),
    cursor: t.expose('cursor', { type: 'Cursor' }),
    at: t.expose('at', { type: 'DateTime' }),
  }),
});

function byState<State>(
  states: readonly State[],
  counts: ReadonlyMap<State, number>,
): StateCount<State>[] {
  return states.map((state) => ({ state, count: counts.get(state) ?? 0 }));
}

function total(counts: ReadonlyMap<unknown, number>): number {
  return [...counts.values()].reduce((sum, count) => sum + count, 0);
}

const FleetFilter = builder.inputType('FleetFilter', {
  fields: (t) => ({
    instances: t.field({ type: instanceList.filter }),
    hosts: t.field({ type: hostList.filter }),
  }),
});

type Filter = typeof FleetFilter.$inferInput | null | undefined;

/** Archived resources are never counted, whatever the filter is. */
async function summaryOf(filter: Filter, context: Context): Promise<Fleet> {
  const { store, feed, viewer } = context;
  // The cursor is read first, so that the counts include at least everything up to it.
  const cursor = await feed.position(scopeOf(viewer));
  const counts = await countFleet(store, {
    instances: whereSql(
      'instances',
      instanceList.where({ ...filter?.instances, archived: false }, context),
    ),
    hosts: whereSql('hosts', hostList.where({ ...filter?.hosts, archived: false }, context)),
  });
  return { ...counts, cursor };
}

builder.queryField('fleet', (t) =>
  t.field({
    type: FleetSummary,
    nullable: true,
    args: { filter: t.arg({ type: FleetFilter }) },
    resolve: (_root, { filter }, context) => summaryOf(filter, context),
  }),
);

builder.subscriptionField('fleet', (t) =>
  t.field({
    type: FleetSummary,
    args: { filter: t.arg({ type: FleetFilter }) },
    extensions: shared,
    subscribe: (_root, { filter }, context) => {
      const { feed, viewer } = context;
      const organizationId = scopeOf(viewer);
      let latest: Fleet | null = null;
      return new ChannelSource({
        channel: createLatest({
          ticks: ticksOf(feed.channel({ organizationId })),
          async read() {
            // A new subscriber does not cause another count.
            if (latest?.cursor !== (await feed.position(organizationId)))
              latest = await summaryOf(filter, context);
            return latest;
          },
          isSame: (summary, before) => summary === before,
          everyMs: updateMilliseconds,
        }),
        rootOf: ({ value }) => value,
      });
    },
    resolve: (summary) => summary as never,
  }),
);
