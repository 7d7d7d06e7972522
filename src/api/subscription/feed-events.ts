/** The feed as the API streams it: the rows of the log, in the order of the commits. */
import type { Beginning } from '../../feed/channel/channel.ts';
import { ChannelSource, type ChannelSourceOptions } from '../../feed/channel/channel-source.ts';
import type { FeedEvent, LogEvent } from '../../feed/channel/event.ts';
import type { ChannelOptions } from '../../feed/feed.ts';
import type { Context } from '../base/context.ts';
import { notThere } from '../base/graphql-stream.ts';
import { byIdOrKey } from '../base/ids.ts';
import { readsOf, scopeOf } from '../base/reads.ts';
import { badInput } from '../list/page.ts';
import type { LogRow } from '../list/rows.ts';
import type { NamedResources } from './named-resources.ts';

/** A row of the log with its cursor, which the transports send in `extensions`. */
export type EventRow = LogRow & { readonly cursor: string };

/** An event in the columns of its table, which the types of the API read. */
export function rowOf(event: LogEvent): EventRow {
  const { from, to } = event;
  const ofInstance = event.resourceKind === 'INSTANCE';
  // Listed one by one: this runs for every event, and spreading takes ten times as long.
  const row: Record<keyof EventRow, unknown> = {
    revision: event.revision,
    place: event.place,
    organizationId: event.organizationId,
    kind: event.kind,
    resourceKind: event.resourceKind,
    resourceId: event.resourceId,
    sequence: event.sequence,
    instanceFrom: ofInstance ? from : null,
    instanceTo: ofInstance ? to : null,
    hostFrom: ofInstance ? null : from,
    hostTo: ofInstance ? null : to,
    at: event.at,
    operationId: event.operationId,
    causedByOperationId: event.causedByOperationId,
    causedByResourceId: event.causedByResourceId,
    causedBySequence: event.causedBySequence,
    actor: event.actor,
    details: event.details,
    cursor: event.cursor,
  };
  return row as EventRow;
}

type FeedOptions = Omit<ChannelOptions, 'organizationId'> &
  Pick<ChannelSourceOptions<FeedEvent>, 'bookmarkSeconds' | 'latestBy'> & {
    /** What the selection names; null: nothing. */
    readonly named?: Pick<NamedResources, 'lookUp'> | null;
  };

/**
 * The feed of the organization of the viewer, for a subscription with the arguments `after` and
 * `last`.
 */
export function feedSource(
  context: Context,
  { resourceId, matches, named, ...options }: FeedOptions,
): ChannelSource<FeedEvent> {
  const { feed, viewer } = context;
  const organizationId = scopeOf(viewer);
  return new ChannelSource({
    ...options,
    isOfLog: true,
    channel: feed.channel({ organizationId, resourceId, matches }),
    rootOf: (event) => (event.kind === 'BOOKMARK' ? event : rowOf(event)),
    async beginning(args, lastEventId) {
      const from = beginning(args, lastEventId);
      if (!named) return from;
      // The position is taken first: a resource created after it has its key in the row of its
      // creation.
      const after = from.after ?? (await feed.position(organizationId));
      await named.lookUp();
      return { after };
    },
  });
}

/** A stream that resumes starts after what was received last, whatever it started with. */
function beginning(args: Record<string, unknown>, lastEventId: string | null): Beginning {
  const { after, last } = args as { after?: string | null; last?: number | null };
  if (lastEventId) return { after: lastEventId };
  if (last != null && (last < 1 || last > 200)) {
    throw badInput(`\`last\` is ${last}; it takes 1 to 200.`);
  }
  // `after` takes precedence, so that a resuming client may leave the rest of its document
  // unchanged.
  return after == null ? { last } : { after };
}

const nouns = { Instance: 'instance', Host: 'host' } as const;

/**
 * The uuid of the resource that an argument names, archived or not.
 *
 * @throws a GraphQLError if there is none
 */
export async function resourceIdOf(
  context: Context,
  type: keyof typeof nouns,
  idOrKey: string,
): Promise<string> {
  const wanted = { columns: { id: true }, where: byIdOrKey(type, idOrKey) } as const;
  const row =
    type === 'Instance'
      ? await readsOf(context, 'instances').findFirst(wanted)
      : await readsOf(context, 'hosts').findFirst(wanted);
  if (!row) throw notThere(nouns[type], idOrKey);
  return row.id;
}
