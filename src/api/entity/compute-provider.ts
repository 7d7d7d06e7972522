/** Compute providers: what hosts are allocated on. */
import type { InferSelectModel } from 'drizzle-orm';
import type { ComputeProviderKind as KindName } from '../../lifecycle/compute.ts';
import type { DockerConfiguration } from '../../lifecycle/docker-configuration.ts';
import { checkProvider } from '../../store/command/provider-check.ts';
import { type Allocated, readAllocated } from '../../store/read/providers.ts';
import {
  createComputeProvider,
  deleteComputeProvider,
  updateComputeProvider,
} from '../../store/resource/compute-providers.ts';
import type { computeProviders } from '../../store/table/schema.ts';
import { builder } from '../base/builder.ts';
import { callerOf } from '../base/context.ts';
import { ComputeProviderKind } from '../base/enums.ts';
import { readRow } from '../base/reads.ts';
import { takeWaiterSlot } from '../base/waiter-slot.ts';
import { defineList } from '../list/connection.ts';
import { allOf, anyOf, equal, resourceFilterFields, resources } from '../list/filters.ts';
import { type LabelFilterShape, labelled } from '../list/labels.ts';
import { entryOrder } from '../list/order.ts';
import { commonFields, guardedFields, textFields } from '../result/inputs.ts';
import { deletedType, savedType, saveField } from '../result/mutations.ts';
import { withReferences } from '../result/references.ts';
import {
  Conflict,
  InvalidInput,
  ResourceNotFound,
  resultType,
  saveResult,
} from '../result/user-errors.ts';
import { Failure, shownFailure } from './failure.ts';
import { hostList } from './host.ts';
import { Label, LabelFilter, LabelInput, labelsOf } from './node.ts';

type Row = InferSelectModel<typeof computeProviders>;

const typeOf: Readonly<Record<KindName, string>> = {
  PROCESS: 'ProcessProviderConfiguration',
  DOCKER: 'DockerProviderConfiguration',
};

const ProcessProviderConfiguration = builder
  .objectRef<Row>('ProcessProviderConfiguration')
  .implement({
    fields: (t) => ({ kind: t.expose('kind', { type: ComputeProviderKind }) }),
  });

const DockerTls = builder
  .objectRef<NonNullable<DockerConfiguration['tls']>>('DockerTls')
  .implement({
    fields: (t) => ({
      caCertificate: t.exposeString('caCertificate'),
      clientCertificate: t.exposeString('clientCertificate', { nullable: true }),
    }),
  });

const dockerOf = ({ configuration }: Row) => configuration as DockerConfiguration;

const DockerProviderConfiguration = builder
  .objectRef<Row>('DockerProviderConfiguration')
  .implement({
    fields: (t) => ({
      kind: t.expose('kind', { type: ComputeProviderKind }),
      endpoint: t.string({ resolve: (row) => dockerOf(row).endpoint }),
      tls: t.field({ type: DockerTls, nullable: true, resolve: (row) => dockerOf(row).tls }),
      insecure: t.boolean({ resolve: (row) => dockerOf(row).insecure }),
      publishAddress: t.string({ resolve: (row) => dockerOf(row).publishAddress }),
    }),
  });

const ComputeProviderConfiguration = builder.unionType('ComputeProviderConfiguration', {
  types: [ProcessProviderConfiguration, DockerProviderConfiguration],
  resolveType: (row) => typeOf[(row as Row).kind] as never,
});

const ComputeResources = builder.objectRef<Allocated>('ComputeResources').implement({
  fields: (t) => ({ cpus: t.exposeFloat('cpus'), memoryBytes: t.exposeFloat('memoryBytes') }),
});

interface NodeShape {
  readonly name: string;
  readonly platform: string;
  readonly capacity: Allocated;
}

const ComputeNode = builder.objectRef<NodeShape>('ComputeNode').implement({
  fields: (t) => ({
    name: t.exposeString('name'),
    platform: t.exposeString('platform'),
    capacity: t.expose('capacity', { type: ComputeResources }),
  }),
});

const ComputeProviderStatus = builder.objectRef<Row>('ComputeProviderStatus').implement({
  fields: (t) => ({
    reachable: t.boolean({ nullable: true, resolve: ({ status }) => status?.reachable ?? null }),
    version: t.string({ nullable: true, resolve: ({ status }) => status?.version ?? null }),
    checkedAt: t.field({
      type: 'DateTime',
      nullable: true,
      resolve: ({ status }) => status && new Date(status.checkedAt),
    }),
    failure: t.field({
      type: Failure,
      nullable: true,
      resolve: ({ status, updatedAt }) =>
        shownFailure(status?.failure ?? null, { resourceId: null, since: updatedAt }),
    }),
    capacity: t.field({
      type: ComputeResources,
      nullable: true,
      resolve: ({ status }) => status?.capacity ?? null,
    }),
    allocated: t.field({
      type: ComputeResources,
      resolve: async ({ id }, _args, { loaders, store }) =>
        (await loaders.load('allocated', id, (ids) => readAllocated(store, ids))) ?? {
          cpus: 0,
          memoryBytes: 0,
        },
    }),
    nodes: t.field({
      type: [ComputeNode],
      resolve: ({ key: name, status }) =>
        status?.platform && status.capacity
          ? [{ name, platform: status.platform, capacity: status.capacity }]
          : [],
    }),
  }),
});

export const ComputeProvider = builder.drizzleNode('computeProviders', {
  name: 'ComputeProvider',
  id: { column: (provider) => provider.id },
  fields: (t) => ({
    key: t.exposeString('key'),
    name: t.exposeString('name'),
    description: t.exposeString('description', { nullable: true }),
    labels: t.field({ type: [Label], resolve: ({ labels }) => labelsOf(labels) }),
    kind: t.expose('kind', { type: ComputeProviderKind }),
    configuration: t.field({ type: ComputeProviderConfiguration, resolve: (row) => row as never }),
    hasCredentials: t.boolean({ resolve: ({ secrets }) => secrets !== null }),
    status: t.field({ type: ComputeProviderStatus, resolve: (row) => row }),
    isDefault: t.exposeBoolean('isDefault'),
    hosts: hostList.related(t, 'hosts', 'computeProviders'),
    version: t.exposeInt('version'),
    createdAt: t.expose('createdAt', { type: 'DateTime' }),
    updatedAt: t.expose('updatedAt', { type: 'DateTime' }),
    archivedAt: t.expose('archivedAt', { type: 'DateTime', nullable: true }),
  }),
});

export const computeProviderList = defineList({
  name: 'ComputeProvider',
  type: ComputeProvider,
  table: 'computeProviders',
  filter: builder.inputType('ComputeProviderFilter', {
    fields: (t) => ({
      kind: t.field({ type: [ComputeProviderKind] }),
      isDefault: t.boolean(),
      label: t.field({ type: [LabelFilter] }),
      ...resourceFilterFields(t),
    }),
  }),
  order: entryOrder('ComputeProvider'),
  where: (filter) =>
    allOf(
      resources(filter),
      anyOf('kind', filter?.kind),
      equal('isDefault', filter?.isDefault),
      ...labelled(filter?.label as readonly LabelFilterShape[] | null | undefined),
    ),
});

builder.queryFields((t) => ({
  computeProvider: computeProviderList.one(t, 'computeProvider'),
  computeProviders: computeProviderList.root(t),
}));

const ComputeProviderSaved = savedType('ComputeProviderSaved', {
  field: 'computeProvider',
  type: ComputeProvider,
  table: 'computeProviders',
});

const ComputeProviderDeleted = deletedType('ComputeProviderDeleted', 'ComputeProvider');

const DockerTlsInput = builder.inputType('DockerTlsInput', {
  fields: (t) => ({
    caCertificate: t.string({ required: true }),
    clientCertificate: t.string(),
    clientKey: t.string(),
  }),
});

const DockerProviderConfigurationInput = builder.inputType('DockerProviderConfigurationInput', {
  fields: (t) => ({
    endpoint: t.string({ required: true }),
    tls: t.field({ type: DockerTlsInput }),
    insecure: t.boolean(),
    publishAddress: t.string(),
  }),
});

const ComputeProviderConfigurationInput = builder.inputType('ComputeProviderConfigurationInput', {
  isOneOf: true,
  fields: (t) => ({ docker: t.field({ type: DockerProviderConfigurationInput }) }),
});

const CreateComputeProviderInput = builder.inputType('CreateComputeProviderInput', {
  fields: (t) => ({
    key: t.string({ required: true }),
    ...textFields(t),
    labels: t.field({ type: [LabelInput] }),
    configuration: t.field({ type: ComputeProviderConfigurationInput, required: true }),
    default: t.boolean(),
    ...commonFields(t),
  }),
});

const UpdateComputeProviderInput = builder.inputType('UpdateComputeProviderInput', {
  fields: (t) => ({
    computeProvider: t.id({ required: true }),
    ...textFields(t),
    labels: t.field({ type: [LabelInput] }),
    configuration: t.field({ type: ComputeProviderConfigurationInput }),
    default: t.boolean(),
    ...guardedFields(t),
  }),
});

const DeleteComputeProviderInput = builder.inputType('DeleteComputeProviderInput', {
  fields: (t) => ({ computeProvider: t.id({ required: true }), ...guardedFields(t) }),
});

const CheckComputeProviderInput = builder.inputType('CheckComputeProviderInput', {
  fields: (t) => ({ computeProvider: t.id({ required: true }), ...commonFields(t) }),
});

interface CheckedShape {
  readonly __typename: 'ComputeProviderChecked';
  readonly id: string;
  readonly isChecked: boolean;
}

const ComputeProviderChecked = builder.objectRef<CheckedShape>('ComputeProviderChecked').implement({
  fields: (t) => ({
    computeProvider: t.drizzleField({
      type: ComputeProvider,
      resolve: async (query, { id }, _args, context) =>
        (await readRow<Row>(context, 'computeProviders', query({ where: { id } }))) as never,
    }),
    isChecked: t.exposeBoolean('isChecked'),
  }),
});

const references = { computeProvider: 'ComputeProvider' } as const;

builder.mutationFields((t) => ({
  createComputeProvider: saveField(t, {
    result: 'CreateComputeProviderResult',
    accepted: ComputeProviderSaved,
    refusals: [InvalidInput, Conflict],
    input: CreateComputeProviderInput,
    save: createComputeProvider,
  }),
  updateComputeProvider: saveField(t, {
    result: 'UpdateComputeProviderResult',
    accepted: ComputeProviderSaved,
    input: UpdateComputeProviderInput,
    references,
    save: updateComputeProvider,
  }),
  deleteComputeProvider: saveField(t, {
    result: 'DeleteComputeProviderResult',
    accepted: ComputeProviderDeleted,
    input: DeleteComputeProviderInput,
    references,
    save: deleteComputeProvider,
  }),
  checkComputeProvider: t.field({
    type: resultType('CheckComputeProviderResult', [
      ComputeProviderChecked,
      InvalidInput,
      ResourceNotFound,
    ]),
    nullable: true,
    args: { input: t.arg({ type: CheckComputeProviderInput, required: true }) },
    resolve: async (_root, { input }, context) => {
      const resolved = withReferences(input, references);
      const signal = context.request?.signal ?? null;
      const release = takeWaiterSlot(context, 'Ask for the status of the provider.');
      const result = await checkProvider(context.store, callerOf(context), {
        input: resolved,
        signal,
      }).finally(release);
      return 'isChecked' in result
        ? { __typename: 'ComputeProviderChecked' as const, ...result }
        : (saveResult('ComputeProviderChecked', result) as never);
    },
  }),
}));
