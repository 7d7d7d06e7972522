/** Operations: the type, its list, `operation` with its wait, updates, and cancelling. */
import type { FieldRef, InputRef } from '@pothos/core';
import {
  activeStatuses,
  type OperationKind as OperationKindName,
  type OperationStatus as OperationStatusName,
} from '../../lifecycle/operation.ts';
import { readRetries } from '../../store/read/retries.ts';
import { builder, type Types } from '../base/builder.ts';
import { OperationKind, OperationStatus } from '../base/enums.ts';
import { anyNamed } from '../base/ids.ts';
import type { Where } from '../base/reads.ts';
import { defineList, type List } from '../list/connection.ts';
import { allOf, anyOf, inSpan, type Span } from '../list/filters.ts';
import { defineOrder } from '../list/order.ts';
import { findState } from '../list/rows.ts';
import { Failure, shownFailure } from './failure.ts';
import { Actor, asResource, Resource, TimeRange } from './node.ts';

export const Operation = builder.drizzleNode('operations', {
  name: 'Operation',
  id: { column: (operation) => operation.id },
  fields: (t) => ({
    kind: t.field({ type: OperationKind, resolve: ({ kind }) => kind }),
    status: t.field({ type: OperationStatus, resolve: ({ status }) => status }),
    phase: t.string({
      nullable: true,
      resolve: (row, _args, context) => {
        if (row.endedAt) return null;
        // Not a relation of the row: an update is pushed with the row as it was read.
        return row.status === 'RUNNING' ? (row.phase ?? findState(context, row)) : row.phase;
      },
    }),
    progress: t.float({ nullable: true, resolve: ({ progress }) => progress }),
    resource: t.field({
      type: Resource,
      select: (_args, _context, nested) => ({
        with: {
          instance: nested({} as never, undefined, 'Instance') as object,
          host: nested({} as never, undefined, 'Host') as object,
          containerRepository: nested({} as never, undefined, 'ContainerRepository') as object,
        },
      }),
      extensions: {
        pothosDrizzleLoaded: (row: Record<string, unknown>) => row.instance !== undefined,
      },
      resolve: ({ resourceKind, instance, host, containerRepository }) =>
        asResource(resourceKind, (instance ?? host ?? containerRepository) as never),
    }),
    requestedBy: t.field({ type: Actor, resolve: ({ requestedBy }) => requestedBy as never }),
    reason: t.string({ nullable: true, resolve: ({ reason }) => reason }),
    parent: t.relation('parent', { nullable: true }),
    children: t.relation('children', { query: { orderBy: { createdAt: 'asc', id: 'asc' } } }),
    failure: t.field({
      type: Failure,
      nullable: true,
      resolve: ({ id, failure, endedAt, createdAt }) =>
        shownFailure(failure && { ...failure, operationId: id }, {
          resourceId: null,
          since: endedAt ?? createdAt,
        }),
    }),
    retrying: t.field({
      type: Failure,
      nullable: true,
      resolve: async ({ id, startedAt, createdAt }, _args, { loaders, store }) =>
        shownFailure(await loaders.load('retries', id, (ids) => readRetries(store, ids)), {
          resourceId: null,
          since: startedAt ?? createdAt,
        }),
    }),
    createdAt: t.field({ type: 'DateTime', resolve: ({ createdAt }) => createdAt }),
    startedAt: t.field({ type: 'DateTime', nullable: true, resolve: ({ startedAt }) => startedAt }),
    endedAt: t.field({ type: 'DateTime', nullable: true, resolve: ({ endedAt }) => endedAt }),
    deadlineAt: t.field({
      type: 'DateTime',
      nullable: true,
      resolve: ({ deadlineAt, endedAt }) => (endedAt ? null : deadlineAt),
    }),
    cancellable: t.boolean({
      resolve: ({ status, instanceId }) => status === 'QUEUED' && instanceId !== null,
    }),
  }),
});

const isActive = { status: { in: [...activeStatuses] } };

/** The active operation, as a field of an instance or a host. */
export function activeOperationOf(builderOf: object): FieldRef<Types, unknown> {
  // Both tables have a relation of this name, but the types of Pothos cannot express that.
  const t = builderOf as {
    field(options: object): FieldRef<Types, unknown>;
  };
  return t.field({
    type: Operation,
    nullable: true,
    select: (_args: object, _context: object, nested: (query: object) => object) => ({
      with: { operations: nested({ where: isActive, limit: 1 }) },
    }),
    extensions: {
      pothosDrizzleLoaded: (row: Record<string, unknown>) => row.operations !== undefined,
    },
    resolve: ({ operations }: { operations?: object[] }) => operations?.[0] ?? null,
  });
}

export interface OperationFilterShape {
  status?: readonly OperationStatusName[] | null;
  kind?: readonly OperationKindName[] | null;
  active?: boolean | null;
  instance?: readonly string[] | null;
  host?: readonly string[] | null;
  containerRepository?: readonly string[] | null;
  createdAt?: Span | null;
}

const OperationFilter: InputRef<OperationFilterShape> = builder.inputType('OperationFilter', {
  fields: (t) => ({
    status: t.field({ type: [OperationStatus] }),
    kind: t.field({ type: [OperationKind] }),
    active: t.boolean(),
    instance: t.idList(),
    host: t.idList(),
    containerRepository: t.idList(),
    createdAt: t.field({ type: TimeRange }),
  }),
});

function eitherOf({ instance, host, containerRepository }: OperationFilterShape): Where {
  const any = [
    ...(instance ? [{ instance: anyNamed('Instance', instance) }] : []),
    ...(host ? [{ host: anyNamed('Host', host) }] : []),
    ...(containerRepository
      ? [{ containerRepository: anyNamed('ContainerRepository', containerRepository) }]
      : []),
  ];
  return any.length ? { OR: any } : {};
}

export const operationList: List<OperationFilterShape> = defineList({
  name: 'Operation',
  type: Operation,
  table: 'operations',
  filter: OperationFilter,
  order: defineOrder('Operation', {
    by: { CREATED_AT: 'createdAt' },
    initial: { field: 'CREATED_AT', direction: 'desc' },
  }),
  where: (filter) =>
    allOf(
      anyOf('status', filter?.status),
      anyOf('kind', filter?.kind),
      filter?.active == null
        ? {}
        : filter.active
          ? isActive
          : { status: { notIn: [...activeStatuses] } },
      eitherOf(filter ?? {}),
      inSpan('createdAt', filter?.createdAt),
    ),
});

builder.queryFields((t) => ({ operations: operationList.root(t) }));
