/** `operation` with its wait, `operationUpdates`, and cancelling. */
import { ChannelSource, shared } from '../../feed/channel/channel-source.ts';
import { createLatest } from '../../feed/channel/latest.ts';
import type { NamedSignal } from '../../feed/channel/signal.ts';
import { activeStatuses } from '../../lifecycle/operation.ts';
import { cancelOperation } from '../../store/command/lifecycle-commands.ts';
import { isId } from '../../store/input/checks.ts';
import { builder } from '../base/builder.ts';
import type { Context } from '../base/context.ts';
import { notThere } from '../base/graphql-stream.ts';
import { parseGlobalId, referenceOf } from '../base/ids.ts';
import { readsOf } from '../base/reads.ts';
import { takeWaiterSlot } from '../base/waiter-slot.ts';
import { Operation } from '../entity/operation.ts';
import { badInput } from '../list/page.ts';
import { type OperationRow, readOperations } from '../list/rows.ts';
import { commandOf, refusedFields } from '../mutation/command.ts';
import {
  type Accepted,
  commandResult,
  OperationCommandRefused,
  refusedOperation,
} from '../mutation/refusals.ts';
import { commonFields } from '../result/inputs.ts';
import { Conflict, InvalidInput, ResourceNotFound, resultType } from '../result/user-errors.ts';

const isOver = ({ status }: OperationRow): boolean =>
  !activeStatuses.some((active) => active === status);

/** Refusals name operations by their bare uuid, so that is accepted as well. */
function operationId(reference: string): string | null {
  if (isId(reference)) return reference;
  const parsed = parseGlobalId(reference);
  return parsed?.type === 'Operation' ? parsed.id : null;
}

/** Waits until the operation has ended (or does not exist), or the time is over. */
async function waitForEnd(context: Context, id: string, seconds: number): Promise<void> {
  const release = takeWaiterSlot(
    context,
    'Ask without waitSeconds, or subscribe to operationUpdates.',
  );
  const eventSignals = context.feed.eventSignals(id);
  const giveUp = (): void => void eventSignals.return?.();
  const timer = setTimeout(giveUp, seconds * 1000);
  const { signal } = context.request ?? {};
  signal?.addEventListener('abort', giveUp, { once: true });
  try {
    for await (const _ of eventSignals) {
      const [row] = await readOperations(context, [id]);
      if (!row || isOver(row)) break;
    }
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', giveUp);
    release();
  }
}

builder.queryField('operation', (t) =>
  t.drizzleField({
    type: Operation,
    nullable: true,
    args: { operation: t.arg.id({ required: true }), waitSeconds: t.arg.int() },
    resolve: async (query, _root, { operation, waitSeconds }, context) => {
      const most = context.server.limits.waitSeconds;
      if (waitSeconds != null && (waitSeconds < 0 || waitSeconds > most)) {
        throw badInput(`\`waitSeconds\` is ${waitSeconds}; it takes 0 to ${most}.`);
      }
      const id = operationId(operation);
      if (!id) return null;
      if (waitSeconds) await waitForEnd(context, id, waitSeconds);
      const found = await readsOf(context, 'operations').findFirst(query({ where: { id } }));
      return found ?? null;
    },
  }),
);

/**
 * The operation as it is now. From now on `eventSignals` signals changes of its resource, its parent and its
 * children, too: a selection may show them. They are read when the state is rendered, after this.
 */
async function readWithNeighbours(
  context: Context,
  id: string,
  eventSignals: NamedSignal,
): Promise<OperationRow | null> {
  const found = await readsOf(context, 'operations').findFirst({
    where: { id },
    with: { children: { columns: { id: true } } },
  });
  if (!found) return null;
  const { children, ...row } = found;
  for (const neighbour of [
    row.instanceId,
    row.hostId,
    row.containerRepositoryId,
    row.parentId,
    ...children.map(({ id }) => id),
  ])
    if (neighbour) eventSignals.add(neighbour);
  return row;
}

builder.subscriptionField('operationUpdates', (t) =>
  t.field({
    type: Operation,
    args: { operation: t.arg.id({ required: true }) },
    extensions: shared,
    subscribe: async (_root, { operation }, context) => {
      const id = operationId(operation);
      const [found] = id ? await readOperations(context, [id]) : [];
      if (!id || !found) throw notThere('operation', operation);
      const eventSignals = context.feed.eventSignals(id);
      return new ChannelSource({
        channel: createLatest({
          ticks: eventSignals,
          read: () => readWithNeighbours(context, id, eventSignals),
          isLast: isOver,
        }),
        rootOf: ({ value }) => value,
      });
    },
    resolve: (row) => row as never,
  }),
);

const OperationCancelled = builder
  .objectRef<Accepted<'OperationCancelled'>>('OperationCancelled')
  .implement({
    fields: (t) => ({
      operation: t.drizzleField({
        type: Operation,
        nullable: true,
        resolve: async (query, accepted, _args, context) =>
          (await readsOf(context, 'operations').findFirst(
            query({ where: { id: accepted.operationId } }),
          )) ?? null,
      }),
    }),
  });

const CancelOperationInput = builder.inputType('CancelOperationInput', {
  fields: (t) => ({ operation: t.id({ required: true }), ...commonFields(t) }),
});

builder.mutationField('cancelOperation', (t) =>
  t.field({
    type: resultType('CancelOperationResult', [
      OperationCancelled,
      OperationCommandRefused,
      InvalidInput,
      ResourceNotFound,
      Conflict,
    ]),
    nullable: true,
    args: { input: t.arg({ type: CancelOperationInput, required: true }) },
    resolve: async (_root, { input }, context) => {
      const refused = refusedFields(input);
      if (refused) return refused;
      const reference = referenceOf('Operation', input.operation);
      const result = await cancelOperation(
        context.store,
        commandOf(context, 'cancelOperation', { reference, input }),
      );
      return commandResult('OperationCancelled', result, refusedOperation);
    },
  }),
);
