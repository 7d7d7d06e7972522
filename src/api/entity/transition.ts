/** Transitions: rows of the log, of instances and of hosts; their lists and filters. */
import type { InputRef } from '@pothos/core';
import { type HostState as HostStateName, hostStates } from '../../lifecycle/host.ts';
import {
  type InstanceState as InstanceStateName,
  instanceStates,
} from '../../lifecycle/instance.ts';
import { builder } from '../base/builder.ts';
import { HostState, InstanceState, ResourceKind, type ResourceKindName } from '../base/enums.ts';
import { anyNamed, parseGlobalId } from '../base/ids.ts';
import type { Where } from '../base/reads.ts';
import { defineList, type List } from '../list/connection.ts';
import { allOf, anyOf, inSpan, type Span } from '../list/filters.ts';
import { defineOrder } from '../list/order.ts';
import { findOperation, type LogRow } from '../list/rows.ts';
import { Cause } from './failure.ts';
import { Host } from './host.ts';
import { Instance } from './instance.ts';
import { Actor, asResource, Resource, TimeRange } from './node.ts';
import { Operation } from './operation.ts';

/**
 * The resource of a transition: state, stateSince and sequence as of the transition, the rest as it
 * is now.
 */
function asOf<Row extends object>(row: Row, { at, sequence, ...log }: LogRow): Row {
  // Changed in place, because the plan of nested selections is attached to the row object.
  return Object.assign(row, {
    state: log.instanceTo ?? log.hostTo,
    stateSince: at,
    sequence,
  });
}

function resourceOf(row: LogRow & { instance: object | null; host: object | null }) {
  const { resourceKind, instance, host } = row;
  const resource = resourceKind === 'INSTANCE' ? instance : host;
  if (!resource) throw new Error(`No ${resourceKind} ${row.resourceId} in the store.`);
  return asOf(resource, row);
}

const isLoaded = (relation: string) => ({
  pothosDrizzleLoaded: (row: Record<string, unknown>) => row[relation] !== undefined,
});

export const Transition = builder.drizzleInterface('log', {
  name: 'Transition',
  resolveType: ({ resourceKind }) =>
    resourceKind === 'INSTANCE' ? 'InstanceTransition' : 'HostTransition',
  fields: (t) => ({
    id: t.id({
      resolve: ({ resourceKind, resourceId, sequence }) =>
        Buffer.from(`Transition:${resourceKind}:${resourceId}:${sequence}`).toString('base64'),
    }),
    cursor: t.field({
      type: 'Cursor',
      resolve: (row, _args, { feed }) =>
        // An event of the feed carries its own.
        'cursor' in row && typeof row.cursor === 'string'
          ? row.cursor
          : feed.cursorOf(row.organizationId, row),
    }),
    sequence: t.int({ resolve: ({ sequence }) => sequence }),
    resource: t.field({
      type: Resource,
      select: (_args, _context, nested) => ({
        with: {
          instance: nested({} as never, undefined, 'Instance') as object,
          host: nested({} as never, undefined, 'Host') as object,
        },
      }),
      extensions: isLoaded('instance'),
      resolve: (row) => asResource(row.instance ? 'INSTANCE' : 'HOST', resourceOf(row) as never),
    }),
    fromState: t.string({ resolve: (row) => row.instanceFrom ?? row.hostFrom ?? '' }),
    toState: t.string({ resolve: (row) => row.instanceTo ?? row.hostTo ?? '' }),
    at: t.field({ type: 'DateTime', resolve: ({ at }) => at }),
    details: t.field({ type: 'JSON', resolve: ({ details }) => details }),
    actor: t.field({ type: Actor, resolve: ({ actor }) => actor as never }),
    operation: t.field({
      type: Operation,
      nullable: true,
      resolve: ({ operationId }, _args, context) => findOperation(context, operationId),
    }),
    causedBy: t.field({
      type: Cause,
      nullable: true,
      resolve: ({ causedByOperationId, causedByResourceId, causedBySequence }) =>
        causedByOperationId || causedByResourceId
          ? {
              operationId: causedByOperationId,
              transition:
                causedByResourceId && causedBySequence
                  ? { resourceId: causedByResourceId, sequence: causedBySequence }
                  : null,
            }
          : null,
    }),
  }),
});

export const InstanceTransition = builder.drizzleObject('log', {
  variant: 'InstanceTransition',
  interfaces: [Transition],
  fields: (t) => ({
    from: t.field({ type: InstanceState, resolve: ({ instanceFrom }) => instanceFrom! }),
    to: t.field({ type: InstanceState, resolve: ({ instanceTo }) => instanceTo! }),
    instance: t.field({
      type: Instance,
      select: (_args, _context, nested) => ({ with: { instance: nested() } }),
      extensions: isLoaded('instance'),
      resolve: (row) => asOf(row.instance!, row),
    }),
  }),
});

export const HostTransition = builder.drizzleObject('log', {
  variant: 'HostTransition',
  interfaces: [Transition],
  fields: (t) => ({
    from: t.field({ type: HostState, resolve: ({ hostFrom }) => hostFrom! }),
    to: t.field({ type: HostState, resolve: ({ hostTo }) => hostTo! }),
    host: t.field({
      type: Host,
      select: (_args, _context, nested) => ({ with: { host: nested() } }),
      extensions: isLoaded('host'),
      resolve: (row) => asOf(row.host!, row),
    }),
  }),
});

interface StepFilter {
  operation?: readonly string[] | null;
  at?: Span | null;
}

export interface TransitionFilterShape extends StepFilter {
  resourceKind?: ResourceKindName | null;
  instance?: readonly string[] | null;
  host?: readonly string[] | null;
  fromState?: readonly string[] | null;
  toState?: readonly string[] | null;
}

export interface InstanceTransitionFilterShape extends StepFilter {
  from?: readonly InstanceStateName[] | null;
  to?: readonly InstanceStateName[] | null;
}

export interface HostTransitionFilterShape extends StepFilter {
  from?: readonly HostStateName[] | null;
  to?: readonly HostStateName[] | null;
}

const TransitionFilter: InputRef<TransitionFilterShape> = builder.inputType('TransitionFilter', {
  fields: (t) => ({
    resourceKind: t.field({ type: ResourceKind }),
    instance: t.idList(),
    host: t.idList(),
    fromState: t.stringList(),
    toState: t.stringList(),
    operation: t.idList(),
    at: t.field({ type: TimeRange }),
  }),
});

export const InstanceTransitionFilter: InputRef<InstanceTransitionFilterShape> = builder.inputType(
  'InstanceTransitionFilter',
  {
    fields: (t) => ({
      from: t.field({ type: [InstanceState] }),
      to: t.field({ type: [InstanceState] }),
      operation: t.idList(),
      at: t.field({ type: TimeRange }),
    }),
  },
);

export const HostTransitionFilter: InputRef<HostTransitionFilterShape> = builder.inputType(
  'HostTransitionFilter',
  {
    fields: (t) => ({
      from: t.field({ type: [HostState] }),
      to: t.field({ type: [HostState] }),
      operation: t.idList(),
      at: t.field({ type: TimeRange }),
    }),
  },
);

/** The uuids of the operations that a filter names by global id; anything else matches nothing. */
export function operationIds(ids: readonly string[]): string[] {
  return ids
    .map(parseGlobalId)
    .flatMap((parsed) => (parsed?.type === 'Operation' ? [parsed.id] : []));
}

const order = defineOrder('Transition', {
  by: { AT: ['revision', 'place'] },
  unique: ['place'],
  initial: { field: 'AT', direction: 'asc' },
});

const steps = (filter: StepFilter | null | undefined): Where =>
  allOf(
    { kind: 'TRANSITION' },
    filter?.operation ? { operationId: { in: operationIds(filter.operation) } } : {},
    inSpan('at', filter?.at),
  );

/** Rows with any of these states, of either kind; an unknown name matches nothing. */
function inStates(columns: { instance: string; host: string }, states?: readonly string[] | null) {
  if (!states) return {};
  const known = (all: readonly string[]) => states.filter((state) => all.includes(state));
  return {
    OR: [
      { [columns.instance]: { in: known(instanceStates) } },
      { [columns.host]: { in: known(hostStates) } },
    ],
  };
}

function eitherOf({ instance, host }: TransitionFilterShape): Where {
  const any = [
    ...(instance ? [{ resourceKind: 'INSTANCE', instance: anyNamed('Instance', instance) }] : []),
    ...(host ? [{ resourceKind: 'HOST', host: anyNamed('Host', host) }] : []),
  ];
  return any.length ? { OR: any } : {};
}

const transitionList: List<TransitionFilterShape> = defineList({
  name: 'Transition',
  type: Transition,
  table: 'log',
  filter: TransitionFilter,
  order,
  where: (filter) =>
    allOf(
      steps(filter),
      filter?.resourceKind ? { resourceKind: filter.resourceKind } : {},
      eitherOf(filter ?? {}),
      inStates({ instance: 'instanceFrom', host: 'hostFrom' }, filter?.fromState),
      inStates({ instance: 'instanceTo', host: 'hostTo' }, filter?.toState),
    ),
});

export const instanceTransitionList: List<InstanceTransitionFilterShape> = defineList({
  name: 'InstanceTransition',
  type: InstanceTransition,
  table: 'log',
  filter: InstanceTransitionFilter,
  order,
  where: (filter) =>
    allOf(steps(filter), anyOf('instanceFrom', filter?.from), anyOf('instanceTo', filter?.to)),
});

export const hostTransitionList: List<HostTransitionFilterShape> = defineList({
  name: 'HostTransition',
  type: HostTransition,
  table: 'log',
  filter: HostTransitionFilter,
  order,
  where: (filter) =>
    allOf(steps(filter), anyOf('hostFrom', filter?.from), anyOf('hostTo', filter?.to)),
});

builder.queryFields((t) => ({ transitions: transitionList.root(t) }));
