/** Compute providers: what hosts are allocated on. Their secrets are sealed, and never shown. */
import { isIP } from 'node:net';
import { and, eq } from 'drizzle-orm';
import { localProvider } from '../../lifecycle/compute.ts';
import {
  type DockerConfiguration,
  type DockerSecrets,
  dockerFaults,
  impliedAddress,
  isPrivateKey,
} from '../../lifecycle/docker-configuration.ts';
import { type Caller, named, type ResourceStore, type Transaction } from '../input/caller.ts';
import { checkLabels, checkNotCleared, type LabelInput } from '../input/checks.ts';
import {
  conflict,
  type GuardedInput,
  NotSaved,
  type Problems,
  type SaveResult,
} from '../input/save-result.ts';
import { type Sealed, SecretError } from '../secret/keys.ts';
import { providerPlace } from '../secret/provider.ts';
import { computeProviders, hosts } from '../table/schema.ts';
import {
  type CreateEntryInput,
  createEntry,
  deleteEntry,
  type UpdateEntryInput,
  updateEntry,
} from './catalogue.ts';
import type { Logged } from './save.ts';
import { usedBy, usersOf } from './usage.ts';

export interface DockerInput {
  endpoint: string;
  tls?: {
    caCertificate: string;
    clientCertificate?: string | null;
    /** Null in an update: that of before. */
    clientKey?: string | null;
  } | null;
  insecure?: boolean | null;
  /** Null: what the endpoint implies. */
  publishAddress?: string | null;
}

/** Exactly one; `local` has no input of its kind. */
export interface ProviderConfigurationInput {
  docker?: DockerInput | null;
}

interface ProviderFields {
  labels?: readonly LabelInput[] | null;
  default?: boolean | null;
}

export interface CreateComputeProviderInput extends CreateEntryInput, ProviderFields {
  configuration: ProviderConfigurationInput;
}

export interface UpdateComputeProviderInput extends UpdateEntryInput, ProviderFields {
  /** Id or key. */
  computeProvider: string;
  configuration?: ProviderConfigurationInput | null;
}

export interface DeleteComputeProviderInput extends GuardedInput {
  /** Id or key. */
  computeProvider: string;
}

type Provider = typeof computeProviders.$inferSelect;

const kind = {
  table: computeProviders,
  entity: 'COMPUTE_PROVIDER',
  logged: 'COMPUTE_PROVIDER',
} as const;

export function createComputeProvider(
  store: ResourceStore,
  caller: Caller,
  input: CreateComputeProviderInput,
): Promise<SaveResult> {
  return createEntry(store, caller, {
    ...kind,
    field: 'createComputeProvider',
    input,
    async columns({ tx, problems, others, id }) {
      const labels = checkLabels(problems, input.labels);
      const docker = input.configuration.docker;
      if (!docker) problems.issue('configuration', 'Give exactly one: docker.');
      const given = docker
        ? dockerColumns(store, problems, { input: docker, id, before: null })
        : {};
      if (input.default && !problems.any) others.push(...(await clearDefault(tx, caller)));
      return { ...given, kind: 'DOCKER' as const, labels, isDefault: input.default ?? false };
    },
  });
}

export function updateComputeProvider(
  store: ResourceStore,
  caller: Caller,
  input: UpdateComputeProviderInput,
): Promise<SaveResult> {
  return updateEntry(store, caller, {
    ...kind,
    field: 'updateComputeProvider',
    input,
    reference: input.computeProvider,
    required: ['configuration', 'default'],
    async columns(current, { tx, problems, others }) {
      checkNotCleared(problems, input.configuration ?? {}, ['docker']);
      const labels = input.labels === undefined ? undefined : checkLabels(problems, input.labels);
      const docker = input.configuration?.docker;
      if (docker && current.kind !== 'DOCKER') {
        problems.issue(
          'configuration',
          `${current.key} is a ${current.kind} provider, and stays one.`,
        );
      }
      const given =
        docker && current.kind === 'DOCKER'
          ? dockerColumns(store, problems, { input: docker, id: current.id, before: current })
          : {};
      if (input.default === false && current.isDefault) {
        problems.issue('default', 'One provider is the default: make another one that.');
      }
      if (input.default && !current.isDefault && !problems.any) {
        others.push(...(await clearDefault(tx, caller)));
      }
      const isDefault = input.default ? true : undefined;
      return { ...given, labels, isDefault };
    },
  });
}

/** Archives a provider without hosts. `local` stays, and the default does. */
export function deleteComputeProvider(
  store: ResourceStore,
  caller: Caller,
  input: DeleteComputeProviderInput,
): Promise<SaveResult> {
  return deleteEntry(store, caller, {
    ...kind,
    field: 'deleteComputeProvider',
    input,
    reference: input.computeProvider,
    async expectUnused({ id, key, isDefault }, tx) {
      const refuse = (message: string) => {
        throw new NotSaved(conflict('IN_USE', message));
      };
      if (key === localProvider.key) refuse('The provider local is built in and stays.');
      const users = await usersOf(tx, hosts, eq(hosts.providerId, id));
      if (users.length > 0) {
        refuse(`It has ${usedBy('host', users)}: remove and delete them first.`);
      }
      if (isDefault) refuse('It is the default of new hosts: make another provider that first.');
      await tx.update(computeProviders).set({ secrets: null }).where(eq(computeProviders.id, id));
    },
  });
}

/** One provider of an organization is the default: the present one is no longer. */
async function clearDefault(tx: Transaction, { organizationId }: Caller): Promise<Logged[]> {
  const former = await tx
    .update(computeProviders)
    .set({ isDefault: false })
    .where(and(eq(computeProviders.organizationId, organizationId), computeProviders.isDefault))
    .returning({ id: computeProviders.id, sequence: computeProviders.version });
  return former.map((each) => ({ ...each, kind: 'UPDATED', resource: 'COMPUTE_PROVIDER' }));
}

interface DockerColumns {
  configuration: DockerConfiguration;
  secrets: Sealed | null;
  status: null;
  checkDueAt: Date;
}

/** The columns of a configuration, its secrets sealed. Where it is at fault, that is a problem. */
function dockerColumns(
  { secretKeys: keys, publicUrl }: ResourceStore,
  problems: Problems,
  { input, id, before }: { input: DockerInput; id: string; before: Provider | null },
): DockerColumns {
  const { endpoint, tls, insecure } = input;
  const isIp = (text: string) => isIP(text) !== 0;
  const configuration: DockerConfiguration = {
    endpoint,
    tls: tls
      ? { caCertificate: tls.caCertificate, clientCertificate: tls.clientCertificate ?? null }
      : null,
    insecure: insecure ?? false,
    publishAddress: input.publishAddress ?? impliedAddress(endpoint, isIp) ?? '',
  };
  const keyOfBefore = tls?.clientCertificate ? (before?.secrets ?? null) : null;
  const clientKey = tls?.clientKey;
  const hasKey = Boolean(clientKey ?? keyOfBefore);
  for (const { path, message } of dockerFaults(configuration, { hasKey, isIp, publicUrl })) {
    problems.issue(`configuration.docker.${path}`, message);
  }
  const at = 'configuration.docker.tls.clientKey';
  if (clientKey && !isPrivateKey(clientKey)) {
    problems.issue(at, 'Give a private key in PEM, without a passphrase.');
  }
  let secrets = keyOfBefore;
  try {
    const secret: DockerSecrets | null = clientKey ? { clientKey } : null;
    if (secret) secrets = keys.seal(secret, providerPlace(id));
  } catch (error) {
    if (!(error instanceof SecretError)) throw error;
    problems.issue(at, error.message);
  }
  return { configuration, secrets, status: null, checkDueAt: new Date(0) };
}

/** The provider for a new host: the one that is named, else the default. Undefined: a problem was added. */
export async function findProvider(
  tx: Transaction,
  problems: Problems,
  {
    caller,
    reference,
    path,
  }: { caller: Caller; reference: string | null | undefined; path: string },
): Promise<Pick<Provider, 'id' | 'key' | 'kind'> | undefined> {
  const { organizationId } = computeProviders;
  const where = reference
    ? named(computeProviders, caller, reference)
    : and(eq(organizationId, caller.organizationId), computeProviders.isDefault);
  const { id, key, kind: kindColumn } = computeProviders;
  const [found] = await tx
    .select({ id, key, kind: kindColumn })
    .from(computeProviders)
    .where(where)
    .for('share');
  if (!found) {
    problems.issue(
      path,
      'There is no such compute provider: give the id or key of one, or create it with createComputeProvider.',
    );
  }
  return found;
}
