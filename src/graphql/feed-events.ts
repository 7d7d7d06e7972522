/** The feed as the API streams it: one row of the log after the other, in the order of the commits. */
import type { Bookmark, LogEvent } from '../feed/event.ts';
import type { SubscribeOptions } from '../feed/subscription.ts';
import type { Context } from './context.ts';
import { anyNamed, named } from './ids.ts';
import { badInput } from './page.ts';
import type { LogRow } from './rows.ts';
import { asGraphQLError, notThere, streamOf } from './streams.ts';

/** A row of the log; its cursor is what the transports hand out in `extensions` too. */
export type EventRow = LogRow & { readonly cursor: string };

/** An event in the columns of its table, which the types of the API read. */
export function rowOf(event: LogEvent): EventRow {
  const { from, to, cursor, ...rest } = event;
  const ofInstance = event.resourceKind === 'INSTANCE';
  return {
    ...rest,
    cursor,
    instanceFrom: ofInstance ? from : null,
    instanceTo: ofInstance ? to : null,
    hostFrom: ofInstance ? null : from,
    hostTo: ofInstance ? null : to,
  } as EventRow;
}

/**
 * Subscribes to the feed of the viewer's organization.
 *
 * @throws a GraphQLError where the cursor can not be followed
 */
export async function openFeed<Out>(
  context: Context,
  options: Omit<SubscribeOptions, 'organizationId'>,
  each: (event: LogEvent | Bookmark) => Out,
): Promise<AsyncIterableIterator<Out>> {
  const { feed, viewer, request } = context;
  // A stream that goes on begins behind what was received last, whatever it began with at first.
  const resumed = request?.lastEventId ? { after: request.lastEventId, last: undefined } : {};
  const events = feed.subscribe({
    ...options,
    ...resumed,
    organizationId: viewer.organizationId,
  });
  try {
    await events.ready();
  } catch (error) {
    await events.return();
    throw asGraphQLError(error);
  }
  return streamOf(events, (batch) => ({ values: batch.map(each) }));
}

export interface TransitionArguments {
  after?: string | null;
  last?: number | null;
}

/** Subscribes to transitions. */
export function openTransitions(
  context: Context,
  { after, last }: TransitionArguments,
  selection: { resourceId: string | null; matches: (event: LogEvent) => boolean },
): Promise<AsyncIterableIterator<EventRow>> {
  if (last != null && after != null) {
    throw badInput('`after` and `last` exclude each other. Give one of them.');
  }
  if (last != null && (last < 1 || last > 200)) {
    throw badInput(`\`last\` is ${last}; it takes 1 to 200.`);
  }
  return openFeed(context, { after, last, ...selection }, (event) => rowOf(event as LogEvent));
}

const nouns = { Instance: 'instance', Host: 'host' } as const;

/**
 * The uuid of the resource that an argument names, archived or not.
 *
 * @throws a GraphQLError where there is none
 */
export async function resourceIdOf(
  context: Context,
  type: keyof typeof nouns,
  idOrKey: string,
): Promise<string> {
  const [row] = await readIds(context, type, named(type, idOrKey));
  if (!row) throw notThere(nouns[type], idOrKey);
  return row.id;
}

/** The uuids of the resources that a filter names; what is not there is left out. */
export async function resourceIdsOf(
  context: Context,
  type: keyof typeof nouns,
  idsOrKeys: readonly string[],
): Promise<Set<string>> {
  const rows = await readIds(context, type, anyNamed(type, idsOrKeys));
  return new Set(rows.map(({ id }) => id));
}

function readIds({ store, viewer }: Context, type: keyof typeof nouns, where: object) {
  const { query } = store.database.drizzle;
  const wanted = {
    columns: { id: true },
    where: { organizationId: viewer.organizationId, ...where },
  } as const;
  return type === 'Instance' ? query.instances.findMany(wanted) : query.hosts.findMany(wanted);
}
