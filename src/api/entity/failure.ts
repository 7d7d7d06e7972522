/** Failures, and the causes of transitions. */
import type { StoredFailure } from '../../store/table/schema.ts';
import { builder } from '../base/builder.ts';
import { findOperation, findTransition, type TransitionReference } from '../list/rows.ts';
import { Operation } from './operation.ts';
import { Transition } from './transition.ts';

export interface FailureShape extends StoredFailure {
  readonly when: Date | string;
  /** The resource whose history contains the transition; null: no transition caused it. */
  readonly resourceId: string | null;
}

/** A stored failure as the API shows it. `since` is used if no time was stored. */
export function shownFailure(
  failure: StoredFailure | null,
  { resourceId, since }: { resourceId: string | null; since: Date | string },
): FailureShape | null {
  return failure && { ...failure, when: failure.at ?? since, resourceId };
}

export const Failure = builder.objectRef<FailureShape>('Failure');
Failure.implement({
  fields: (t) => ({
    code: t.exposeString('code'),
    message: t.exposeString('message'),
    stage: t.string({ nullable: true, resolve: ({ stage }) => stage || null }),
    exitCode: t.int({ nullable: true, resolve: ({ exitCode }) => exitCode ?? null }),
    retryable: t.exposeBoolean('retryable'),
    at: t.field({ type: 'DateTime', resolve: ({ when }) => when }),
    transition: t.field({
      type: Transition,
      nullable: true,
      resolve: async ({ resourceId, sequence, when }, _args, context) => {
        if (!resourceId || !sequence) return null;
        const row = await findTransition(context, { resourceId, sequence });
        // At another time it is the previous transition, which did not cause the failure.
        const apart = row ? Math.abs(row.at.getTime() - new Date(when).getTime()) : 0;
        return apart > 1 ? null : row;
      },
    }),
    operation: t.field({
      type: Operation,
      nullable: true,
      resolve: ({ operationId }, _args, context) => findOperation(context, operationId),
    }),
    logTail: t.string({ nullable: true, resolve: ({ logTail }) => logTail ?? null }),
  }),
});

export interface CauseShape {
  readonly operationId: string | null;
  readonly transition: TransitionReference | null;
}

export const Cause = builder.objectRef<CauseShape>('Cause');
Cause.implement({
  fields: (t) => ({
    operation: t.field({
      type: Operation,
      nullable: true,
      resolve: ({ operationId }, _args, context) => findOperation(context, operationId),
    }),
    transition: t.field({
      type: Transition,
      nullable: true,
      resolve: ({ transition }, _args, context) => findTransition(context, transition),
    }),
  }),
});
