/** What can be asked of a host: its lifecycle commands. They never wait for the work. */
import type { HostAction } from '../lifecycle/host.ts';
import { commandHost } from '../store/commands.ts';
import { builder } from './builder.ts';
import { type CommandInput, commandOf, refusedFields } from './commands.ts';
import type { Context } from './context.ts';
import { Conflict, InvalidInput, ResourceNotFound, resultType } from './errors.ts';
import { owned } from './filters.ts';
import { Host } from './host.ts';
import { referenceOf } from './ids.ts';
import { commandFields } from './inputs.ts';
import { Operation } from './operation.ts';
import {
  type Accepted,
  commandResult,
  HostCommandRefused,
  isRowAlone,
  refusedHost,
} from './refusals.ts';

const HostCommandAccepted = builder
  .objectRef<Accepted<'HostCommandAccepted'>>('HostCommandAccepted')
  .implement({
    fields: (t) => ({
      host: t.drizzleField({
        type: Host,
        resolve: async (query, { rows, resourceId }, _args, context) => {
          const planned = query({ where: { ...owned(context), id: resourceId } });
          if (rows && isRowAlone(planned)) return rows.resource as never;
          return (await context.store.database.drizzle.query.hosts.findFirst(planned))!;
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
  return commandResult('HostCommandAccepted', result, (refusal, world) =>
    refusedHost(action, refusal, world),
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
