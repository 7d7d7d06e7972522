/** The inputs for creating and updating instances. */
import { builder } from '../base/builder.ts';
import { DeploymentType, Edition, HostSize, StorageLocation } from '../base/enums.ts';
import { LabelInput } from '../entity/node.ts';
import { commonFields, guardedFields } from '../result/inputs.ts';
import { withReferences } from '../result/references.ts';

const AppConfigurationInput = builder.inputType('AppConfigurationInput', {
  fields: (t) => ({ edition: t.field({ type: Edition }) }),
});

const ContainerConfigurationInput = builder.inputType('ContainerConfigurationInput', {
  fields: (t) => ({
    deploymentType: t.field({ type: DeploymentType, required: true }),
    workingStorage: t.field({ type: StorageLocation, required: true }),
    imageSize: t.field({ type: HostSize, required: true }),
    containerRepository: t.id({ required: true }),
    containerTag: t.string(),
  }),
});

const ClusterConfigurationInput = builder.inputType('ClusterConfigurationInput', {
  fields: (t) => ({
    deploymentType: t.field({ type: DeploymentType, required: true }),
    workingStorage: t.field({ type: StorageLocation, required: true }),
    imageSize: t.field({ type: HostSize, required: true }),
    replicas: t.int({ required: true }),
    containerRepository: t.id({ required: true }),
    containerTag: t.string(),
  }),
});

const InstanceConfigurationInput = builder.inputType('InstanceConfigurationInput', {
  isOneOf: true,
  fields: (t) => ({
    app: t.field({ type: AppConfigurationInput }),
    container: t.field({ type: ContainerConfigurationInput }),
    cluster: t.field({ type: ClusterConfigurationInput }),
  }),
});

export const CreateInstanceInput = builder.inputType('CreateInstanceInput', {
  fields: (t) => ({
    key: t.string({ required: true }),
    name: t.string(),
    description: t.string(),
    solution: t.id({ required: true }),
    solutionVersion: t.id(),
    subscription: t.id({ required: true }),
    deviceRepository: t.id({ required: true }),
    host: t.id(),
    provider: t.id(),
    labels: t.field({ type: [LabelInput] }),
    settings: t.field({ type: 'JSON' }),
    configuration: t.field({ type: InstanceConfigurationInput, required: true }),
    ...commonFields(t),
  }),
});

export const UpdateInstanceInput = builder.inputType('UpdateInstanceInput', {
  fields: (t) => ({
    instance: t.id({ required: true }),
    name: t.string(),
    description: t.string(),
    solution: t.id(),
    solutionVersion: t.id(),
    subscription: t.id(),
    deviceRepository: t.id(),
    host: t.id(),
    labels: t.field({ type: [LabelInput] }),
    settings: t.field({ type: 'JSON' }),
    configuration: t.field({ type: InstanceConfigurationInput }),
    ...guardedFields(t),
  }),
});

export const DeleteInstanceInput = builder.inputType('DeleteInstanceInput', {
  fields: (t) => ({ instance: t.id({ required: true }), ...guardedFields(t) }),
});

interface References {
  instance?: string;
  solution?: string | null;
  solutionVersion?: string | null;
  subscription?: string | null;
  deviceRepository?: string | null;
  host?: string | null;
  provider?: string | null;
  configuration?: typeof InstanceConfigurationInput.$inferInput | null;
}

interface Configuration {
  containerRepository?: string;
}

const types = {
  instance: 'Instance',
  solution: 'Solution',
  solutionVersion: 'SolutionVersion',
  subscription: 'BillingSubscription',
  deviceRepository: 'DeviceRepository',
  host: 'Host',
  provider: 'ComputeProvider',
} as const;

/** An input with its references resolved for the store. */
export function instanceReferences<Input extends References>(input: Input): Input {
  const resolved = withReferences<References>(input, types) as Input;
  if (!input.configuration) return resolved;
  const configuration = Object.fromEntries(
    Object.entries(input.configuration).map(([edition, value]) => [
      edition,
      value && withReferences<Configuration>(value, { containerRepository: 'ContainerRepository' }),
    ]),
  );
  return { ...resolved, configuration };
}
