/** The lifecycle commands of a host. They never wait for the work. */
import type { HostAction } from '../../lifecycle/host.ts';
import { commandHost } from '../../store/command/lifecycle-commands.ts';
import { builder } from '../base/builder.ts';
import { Host } from '../entity/host.ts';
import { Operation } from '../entity/operation.ts';
import { defineCommands } from './command.ts';
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

defineCommands<Exclude<HostAction, 'DELETE'>>(
  [
    {
      field: 'deployHost',
      input: 'DeployHostInput',
      result: 'DeployHostResult',
      action: 'DEPLOY',
    },
    {
      field: 'restartHost',
      input: 'RestartHostInput',
      result: 'RestartHostResult',
      action: 'RESTART',
    },
    {
      field: 'restartContainer',
      input: 'RestartContainerInput',
      result: 'RestartContainerResult',
      action: 'RESTART_CONTAINER',
    },
    {
      field: 'removeHost',
      input: 'RemoveHostInput',
      result: 'RemoveHostResult',
      action: 'REMOVE',
      forced: 'FORCE_REMOVE',
    },
  ],
  {
    type: 'Host',
    argument: 'host',
    members: [HostCommandAccepted, HostCommandRefused],
    async send(store, action, command) {
      const result = await commandHost(store, action, command);
      return commandResult('HostCommandAccepted', result, (refusal, snapshot) =>
        refusedHost(action, refusal, snapshot),
      );
    },
  },
);
