/** What can be asked of an instance: its lifecycle commands. They never wait for the work. */
import type { InstanceAction } from '../lifecycle/instance.ts';
import { commandInstance } from '../store/commands.ts';
import { builder } from './builder.ts';
import { type CommandInput, commandOf, refusedFields } from './commands.ts';
import type { Context } from './context.ts';
import { Conflict, InvalidInput, ResourceNotFound, resultType } from './errors.ts';
import { owned } from './filters.ts';
import { referenceOf } from './ids.ts';
import { commandFields } from './inputs.ts';
import { Instance } from './instance.ts';
import { Operation } from './operation.ts';
import {
  type Accepted,
  commandResult,
  InstanceCommandRefused,
  isRowAlone,
  refusedInstance,
} from './refusals.ts';

const InstanceCommandAccepted = builder
  .objectRef<Accepted<'InstanceCommandAccepted'>>('InstanceCommandAccepted')
  .implement({
    fields: (t) => ({
      instance: t.drizzleField({
        type: Instance,
        resolve: async (query, { rows, resourceId }, _args, context) => {
          const planned = query({ where: { ...owned(context), id: resourceId } });
          if (rows && isRowAlone(planned)) return rows.resource as never;
          return (await context.store.database.drizzle.query.instances.findFirst(planned))!;
        },
      }),
      operation: t.drizzleField({
        type: Operation,
        nullable: true,
        resolve: async (query, { rows, operationId }, _args, context) => {
          const planned = query({ where: { ...owned(context), id: operationId } });
          if (rows && isRowAlone(planned)) return rows.operation as never;
          return (await context.store.database.drizzle.query.operations.findFirst(planned)) ?? null;
        },
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
  return commandResult('InstanceCommandAccepted', result, (refusal, world) =>
    refusedInstance(action, refusal, world),
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
