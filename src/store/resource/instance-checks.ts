/** Checks of the input of an instance: its solution, settings, edition and where it runs. */

import { and, eq, isNull, ne } from 'drizzle-orm';
import { type HostSize, hostSizes } from '../../lifecycle/compute.ts';
import { type Check, named } from '../input/caller.ts';
import { checkOneOf } from '../input/checks.ts';
import { containerRepositories, deviceRepositories, hosts, instances } from '../table/schema.ts';
import {
  type DeploymentType,
  deploymentTypes,
  type Edition,
  type Storage,
  storages,
} from '../table/values.ts';
import { hasTag } from './container-repositories.ts';

export interface AppConfigurationInput {
  edition?: Edition | null;
}

export interface ContainerConfigurationInput {
  deploymentType: DeploymentType;
  workingStorage: Storage;
  imageSize: HostSize;
  /** Id or key. */
  containerRepository: string;
  /** Null: the repository's default tag, which is then stored. */
  containerTag?: string | null;
}

export interface ClusterConfigurationInput extends ContainerConfigurationInput {
  replicas: number;
}

/** Exactly one of the three. */
export interface InstanceConfigurationInput {
  app?: AppConfigurationInput | null;
  container?: ContainerConfigurationInput | null;
  cluster?: ClusterConfigurationInput | null;
}

/** The columns that hold a configuration. */
export interface StoredConfiguration {
  edition: Edition;
  deploymentType: DeploymentType | null;
  workingStorage: Storage | null;
  imageSize: HostSize | null;
  replicas: number | null;
  containerRepositoryId: string | null;
  containerTag: string | null;
}

/** The device repository, which no other instance may have. */
export async function findDeviceRepository(
  { tx, caller, problems }: Check,
  reference: string,
  instanceId: string | null,
): Promise<string | undefined> {
  const [found] = await tx
    .select({ id: deviceRepositories.id, key: deviceRepositories.key })
    .from(deviceRepositories)
    .where(named(deviceRepositories, caller, reference))
    .for('share');
  if (!found) {
    problems.issue(
      'deviceRepository',
      'There is no such device repository: give the id or key of one, or create it with createDeviceRepository.',
    );
    return undefined;
  }
  const [user] = await tx
    .select({ key: instances.key })
    .from(instances)
    .where(
      and(
        eq(instances.deviceRepositoryId, found.id),
        isNull(instances.archivedAt),
        instanceId ? ne(instances.id, instanceId) : undefined,
      ),
    );
  if (user) {
    problems.conflict(
      'deviceRepository',
      'IN_USE',
      `Device repository ${found.key} belongs to instance ${user.key}: give one that is free, or create it with createDeviceRepository.`,
    );
  }
  return found.id;
}

/** The host to share, locked: it comes before its instances, as in a commit. */
export async function findHost({ tx, caller, problems }: Check, reference: string) {
  const [found] = await tx
    .select({ id: hosts.id, key: hosts.key, size: hosts.size, guard: hosts.guard })
    .from(hosts)
    .where(named(hosts, caller, reference))
    .for('update');
  if (!found) {
    problems.issue(
      'host',
      'There is no such host: give the id or key of one, or create it with createHost.',
    );
  }
  return found;
}

/** The configuration as it is stored. Where it is at fault, that is a problem. */
export async function checkConfiguration(
  check: Check,
  input: InstanceConfigurationInput | null | undefined,
): Promise<StoredConfiguration> {
  const { problems } = check;
  const given = [input?.app, input?.container, input?.cluster].filter((one) => one).length;
  if (given !== 1) {
    problems.issue('configuration', 'Give exactly one of app, container and cluster.');
  }
  if (input?.container) return checkImageOf(check, 'container', input.container);
  if (input?.cluster) {
    const { replicas } = input.cluster;
    if (!Number.isInteger(replicas) || replicas < 1 || replicas > 100) {
      problems.issue('configuration.cluster.replicas', 'Give a number from 1 to 100.');
    }
    return { ...(await checkImageOf(check, 'cluster', input.cluster)), replicas };
  }
  if (input?.app?.edition && input.app.edition !== 'APP') {
    problems.issue('configuration.app.edition', 'With app the edition is APP, or left out.');
  }
  return {
    edition: 'APP',
    deploymentType: null,
    workingStorage: null,
    imageSize: null,
    replicas: null,
    containerRepositoryId: null,
    containerTag: null,
  };
}

async function checkImageOf(
  { tx, caller, problems }: Check,
  member: 'container' | 'cluster',
  input: ContainerConfigurationInput,
): Promise<StoredConfiguration> {
  const at = `configuration.${member}`;
  const oneOf = <V extends string>(value: V, field: string, values: readonly V[]): V | null =>
    checkOneOf(problems, value, { path: `${at}.${field}`, values }) ?? null;
  const stored = {
    edition: member === 'container' ? ('CONTAINER' as const) : ('CLUSTER' as const),
    deploymentType: oneOf(input.deploymentType, 'deploymentType', deploymentTypes),
    workingStorage: oneOf(input.workingStorage, 'workingStorage', storages),
    imageSize: oneOf(input.imageSize, 'imageSize', hostSizes),
    replicas: null,
  };
  const [repository] = await tx
    .select()
    .from(containerRepositories)
    .where(named(containerRepositories, caller, input.containerRepository ?? ''))
    .for('share');
  if (!repository) {
    problems.issue(
      `${at}.containerRepository`,
      'There is no such container repository: give the id or key of one, or create it with createContainerRepository.',
    );
    return { ...stored, containerRepositoryId: null, containerTag: null };
  }
  const tag = input.containerTag ?? repository.defaultTag;
  if (!(await hasTag(tx, repository.id, tag))) {
    problems.issue(
      `${at}.containerTag`,
      `Container repository ${repository.key} has no such tag: add it with addContainerTag, or give null for its default, ${repository.defaultTag}.`,
    );
  }
  return { ...stored, containerRepositoryId: repository.id, containerTag: tag };
}
