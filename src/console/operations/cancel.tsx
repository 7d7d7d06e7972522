/** Cancels an operation. A refusal stays beside its place, also when the operation can not be cancelled any more. */
import { useSignal } from '@preact/signals';
import { newIdempotencyKey, request } from '../app/connection.ts';
import { words } from '../part/words.ts';
import type { OperationRow } from './operation.ts';

const cancelDocument = `mutation ($input: CancelOperationInput!) {
  cancelOperation(input: $input) { ... on UserError { message } } }`;

export function Cancel({ operation }: { operation: OperationRow }) {
  const answer = useSignal<string | null>(null);
  const isSending = useSignal(false);
  const key = useSignal(newIdempotencyKey());
  async function cancel(): Promise<void> {
    if (isSending.value) return;
    isSending.value = true;
    answer.value = null;
    try {
      const { cancelOperation } = await request<{ cancelOperation: { message?: string } | null }>(
        cancelDocument,
        { input: { operation: operation.id, idempotencyKey: key.peek() } },
      );
      answer.value = cancelOperation?.message ?? null;
    } catch (error) {
      answer.value = (error as Error).message;
    }
    isSending.value = false;
  }
  return (
    <>
      {operation.cancellable && (
        <button
          type="button"
          onClick={cancel}
          aria-disabled={isSending.value}
          aria-label={`Cancel: ${words(operation.kind).toLowerCase()} ${operation.resource.key}`}
        >
          {isSending.value ? 'Cancelling …' : 'Cancel'}
        </button>
      )}
      {answer.value && (
        <p role="alert" class="why">
          {answer.value}
        </p>
      )}
    </>
  );
}
