/** Enums that several entities use; their values come from `lifecycle/` and `store/`. */

import { runtimeCommandKinds } from '../../lifecycle/change.ts';
import { computeProviderKinds, hostSizes } from '../../lifecycle/compute.ts';
import { hostActions, hostStates } from '../../lifecycle/host.ts';
import {
  desiredInstanceStates,
  instanceActions,
  instanceStates,
} from '../../lifecycle/instance.ts';
import { operationKinds, operationStatuses } from '../../lifecycle/operation.ts';
import { refusalCodes } from '../../lifecycle/refusal.ts';
import { deploymentTypes, editions, logLevels, storages } from '../../store/table/values.ts';
import { builder } from './builder.ts';

const resourceKinds = ['INSTANCE', 'HOST'] as const;
export type ResourceKindName = (typeof resourceKinds)[number];

export const entityKinds = [
  ...resourceKinds,
  'SOLUTION',
  'SOLUTION_VERSION',
  'CONTAINER_REPOSITORY',
  'CONTAINER_TAG',
  'DEVICE_REPOSITORY',
  'BILLING_SUBSCRIPTION',
  'COMPUTE_PROVIDER',
  'OPERATION',
  'RUNTIME_COMMAND',
] as const;
export type EntityKindName = (typeof entityKinds)[number];

const userErrorCodes = [
  ...refusalCodes,
  'INVALID_INPUT',
  'NOT_FOUND',
  'VERSION_CONFLICT',
  'IDEMPOTENCY_CONFLICT',
  'KEY_TAKEN',
  'HOST_FULL',
  'IN_USE',
] as const;
export type UserErrorCodeName = (typeof userErrorCodes)[number];

export const ResourceKind = builder.enumType('ResourceKind', { values: resourceKinds });
export const EntityKind = builder.enumType('EntityKind', { values: entityKinds });
export const UserErrorCode = builder.enumType('UserErrorCode', { values: userErrorCodes });
export const OrderDirection = builder.enumType('OrderDirection', {
  values: ['ASC', 'DESC'] as const,
});

export const InstanceState = builder.enumType('InstanceState', { values: instanceStates });
export const InstanceAction = builder.enumType('InstanceAction', { values: instanceActions });
export const DesiredInstanceState = builder.enumType('DesiredInstanceState', {
  values: desiredInstanceStates,
});
export const Reachability = builder.enumType('Reachability', {
  values: ['OK', 'UNKNOWN'] as const,
});
export const UnreachableCause = builder.enumType('UnreachableCause', {
  values: ['HOST', 'RUNTIME'] as const,
});
export const Edition = builder.enumType('Edition', { values: editions });
export const DeploymentType = builder.enumType('DeploymentType', { values: deploymentTypes });

export const HostState = builder.enumType('HostState', { values: hostStates });
export const HostAction = builder.enumType('HostAction', { values: hostActions });
export const ComputeProviderKind = builder.enumType('ComputeProviderKind', {
  values: computeProviderKinds,
});
export const HostSize = builder.enumType('HostSize', { values: hostSizes });
export const StorageLocation = builder.enumType('StorageLocation', { values: storages });

export const OperationKind = builder.enumType('OperationKind', { values: operationKinds });
export const OperationStatus = builder.enumType('OperationStatus', { values: operationStatuses });

export const RuntimeCommandKind = builder.enumType('RuntimeCommandKind', {
  values: runtimeCommandKinds,
});
export const LogLevel = builder.enumType('LogLevel', { values: logLevels });
export const EndpointKind = builder.enumType('EndpointKind', {
  values: ['MESSAGES', 'INPUT_COMMANDS'] as const,
});
export const ActorKind = builder.enumType('ActorKind', {
  values: ['USER', 'RUNTIME', 'DRIVER', 'HEALTH_CHECK', 'DEADLINE', 'SYSTEM'] as const,
});
