/** Refused commands as types of the API, and the members of results of commands. */
import { type GraphQLResolveInfo, Kind, type SelectionSetNode } from 'graphql';
import type { HostAction, HostState } from '../../lifecycle/host.ts';
import { allowedHostActions } from '../../lifecycle/host-commands.ts';
import type { InstanceAction, InstanceState } from '../../lifecycle/instance.ts';
import { allowedInstanceActions } from '../../lifecycle/instance-commands.ts';
import type { Refusal } from '../../lifecycle/refusal.ts';
import type { CommandResult } from '../../store/command/lifecycle-commands.ts';
import type { StoredSnapshot } from '../../store/command/snapshot.ts';
import type { WrittenRows } from '../../store/commit/options.ts';
import { builder } from '../base/builder.ts';
import type { Context } from '../base/context.ts';
import {
  HostAction as HostActionEnum,
  HostState as HostStateEnum,
  InstanceAction as InstanceActionEnum,
  InstanceState as InstanceStateEnum,
} from '../base/enums.ts';
import { readsOf } from '../base/reads.ts';
import { findNode, findResource, type NodeTypeName, Resource } from '../entity/node.ts';
import {
  conflict,
  invalidInput,
  notFound,
  type RefusedInput,
  UserError,
  type UserErrorShape,
} from '../result/user-errors.ts';

interface CommandRefusedShape extends UserErrorShape {
  readonly refusal: Refusal;
}

const CommandRefused = builder.interfaceRef<CommandRefusedShape>('CommandRefused').implement({
  interfaces: [UserError],
  fields: (t) => ({
    retryable: t.boolean({ resolve: ({ refusal }) => refusal.retryable }),
    retryAfterSeconds: t.int({
      nullable: true,
      resolve: ({ refusal }) => refusal.retryAfterSeconds,
    }),
    blockedBy: t.field({
      type: Resource,
      nullable: true,
      resolve: ({ refusal }, _args, context, info) =>
        refusal.blockedBy && findResource(refusal.blockedBy, { context, info }),
    }),
    operation: t.drizzleField({
      type: 'operations',
      nullable: true,
      resolve: async (query, { refusal: { operationId } }, _args, context) => {
        if (!operationId) return null;
        const where = { id: operationId };
        const found = await readsOf(context, 'operations').findFirst(query({ where }));
        return found ?? null;
      },
    }),
  }),
});

interface InstanceRefusedShape extends CommandRefusedShape {
  readonly __typename: 'InstanceCommandRefused';
  readonly action: InstanceAction;
  readonly from: InstanceState;
  readonly sequence: number;
  readonly allowedActions: readonly InstanceAction[];
}

export const InstanceCommandRefused = builder
  .objectRef<InstanceRefusedShape>('InstanceCommandRefused')
  .implement({
    interfaces: [UserError, CommandRefused],
    fields: (t) => ({
      action: t.expose('action', { type: InstanceActionEnum }),
      from: t.expose('from', { type: InstanceStateEnum }),
      sequence: t.exposeInt('sequence'),
      allowedActions: t.expose('allowedActions', { type: [InstanceActionEnum] }),
    }),
  });

interface HostRefusedShape extends CommandRefusedShape {
  readonly __typename: 'HostCommandRefused';
  readonly action: HostAction;
  readonly from: HostState;
  readonly sequence: number;
  readonly allowedActions: readonly HostAction[];
}

export const HostCommandRefused = builder
  .objectRef<HostRefusedShape>('HostCommandRefused')
  .implement({
    interfaces: [UserError, CommandRefused],
    fields: (t) => ({
      action: t.expose('action', { type: HostActionEnum }),
      from: t.expose('from', { type: HostStateEnum }),
      sequence: t.exposeInt('sequence'),
      allowedActions: t.expose('allowedActions', { type: [HostActionEnum] }),
    }),
  });

interface OperationRefusedShape extends CommandRefusedShape {
  readonly __typename: 'OperationCommandRefused';
}

export const OperationCommandRefused = builder
  .objectRef<OperationRefusedShape>('OperationCommandRefused')
  .implement({ interfaces: [UserError, CommandRefused] });

interface ReportRefusedShape extends CommandRefusedShape {
  readonly __typename: 'RuntimeReportRefused';
}

export const RuntimeReportRefused = builder
  .objectRef<ReportRefusedShape>('RuntimeReportRefused')
  .implement({ interfaces: [UserError, CommandRefused] });

/** An accepted command: the uuids of the resource and of the operation that began. */
export interface Accepted<Name extends string> {
  readonly __typename: Name;
  readonly resourceId: string;
  readonly operationId: string;
  /** Both as the command committed them; null if they must be read. */
  readonly rows: WrittenRows | null;
}

/**
 * The resource or the operation of an accepted command: as it was committed, if nothing nested is
 * selected. Otherwise it is read together with the nested selection in one statement, so that all
 * of it is of one moment.
 */
export async function acceptedRow(
  row: Readonly<Record<string, unknown>> | undefined,
  node: { readonly type: NodeTypeName; readonly id: string },
  request: { context: Context; info: GraphQLResolveInfo },
) {
  const { info } = request;
  const isAlone = info.fieldNodes.every(({ selectionSet }) => hasLeavesOnly(selectionSet, info));
  const found = row && isAlone ? row : await findNode(node.type, node.id, request);
  return found as never;
}

function hasLeavesOnly(set: SelectionSetNode | undefined, info: GraphQLResolveInfo): boolean {
  return (set?.selections ?? []).every((selection) => {
    if (selection.kind === Kind.FIELD) return !selection.selectionSet;
    if (selection.kind === Kind.INLINE_FRAGMENT) return hasLeavesOnly(selection.selectionSet, info);
    return hasLeavesOnly(info.fragments[selection.name.value]?.selectionSet, info);
  });
}

/** The member of a result union for the answer to a lifecycle command. */
export function commandResult<Name extends string, Refused>(
  accepted: Name,
  result: CommandResult,
  refused: (refusal: Refusal, snapshot: StoredSnapshot | null) => Refused,
): Accepted<Name> | RefusedInput | Refused {
  switch (result.outcome) {
    case 'ACCEPTED':
      return {
        __typename: accepted,
        resourceId: result.resourceId,
        operationId: result.operationId,
        rows: result.rows,
      };
    case 'REFUSED':
      return refused(result.refusal, result.snapshot);
    case 'INVALID':
      return invalidInput(result.issues);
    case 'NOT_FOUND':
      return notFound(result.kind, result.reference);
    case 'CONFLICT':
      return conflict(result);
    default:
      return result satisfies never;
  }
}

const refusalOf = (refusal: Refusal): CommandRefusedShape => ({
  code: refusal.refused,
  message: refusal.message,
  refusal,
});

/** A refused command to the one instance of `snapshot`. */
export function refusedInstance(
  action: InstanceAction,
  refusal: Refusal,
  snapshot: StoredSnapshot | null,
): InstanceRefusedShape {
  const instance = snapshot?.instances[0];
  return {
    __typename: 'InstanceCommandRefused',
    ...refusalOf(refusal),
    action,
    from: instance?.state ?? 'OFFLINE',
    sequence: instance?.sequence ?? 0,
    allowedActions: instance ? allowedInstanceActions(instance, snapshot?.host ?? null) : [],
  };
}

/** A refused command to the host of `snapshot`. */
export function refusedHost(
  action: HostAction,
  refusal: Refusal,
  snapshot: StoredSnapshot | null,
): HostRefusedShape {
  const host = snapshot?.host;
  return {
    __typename: 'HostCommandRefused',
    ...refusalOf(refusal),
    action,
    from: host?.state ?? 'OFFLINE',
    sequence: host?.sequence ?? 0,
    allowedActions: host ? allowedHostActions(host, snapshot?.instances ?? []) : [],
  };
}

/** A refused cancellation. */
export function refusedOperation(refusal: Refusal): OperationRefusedShape {
  return { __typename: 'OperationCommandRefused', ...refusalOf(refusal) };
}

/** A refused report of a runtime. */
export function refusedReport(refusal: Refusal): ReportRefusedShape {
  return { __typename: 'RuntimeReportRefused', ...refusalOf(refusal) };
}
