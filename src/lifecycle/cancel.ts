/** Cancelling an operation. The rules: docs/lifecycle.md, "Cancelling". */
import type { Change, DecisionContext, Snapshot } from './change.ts';
import { Draft } from './draft.ts';
import { isActive, isCancellable, type OperationKind, type OperationStatus } from './operation.ts';
import { type Refusal, refuse } from './refusal.ts';

/** The operation that is to be cancelled, as it was found. */
export interface OperationToCancel {
  readonly id: string;
  readonly kind: OperationKind;
  readonly status: OperationStatus;
  /** Null: an operation of a host or a container repository. */
  readonly instanceId: string | null;
}

/** Why it cannot be cancelled, and what to do instead. */
function refuseCancel({ id, kind, status, instanceId }: OperationToCancel): Refusal {
  const remedy =
    kind === 'SYNC_CONTAINER_TAGS'
      ? 'It ends by itself, at its deadline at the latest.'
      : instanceId
        ? 'Stop the instance by force: stopInstance(force: true).'
        : 'Remove the host by force: removeHost(force: true).';
  const message = isActive(status)
    ? `${kind} has begun and cannot be cancelled. ${remedy}`
    : `${kind} is over (${status}); there is nothing to cancel.`;
  return refuse('NOT_CANCELLABLE', message, { operationId: id });
}

/** Decides the cancelling of an operation of the one instance of `snapshot`. */
export function decideCancel(
  snapshot: Snapshot,
  found: OperationToCancel,
  context: DecisionContext,
): Change | Refusal {
  const instance = snapshot.instances[0];
  const { operation } = instance ?? {};
  if (!instance || operation?.id !== found.id || !isCancellable(operation)) {
    return refuseCancel(found);
  }
  const draft = new Draft(snapshot, context);
  draft.end(instance, 'CANCELLED');
  draft.instance(instance, null, { operationId: found.id, desired: 'STOPPED' });
  return { ...draft.done(), operationId: found.id };
}
