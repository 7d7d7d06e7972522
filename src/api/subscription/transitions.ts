/** Transitions as they are committed. */

import { shared } from '../../feed/channel/channel-source.ts';
import type { LogEvent } from '../../feed/channel/event.ts';
import { builder } from '../base/builder.ts';
import {
  HostTransition,
  HostTransitionFilter,
  InstanceTransition,
  InstanceTransitionFilter,
  operationIds,
} from '../entity/transition.ts';
import type { Span } from '../list/filters.ts';
import { feedSource, resourceIdOf } from './feed-events.ts';

interface Filter {
  from?: readonly string[] | null;
  to?: readonly string[] | null;
  operation?: readonly string[] | null;
  at?: Span | null;
}

/** Does a filter pick this transition? */
function matcher(kind: 'INSTANCE' | 'HOST', filter: Filter | null | undefined) {
  const operations = filter?.operation ? new Set(operationIds(filter.operation)) : null;
  const { since, until } = filter?.at ?? {};
  return ({ kind: change, resourceKind, from, to, operationId, at }: LogEvent): boolean =>
    change === 'TRANSITION' &&
    resourceKind === kind &&
    (!filter?.from || filter.from.includes(from ?? '')) &&
    (!filter?.to || filter.to.includes(to ?? '')) &&
    (!operations || operations.has(operationId ?? '')) &&
    (!since || at >= since) &&
    (!until || at < until);
}

builder.subscriptionFields((t) => ({
  instanceTransitions: t.field({
    type: InstanceTransition,
    args: {
      instance: t.arg.id(),
      filter: t.arg({ type: InstanceTransitionFilter }),
      after: t.arg({ type: 'Cursor' }),
      last: t.arg.int(),
    },
    extensions: shared,
    subscribe: async (_root, { instance, filter }, context) =>
      feedSource(context, {
        resourceId: instance == null ? null : await resourceIdOf(context, 'Instance', instance),
        matches: matcher('INSTANCE', filter),
      }),
    resolve: (row) => row as never,
  }),
  hostTransitions: t.field({
    type: HostTransition,
    args: {
      host: t.arg.id(),
      filter: t.arg({ type: HostTransitionFilter }),
      after: t.arg({ type: 'Cursor' }),
      last: t.arg.int(),
    },
    extensions: shared,
    subscribe: async (_root, { host, filter }, context) =>
      feedSource(context, {
        resourceId: host == null ? null : await resourceIdOf(context, 'Host', host),
        matches: matcher('HOST', filter),
      }),
    resolve: (row) => row as never,
  }),
}));
