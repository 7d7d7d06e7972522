/** The relations between tables, for nested reads in one statement. */
import { defineRelations } from 'drizzle-orm';
import * as schema from './schema.ts';

// biome-ignore lint/complexity/noExcessiveLinesPerFunction: a list, one entry per table
export const relations = defineRelations(schema, (r) => ({
  solutions: {
    versions: r.many.solutionVersions(),
    instances: r.many.instances(),
  },
  solutionVersions: {
    solution: r.one.solutions({
      from: r.solutionVersions.solutionId,
      to: r.solutions.id,
      optional: false,
    }),
  },
  containerRepositories: {
    tags: r.many.containerTags(),
    operations: r.many.operations(),
    instances: r.many.instances(),
  },
  containerTags: {
    repository: r.one.containerRepositories({
      from: r.containerTags.repositoryId,
      to: r.containerRepositories.id,
      optional: false,
    }),
  },
  deviceRepositories: {
    instances: r.many.instances(),
    values: r.many.deviceValues(),
  },
  deviceValues: {
    repository: r.one.deviceRepositories({
      from: r.deviceValues.deviceRepositoryId,
      to: r.deviceRepositories.id,
      optional: false,
    }),
  },
  billingSubscriptions: {
    instances: r.many.instances(),
    hosts: r.many.hosts(),
  },
  computeProviders: {
    hosts: r.many.hosts(),
  },
  hosts: {
    provider: r.one.computeProviders({
      from: r.hosts.providerId,
      to: r.computeProviders.id,
      optional: false,
    }),
    organization: r.one.organizations({
      from: r.hosts.organizationId,
      to: r.organizations.id,
      optional: false,
    }),
    subscription: r.one.billingSubscriptions({
      from: r.hosts.subscriptionId,
      to: r.billingSubscriptions.id,
    }),
    instances: r.many.instances(),
    operations: r.many.operations(),
    history: r.many.log({ from: r.hosts.id, to: r.log.resourceId }),
    dnsRecord: r.one.dnsRecords({ from: r.hosts.id, to: r.dnsRecords.hostId }),
    healthChecks: r.one.hostChecks({ from: r.hosts.id, to: r.hostChecks.hostId }),
    intervals: r.many.meteringIntervals({
      from: r.hosts.id,
      to: r.meteringIntervals.resourceId,
    }),
  },
  instances: {
    solution: r.one.solutions({
      from: r.instances.solutionId,
      to: r.solutions.id,
      optional: false,
    }),
    solutionVersion: r.one.solutionVersions({
      from: r.instances.solutionVersionId,
      to: r.solutionVersions.id,
    }),
    subscription: r.one.billingSubscriptions({
      from: r.instances.subscriptionId,
      to: r.billingSubscriptions.id,
      optional: false,
    }),
    deviceRepository: r.one.deviceRepositories({
      from: r.instances.deviceRepositoryId,
      to: r.deviceRepositories.id,
      optional: false,
    }),
    containerRepository: r.one.containerRepositories({
      from: r.instances.containerRepositoryId,
      to: r.containerRepositories.id,
    }),
    host: r.one.hosts({ from: r.instances.hostId, to: r.hosts.id }),
    run: r.one.runs({ from: r.instances.runId, to: r.runs.id }),
    runs: r.many.runs({ from: r.instances.id, to: r.runs.instanceId }),
    operations: r.many.operations(),
    history: r.many.log({ from: r.instances.id, to: r.log.resourceId }),
  },
  runs: {
    solutionVersion: r.one.solutionVersions({
      from: r.runs.solutionVersionId,
      to: r.solutionVersions.id,
    }),
  },
  operations: {
    instance: r.one.instances({ from: r.operations.instanceId, to: r.instances.id }),
    host: r.one.hosts({ from: r.operations.hostId, to: r.hosts.id }),
    containerRepository: r.one.containerRepositories({
      from: r.operations.containerRepositoryId,
      to: r.containerRepositories.id,
    }),
    parent: r.one.operations({ from: r.operations.parentId, to: r.operations.id }),
    children: r.many.operations({ from: r.operations.id, to: r.operations.parentId }),
  },
  log: {
    operation: r.one.operations({ from: r.log.operationId, to: r.operations.id }),
    instance: r.one.instances({ from: r.log.resourceId, to: r.instances.id }),
    host: r.one.hosts({ from: r.log.resourceId, to: r.hosts.id }),
  },
}));
