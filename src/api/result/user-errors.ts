/**
 * Expected refusals that any mutation may answer with, and the members of results of mutations of
 * the catalogue. Refusals of the state machines are in refusals.ts.
 */
import type { ObjectParam } from '@pothos/core';
import type { InputIssue as InputIssueShape, SaveResult } from '../../store/input/save-result.ts';
import { builder, type Types } from '../base/builder.ts';
import {
  EntityKind,
  type EntityKindName,
  entityKinds,
  UserErrorCode,
  type UserErrorCodeName,
} from '../base/enums.ts';
import { globalId, isUuid } from '../base/ids.ts';

export interface UserErrorShape {
  readonly code: UserErrorCodeName;
  readonly message: string;
}

export const UserError = builder.interfaceRef<UserErrorShape>('UserError').implement({
  fields: (t) => ({
    code: t.expose('code', { type: UserErrorCode }),
    message: t.exposeString('message'),
  }),
});

const InputIssue = builder.objectRef<InputIssueShape>('InputIssue').implement({
  fields: (t) => ({ path: t.exposeString('path'), message: t.exposeString('message') }),
});

export interface InvalidInputShape extends UserErrorShape {
  readonly __typename: 'InvalidInput';
  readonly issues: readonly InputIssueShape[];
}

export const InvalidInput = builder.objectRef<InvalidInputShape>('InvalidInput').implement({
  interfaces: [UserError],
  fields: (t) => ({ issues: t.expose('issues', { type: [InputIssue] }) }),
});

export interface ResourceNotFoundShape extends UserErrorShape {
  readonly __typename: 'ResourceNotFound';
  readonly kind: EntityKindName;
  readonly reference: string;
}

export const ResourceNotFound = builder
  .objectRef<ResourceNotFoundShape>('ResourceNotFound')
  .implement({
    interfaces: [UserError],
    fields: (t) => ({
      kind: t.expose('kind', { type: EntityKind }),
      reference: t.exposeString('reference'),
    }),
  });

export interface ConflictShape extends UserErrorShape {
  readonly __typename: 'Conflict';
  readonly path: string | null;
  readonly currentVersion: number | null;
  readonly currentSequence: number | null;
}

export const Conflict = builder.objectRef<ConflictShape>('Conflict').implement({
  interfaces: [UserError],
  fields: (t) => ({
    path: t.exposeString('path', { nullable: true }),
    currentVersion: t.exposeInt('currentVersion', { nullable: true }),
    currentSequence: t.exposeInt('currentSequence', { nullable: true }),
  }),
});

/** The refusals of every result, except those of a state machine. */
export type RefusedInput = InvalidInputShape | ResourceNotFoundShape | ConflictShape;

/** A union of an accepted type and refusals, distinguished by `__typename`. */
export function resultType<Member extends ObjectParam<Types>>(
  name: string,
  types: readonly Member[],
) {
  return builder.unionType(name, {
    types: [...types],
    resolveType: (value) => (value as { __typename: string }).__typename as never,
  });
}

const typeNames: Readonly<Record<EntityKindName, string>> = {
  INSTANCE: 'Instance',
  HOST: 'Host',
  SOLUTION: 'Solution',
  SOLUTION_VERSION: 'SolutionVersion',
  CONTAINER_REPOSITORY: 'ContainerRepository',
  CONTAINER_TAG: 'ContainerTag',
  DEVICE_REPOSITORY: 'DeviceRepository',
  BILLING_SUBSCRIPTION: 'BillingSubscription',
  COMPUTE_PROVIDER: 'ComputeProvider',
  OPERATION: 'Operation',
  RUNTIME_COMMAND: 'RuntimeCommand',
};

/** The input is not usable. */
export function invalidInput(issues: readonly InputIssueShape[]): InvalidInputShape {
  const [first] = issues;
  const count = issues.length === 1 ? 'One issue' : `${issues.length} issues, the first`;
  return {
    __typename: 'InvalidInput',
    code: 'INVALID_INPUT',
    message: `${count}: ${first?.path}: ${first?.message}`,
    issues,
  };
}

/**
 * Something that the input names does not exist. `reference` is a uuid if a global id was given.
 */
export function notFound(kind: string, reference: string): ResourceNotFoundShape {
  const entity = entityKinds.find((known) => known === kind || typeNames[known] === kind);
  const what = entity ?? 'INSTANCE';
  const shown = isUuid(reference) ? globalId(typeNames[what], reference) : reference;
  const noun = what.toLowerCase().replaceAll('_', ' ');
  return {
    __typename: 'ResourceNotFound',
    code: 'NOT_FOUND',
    message: `There is no ${noun} ${JSON.stringify(shown)} in your organization. Check its spelling: an id or a key, of this kind, not archived.`,
    kind: what,
    reference: shown,
  };
}

/** The input conflicts with what exists. */
export function conflict(result: Extract<SaveResult, { outcome: 'CONFLICT' }>): ConflictShape {
  const { code, message, path, currentVersion, currentSequence } = result;
  return { __typename: 'Conflict', code, message, path, currentVersion, currentSequence };
}

/** What was saved: its uuid, under the name of the accepted type. */
export interface Saved<Name extends string> {
  readonly __typename: Name;
  readonly id: string;
}

/**
 * The member of a result union for the outcome of a save. `accepted` names the type of success. A
 * deletion that the state machine refuses uses `refusedInstance` or `refusedHost` instead.
 */
export function saveResult<Name extends string>(
  accepted: Name,
  result: SaveResult,
): Saved<Name> | RefusedInput {
  switch (result.outcome) {
    case 'SAVED':
      return { __typename: accepted, id: result.id };
    case 'INVALID':
      return invalidInput(result.issues);
    case 'NOT_FOUND':
      return notFound(result.kind, result.reference);
    case 'CONFLICT':
      return conflict(result);
    case 'REFUSED':
      throw new Error(`A save without a state machine was refused: ${result.refusal.message}`);
    default:
      return result satisfies never;
  }
}
