/** The lifecycle commands of an instance. They never wait for the work. */
import type { InstanceAction } from '../../lifecycle/instance.ts';
import { commandInstance } from '../../store/command/lifecycle-commands.ts';
import { builder } from '../base/builder.ts';
import type { Context } from '../base/context.ts';
import { referenceOf } from '../base/ids.ts';
import { Instance } from '../entity/instance.ts';
import { Operation } from '../entity/operation.ts';
import { commandFields } from '../result/inputs.ts';
import { Conflict, InvalidInput, ResourceNotFound, resultType } from '../result/user-errors.ts';
import { type CommandInput, commandOf, refusedFields } from './command.ts';
import {
  type Accepted,
  acceptedRow,
  commandResult,
  InstanceCommandRefused,
  refusedInstance,
} from './refusals.ts';

const InstanceCommandAccepted = builder
  .objectRef<Accepted<'InstanceCommandAccepted'>>('InstanceCommandAccepted')
  .implement({
    fields: (t) => ({
      instance: t.field({
        type: Instance,
        resolve: ({ rows, resourceId: id }, _args, context, info) =>
          acceptedRow(rows?.resource, { type: 'Instance', id }, { context, info }),
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
  }: {
    action: Exclude<InstanceAction, 'DELETE'>;
    input: CommandInput & { instance: string };
  },
) {
  const refused = refusedFields(input);
  if (refused) return refused;
  const reference = referenceOf('Instance', input.instance);
  const result = await commandInstance(
    context.store,
    action,
    commandOf(context, field, { reference, input }),
  );
  return commandResult('InstanceCommandAccepted', result, (refusal, snapshot) =>
    refusedInstance(action, refusal, snapshot),
  );
}

const commands = {
  deploy: 'DEPLOY',
  start: 'START',
  pause: 'PAUSE',
  resume: 'RESUME',
  stop: 'STOP',
  restart: 'RESTART',
  detach: 'DETACH',
} as const;

for (const [verb, action] of Object.entries(commands)) {
  const name = `${verb.charAt(0).toUpperCase()}${verb.slice(1)}Instance`;
  const field = `${verb}Instance`;
  const Input = builder.inputType(`${name}Input`, {
    fields: (t) => ({
      instance: t.id({ required: true }),
      ...(action === 'STOP' ? { force: t.boolean() } : {}),
      ...commandFields(t),
    }),
  });
  builder.mutationField(field, (t) =>
    t.field({
      type: resultType(`${name}Result`, [
        InstanceCommandAccepted,
        InstanceCommandRefused,
        InvalidInput,
        ResourceNotFound,
        Conflict,
      ]),
      nullable: true,
      args: { input: t.arg({ type: Input, required: true }) },
      resolve: (_root, { input }, context) => {
        const forced = 'force' in input && input.force === true;
        return command(context, field, { action: forced ? 'FORCE_STOP' : action, input });
      },
    }),
  );
}
