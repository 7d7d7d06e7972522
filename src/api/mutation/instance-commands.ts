/** The lifecycle commands of an instance. They never wait for the work. */
import type { InstanceAction } from '../../lifecycle/instance.ts';
import { commandInstance } from '../../store/command/lifecycle-commands.ts';
import { builder } from '../base/builder.ts';
import { Instance } from '../entity/instance.ts';
import { Operation } from '../entity/operation.ts';
import { defineCommands } from './command.ts';
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

defineCommands<Exclude<InstanceAction, 'DELETE'>>(
  [
    {
      field: 'deployInstance',
      input: 'DeployInstanceInput',
      result: 'DeployInstanceResult',
      action: 'DEPLOY',
    },
    {
      field: 'startInstance',
      input: 'StartInstanceInput',
      result: 'StartInstanceResult',
      action: 'START',
    },
    {
      field: 'pauseInstance',
      input: 'PauseInstanceInput',
      result: 'PauseInstanceResult',
      action: 'PAUSE',
    },
    {
      field: 'resumeInstance',
      input: 'ResumeInstanceInput',
      result: 'ResumeInstanceResult',
      action: 'RESUME',
    },
    {
      field: 'stopInstance',
      input: 'StopInstanceInput',
      result: 'StopInstanceResult',
      action: 'STOP',
      forced: 'FORCE_STOP',
    },
    {
      field: 'restartInstance',
      input: 'RestartInstanceInput',
      result: 'RestartInstanceResult',
      action: 'RESTART',
    },
    {
      field: 'updateRuntime',
      input: 'UpdateRuntimeInput',
      result: 'UpdateRuntimeResult',
      action: 'UPDATE_RUNTIME',
      tagged: true,
    },
    {
      field: 'detachInstance',
      input: 'DetachInstanceInput',
      result: 'DetachInstanceResult',
      action: 'DETACH',
    },
  ],
  {
    type: 'Instance',
    argument: 'instance',
    members: [InstanceCommandAccepted, InstanceCommandRefused],
    async send(store, action, command) {
      const result = await commandInstance(store, action, command);
      return commandResult('InstanceCommandAccepted', result, (refusal, snapshot) =>
        refusedInstance(action, refusal, snapshot),
      );
    },
  },
);
