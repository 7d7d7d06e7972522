/** `changes`: everything that a live view needs, from the one log. */

import { shared } from '../../feed/channel/channel-source.ts';
import type { Bookmark as BookmarkEvent, FeedEvent, LogEvent } from '../../feed/channel/event.ts';
import { changeKinds } from '../../store/table/values.ts';
import { builder } from '../base/builder.ts';
import type { Context } from '../base/context.ts';
import { ResourceKind, type ResourceKindName } from '../base/enums.ts';
import { ComputeProvider } from '../entity/compute-provider.ts';
import {
  type AnyResourceKind,
  asResource,
  findResource,
  findTogether,
  Resource,
} from '../entity/node.ts';
import { HostTransition, InstanceTransition } from '../entity/transition.ts';
import { badInput } from '../list/page.ts';
import { type EventRow, feedSource } from './feed-events.ts';
import { positionOf } from './feed-position.ts';
import { type NamedResources, namedResources } from './named-resources.ts';

const resourceChangeKinds = changeKinds.filter((kind) => kind !== 'TRANSITION');
type ResourceChangeKindName = (typeof resourceChangeKinds)[number];

const ResourceChangeKind = builder.enumType('ResourceChangeKind', {
  values: resourceChangeKinds as readonly ResourceChangeKindName[],
});

const ResourceChange = builder.objectRef<EventRow>('ResourceChange').implement({
  fields: (t) => ({
    cursor: t.expose('cursor', { type: 'Cursor' }),
    kind: t.field({
      type: ResourceChangeKind,
      resolve: ({ kind }) => kind as ResourceChangeKindName,
    }),
    resource: t.field({
      type: Resource,
      resolve: async ({ resourceKind, resourceId }, _args, context, info) => {
        const kind = resourceKind as AnyResourceKind;
        const row = await findResource({ kind, id: resourceId }, { context, info });
        if (!row) throw new Error(`No ${kind} ${resourceId} in the store.`);
        return asResource(kind, row);
      },
    }),
    at: t.expose('at', { type: 'DateTime' }),
  }),
});

const ComputeProviderChange = builder.objectRef<EventRow>('ComputeProviderChange').implement({
  fields: (t) => ({
    cursor: t.expose('cursor', { type: 'Cursor' }),
    kind: t.field({
      type: ResourceChangeKind,
      resolve: ({ kind }) => kind as ResourceChangeKindName,
    }),
    computeProvider: t.field({
      type: ComputeProvider,
      resolve: async ({ resourceId }, _args, context, info) => {
        const row = await findTogether('ComputeProvider', resourceId, { context, info });
        if (!row) throw new Error(`No compute provider ${resourceId} in the store.`);
        return row as never;
      },
    }),
    at: t.expose('at', { type: 'DateTime' }),
  }),
});

const Bookmark = builder.objectRef<BookmarkEvent>('Bookmark').implement({
  fields: (t) => ({
    cursor: t.expose('cursor', { type: 'Cursor' }),
    leftOut: t.exposeInt('leftOut'),
  }),
});

const Change = builder.unionType('Change', {
  types: [InstanceTransition, HostTransition, ResourceChange, ComputeProviderChange, Bookmark],
  resolveType: (value) => {
    const { kind, resourceKind } = value as unknown as
      | EventRow
      | (BookmarkEvent & { resourceKind?: undefined });
    if (kind === 'BOOKMARK') return 'Bookmark';
    if (resourceKind === 'COMPUTE_PROVIDER') return 'ComputeProviderChange';
    if (kind !== 'TRANSITION') return 'ResourceChange';
    return resourceKind === 'INSTANCE' ? 'InstanceTransition' : 'HostTransition';
  },
});

const ChangeDelivery = builder.enumType('ChangeDelivery', {
  values: ['EVERY', 'LATEST_PER_RESOURCE'] as const,
});

interface ChangeFilterShape {
  resourceKind?: ResourceKindName | null;
  instance?: readonly string[] | null;
  host?: readonly string[] | null;
  computeProvider?: readonly string[] | null;
  containerRepository?: readonly string[] | null;
}

const ChangeFilter = builder.inputType('ChangeFilter', {
  fields: (t) => ({
    resourceKind: t.field({ type: ResourceKind }),
    instance: t.idList(),
    host: t.idList(),
    computeProvider: t.idList(),
    containerRepository: t.idList(),
  }),
});

/** The changes that a filter selects, and the resources that it names. */
function selectionOf(context: Context, filter: ChangeFilterShape | null | undefined) {
  const { resourceKind, instance, host, computeProvider, containerRepository } = filter ?? {};
  const all = [
    ...(instance ? [namedResources(context, 'Instance', instance)] : []),
    ...(host ? [namedResources(context, 'Host', host)] : []),
    ...(computeProvider ? [namedResources(context, 'ComputeProvider', computeProvider)] : []),
    ...(containerRepository
      ? [namedResources(context, 'ContainerRepository', containerRepository)]
      : []),
  ];
  const named = all.length > 0 ? { lookUp: () => lookUp(all) } : null;
  const matches = (event: LogEvent): boolean =>
    (!resourceKind || event.resourceKind === resourceKind) &&
    (!named || all.some((each) => each.has(event)));
  return { matches, named };
}

async function lookUp(all: readonly NamedResources[]): Promise<void> {
  for (const each of all) await each.lookUp();
}

/**
 * A later change with the same key replaces this one. An edit of a label never replaces a state.
 */
const kindOfResource = (event: FeedEvent): string =>
  event.kind === 'BOOKMARK' ? '' : `${event.resourceId} ${event.kind}`;

builder.queryField('feedPosition', (t) =>
  t.field({
    type: 'Cursor',
    resolve: (_root, _args, context, info) => positionOf(context, info),
  }),
);

builder.subscriptionField('changes', (t) =>
  t.field({
    type: Change,
    args: {
      filter: t.arg({ type: ChangeFilter }),
      after: t.arg({ type: 'Cursor' }),
      bookmarkSeconds: t.arg.int(),
      delivery: t.arg({ type: ChangeDelivery, required: true, defaultValue: 'EVERY' }),
    },
    extensions: shared,
    subscribe: async (_root, { filter, bookmarkSeconds, delivery }, context) => {
      if (bookmarkSeconds != null && (bookmarkSeconds < 1 || bookmarkSeconds > 3600)) {
        throw badInput(`\`bookmarkSeconds\` is ${bookmarkSeconds}; it takes 1 to 3600.`);
      }
      const latestBy = delivery === 'LATEST_PER_RESOURCE' ? kindOfResource : null;
      return feedSource(context, { ...selectionOf(context, filter), bookmarkSeconds, latestBy });
    },
    resolve: (event) => event as never,
  }),
);
