/** The lifecycle commands of a host. They never wait for the work. */
import type { HostAction } from '../../lifecycle/host.ts';
import { commandHost } from '../../store/command/lifecycle-commands.ts';
import { builder } from '../base/builder.ts';
import type { Context } from '../base/context.ts';
import { referenceOf } from '../base/ids.ts';
import { Host } from '../entity/host.ts';
import { Operation } from '../entity/operation.ts';
import { commandFields } from '../result/inputs.ts';
import { Conflict, InvalidInput, ResourceNotFound, resultType } from '../result/user-errors.ts';
import { type CommandInput, commandOf, refusedFields } from './command.ts';
import {
  type Accepted,
  acceptedRow,
  commandResult,
  HostCommandRefused,
  refusedHost,
} from './refusals.ts';

const HostCommandAccepted = builder
  .objectRef<Accepted<'HostCommandAccepted'>>('HostCommandAccepted')
  .implement({
    fields: (t) => ({
      host: t.field({
        type: Host,
        resolve: ({ rows, resourceId: id }, _args, context, info) =>
          acceptedRow(rows?.resource, { type: 'Host', id }, { context, info }),
      }),
      operation: t.field({
        type: Operation,
        nullable: true,
        resolve: ({ rows, operationId: id }, _args, context, info) =>
          acceptedRow(rows?.operation, { type: 'Operation', id }, { context, info }),
      }),
    }),
  });

async function command(
  context: Context,
  field: string,
  {
    action,
    input,
  }: { action: Exclude<HostAction, 'DELETE'>; input: CommandInput & { host: string } },
) {
  const refused = refusedFields(input);
  if (refused) return refused;
  const reference = referenceOf('Host', input.host);
  const result = await commandHost(
    context.store,
    action,
    commandOf(context, field, { reference, input }),
  );
  return commandResult('HostCommandAccepted', result, (refusal, snapshot) =>
    refusedHost(action, refusal, snapshot),
  );
}

const commands = {
  deployHost: 'DEPLOY',
  restartHost: 'RESTART',
  restartContainer: 'RESTART_CONTAINER',
  removeHost: 'REMOVE',
} as const;

for (const [field, action] of Object.entries(commands)) {
  const name = `${field.charAt(0).toUpperCase()}${field.slice(1)}`;
  const Input = builder.inputType(`${name}Input`, {
    fields: (t) => ({
      host: t.id({ required: true }),
      ...(action === 'REMOVE' ? { force: t.boolean() } : {}),
      ...commandFields(t),
    }),
  });
  builder.mutationField(field, (t) =>
    t.field({
      type: resultType(`${name}Result`, [
        HostCommandAccepted,
        HostCommandRefused,
        InvalidInput,
        ResourceNotFound,
        Conflict,
      ]),
      nullable: true,
      args: { input: t.arg({ type: Input, required: true }) },
      resolve: (_root, { input }, context) => {
        const forced = 'force' in input && input.force === true;
        return command(context, field, { action: forced ? 'FORCE_REMOVE' : action, input });
      },
    }),
  );
}
