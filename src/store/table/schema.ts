/**
 * The tables. Enums come from `lifecycle/` and values.ts. Constraints and triggers enforce the invariants (the
 * triggers are in the custom migration in `drizzle/`).
 */

import { sql } from 'drizzle-orm';
import {
  bigint,
  boolean,
  check,
  doublePrecision,
  foreignKey,
  index,
  integer,
  jsonb,
  pgEnum,
  pgSequence,
  pgTable,
  primaryKey,
  text,
  timestamp,
  unique,
  uniqueIndex,
  uuid,
} from 'drizzle-orm/pg-core';
import { runtimeCommandKinds, workKinds } from '../../lifecycle/change.ts';
import { type ComputeProviderKind, type HostDriver, hostSizes } from '../../lifecycle/compute.ts';
import type { DockerConfiguration } from '../../lifecycle/docker-configuration.ts';
import { hostStates } from '../../lifecycle/host.ts';
import { desiredInstanceStates, instanceStates } from '../../lifecycle/instance.ts';
import {
  operationKinds,
  operationStatuses,
  type RuntimeUpdate,
} from '../../lifecycle/operation.ts';
import { meters } from '../../lifecycle/table-types.ts';
import type { Sealed } from '../secret/keys.ts';
import { active, downHosts } from './state-sets.ts';
import {
  changeKinds,
  deploymentTypes,
  editions,
  logLevels,
  type RepositoryState,
  resourceKinds,
  storages,
} from './values.ts';

export const instanceState = pgEnum('instance_state', instanceStates);
export const desiredInstanceState = pgEnum('desired_instance_state', desiredInstanceStates);
export const hostState = pgEnum('host_state', hostStates);
export const operationStatus = pgEnum('operation_status', operationStatuses);
export const operationKind = pgEnum('operation_kind', operationKinds);
export const resourceKind = pgEnum('resource_kind', resourceKinds);
export const reachability = pgEnum('reachability', ['OK', 'UNKNOWN']);
export const unreachableBecause = pgEnum('unreachable_because', ['HOST', 'RUNTIME']);
export const edition = pgEnum('edition', editions);
export const deploymentType = pgEnum('deployment_type', deploymentTypes);
export const storage = pgEnum('storage', storages);
export const hostSize = pgEnum('host_size', hostSizes);
export const workKind = pgEnum('work_kind', workKinds);
export const runtimeCommandKind = pgEnum('runtime_command_kind', runtimeCommandKinds);
export const changeKind = pgEnum('change_kind', changeKinds);
export const meter = pgEnum('meter', meters);
export const logLevel = pgEnum('log_level', logLevels);
export const accessKeyKind = pgEnum('access_key_kind', ['ADMIN', 'SESSION', 'SIGN_IN_CODE', 'RUN']);

const time = (name: string) => timestamp(name, { withTimezone: true, mode: 'date', precision: 3 });
const big = (name: string) => bigint(name, { mode: 'number' });

/**
 * Columns that every configured resource has. `version` counts edits of the configuration. `key` and
 * `name` have collations of their own, which Drizzle cannot express: the migration `name_order` sets them.
 */
const configured = () => ({
  id: uuid('id').primaryKey(),
  organizationId: uuid('organization_id')
    .notNull()
    .references(() => organizations.id),
  key: text('key').notNull(),
  name: text('name').notNull(),
  description: text('description'),
  version: integer('version').notNull().default(1),
  createdAt: time('created_at').notNull().default(sql`clock_timestamp()`),
  updatedAt: time('updated_at').notNull().default(sql`clock_timestamp()`),
  archivedAt: time('archived_at'),
});

/** One row: the identity of the store. The epoch changes when the store goes back in time. */
export const storeIdentity = pgTable('store_identity', {
  id: integer('id').primaryKey(),
  epoch: uuid('epoch').notNull(),
  /** The key of cursors, and of the name of the notification channel. Never sent to anybody. */
  cursorSecret: text('cursor_secret').notNull(),
  /**
   * Log rows up to this revision may have been deleted. Written in the transaction that deletes.
   */
  prunedThrough: big('pruned_through').notNull().default(0),
  /** The newest time of a deleted log row; null if none was deleted. */
  prunedUntil: time('pruned_until'),
  /** The place of the data when it was last opened; see log/epoch.ts. */
  lineage: text('lineage'),
  createdAt: time('created_at').notNull().default(sql`clock_timestamp()`),
});

export const organizations = pgTable('organizations', {
  id: uuid('id').primaryKey(),
  key: text('key').notNull().unique(),
  name: text('name').notNull(),
  createdAt: time('created_at').notNull().default(sql`clock_timestamp()`),
});

/** Tokens, sessions, single-use codes and the keys of runs; of each only a SHA-256 is kept. */
export const accessKeys = pgTable(
  'access_keys',
  {
    id: uuid('id').primaryKey(),
    organizationId: uuid('organization_id')
      .notNull()
      .references(() => organizations.id),
    kind: accessKeyKind('kind').notNull(),
    hash: text('hash').notNull().unique(),
    name: text('name').notNull(),
    runId: uuid('run_id'),
    instanceId: uuid('instance_id'),
    createdAt: time('created_at').notNull().default(sql`clock_timestamp()`),
    expiresAt: time('expires_at'),
    revokedAt: time('revoked_at'),
  },
  (t) => [index('access_keys_run').on(t.runId)],
);

export const solutions = pgTable(
  'solutions',
  { ...configured(), definition: jsonb('definition').$type<Record<string, unknown>>() },
  (t) => [unique('solutions_key').on(t.organizationId, t.key)],
);

export const solutionVersions = pgTable(
  'solution_versions',
  {
    id: uuid('id').primaryKey(),
    organizationId: uuid('organization_id').notNull(),
    solutionId: uuid('solution_id')
      .notNull()
      .references(() => solutions.id),
    version: text('version').notNull(),
    /** Order of publication within the solution, from 1; the greatest is the newest. */
    ordinal: integer('ordinal').notNull(),
    definition: jsonb('definition').$type<Record<string, unknown>>().notNull(),
    publishedAt: time('published_at').notNull().default(sql`clock_timestamp()`),
  },
  (t) => [
    unique('solution_versions_version').on(t.solutionId, t.version),
    unique('solution_versions_ordinal').on(t.solutionId, t.ordinal),
  ],
);

export const containerRepositories = pgTable(
  'container_repositories',
  {
    ...configured(),
    image: text('image').notNull(),
    defaultTag: text('default_tag').notNull(),
    /** Who the registry is asked as; null: anybody. */
    username: text('username'),
    password: jsonb('password').$type<Sealed>(),
    insecure: boolean('insecure').notNull().default(false),
    state: text('state').$type<RepositoryState>().notNull().default('READY'),
    /** Counts the changes of `state`. */
    sequence: integer('sequence').notNull().default(0),
    /** When its tags were last read from its registry. */
    tagsSyncedAt: time('tags_synced_at'),
  },
  (t) => [unique('container_repositories_key').on(t.organizationId, t.key)],
);

export const containerTags = pgTable(
  'container_tags',
  {
    id: uuid('id').primaryKey(),
    organizationId: uuid('organization_id').notNull(),
    repositoryId: uuid('repository_id')
      .notNull()
      .references(() => containerRepositories.id),
    tag: text('tag').notNull(),
    createdAt: time('created_at').notNull().default(sql`clock_timestamp()`),
    /** What it named when it was last read from the registry; null: it was not there, or never read. */
    digest: text('digest'),
    imageCreatedAt: time('image_created_at'),
    sizeBytes: big('size_bytes'),
  },
  (t) => [unique('container_tags_tag').on(t.repositoryId, t.tag)],
);

export const deviceRepositories = pgTable(
  'device_repositories',
  { ...configured(), storage: storage('storage').notNull() },
  (t) => [unique('device_repositories_key').on(t.organizationId, t.key)],
);

/** The last value of each field of each device, where the repository's storage is CLOUD. */
export const deviceValues = pgTable(
  'device_values',
  {
    deviceRepositoryId: uuid('device_repository_id')
      .notNull()
      .references(() => deviceRepositories.id),
    device: text('device').notNull(),
    field: text('field').notNull(),
    value: jsonb('value').notNull(),
    /** By the clock of the runtime's host: shown, and compared with nothing. */
    at: time('at').notNull(),
    receivedAt: time('received_at').notNull().default(sql`clock_timestamp()`),
    /** `runs.ordinal` of the run in which it was taken, and its place there: the greatest is the last. */
    runOrdinal: big('run_ordinal').notNull().default(0),
    number: big('number').notNull().default(0),
  },
  (t) => [primaryKey({ columns: [t.deviceRepositoryId, t.device, t.field] })],
);

export const billingSubscriptions = pgTable(
  'billing_subscriptions',
  { ...configured(), trial: boolean('trial').notNull().default(false) },
  (t) => [unique('billing_subscriptions_key').on(t.organizationId, t.key)],
);

/**
 * What hosts are allocated on. A trigger gives every organization its provider `local` (the migration
 * `compute_providers`).
 */
export const computeProviders = pgTable(
  'compute_providers',
  {
    ...configured(),
    labels: jsonb('labels').$type<Record<string, string>>().notNull().default({}),
    kind: text('kind').$type<ComputeProviderKind>().notNull(),
    /** What is no secret of it; empty for PROCESS. */
    configuration: jsonb('configuration')
      .$type<StoredProviderConfiguration>()
      .notNull()
      .default({}),
    /** What is a secret of it, sealed; null: nothing is. */
    secrets: jsonb('secrets').$type<Sealed>(),
    isDefault: boolean('is_default').notNull().default(false),
    /** What its last check found; null: it was never checked. */
    status: jsonb('status').$type<StoredProviderStatus>(),
    /** A server that has its driver asks it then. */
    checkDueAt: time('check_due_at').notNull().default(sql`clock_timestamp()`),
    /** At the first check after this, what the provider holds is compared with the store. */
    sweepDueAt: time('sweep_due_at').notNull().default(sql`clock_timestamp()`),
  },
  (t) => [
    unique('compute_providers_key').on(t.organizationId, t.key),
    uniqueIndex('compute_providers_default').on(t.organizationId).where(sql`is_default`),
    check('compute_providers_default_live', sql`not is_default or archived_at is null`),
  ],
);

/** The closed sets of edges, filled at the start from `lifecycle/`. */
export const instanceEdges = pgTable(
  'instance_edges',
  { from: instanceState('from_state').notNull(), to: instanceState('to_state').notNull() },
  (t) => [primaryKey({ columns: [t.from, t.to] })],
);
export const hostEdges = pgTable(
  'host_edges',
  { from: hostState('from_state').notNull(), to: hostState('to_state').notNull() },
  (t) => [primaryKey({ columns: [t.from, t.to] })],
);

export const hosts = pgTable(
  'hosts',
  {
    ...configured(),
    labels: jsonb('labels').$type<Record<string, string>>().notNull().default({}),
    providerId: uuid('provider_id')
      .notNull()
      .references(() => computeProviders.id),
    /** The kind of its provider. */
    driver: text('driver').$type<HostDriver>().notNull(),
    size: hostSize('size').notNull(),
    dnsName: text('dns_name').notNull(),
    subscriptionId: uuid('subscription_id').references(() => billingSubscriptions.id),
    state: hostState('state').notNull().default('OFFLINE'),
    previousState: hostState('previous_state'),
    stateSince: time('state_since').notNull().default(sql`clock_timestamp()`),
    sequence: integer('sequence').notNull().default(0),
    guard: big('guard').notNull().default(0),
    lastTransition: jsonb('last_transition').$type<LastTransition>(),
    up: boolean('up')
      .notNull()
      .generatedAlwaysAs(sql.raw(`state not in ${downHosts}`)),
    removing: boolean('removing').notNull().default(false),
    failedStage: hostState('failed_stage'),
    failure: jsonb('failure').$type<StoredFailure>(),
    handle: jsonb('handle').$type<Record<string, unknown>>(),
    address: text('address'),
    imageDigest: text('image_digest'),
    lastCheckAt: time('last_check_at'),
    lastOkAt: time('last_ok_at'),
  },
  (t) => [
    unique('hosts_key').on(t.organizationId, t.key),
    unique('hosts_dns_name').on(t.dnsName),
    unique('hosts_up').on(t.id, t.up),
    index('hosts_list').on(t.organizationId, t.createdAt, t.id),
    index('hosts_provider').on(t.providerId),
    foreignKey({
      name: 'hosts_edge',
      columns: [t.previousState, t.state],
      foreignColumns: [hostEdges.from, hostEdges.to],
    }),
    check('hosts_new', sql`sequence > 0 or state = 'OFFLINE'`),
  ],
);

/** One check of a host's health. */
export interface HostCheck {
  /** ISO 8601. */
  readonly at: string;
  readonly answered: boolean;
}

/** Beside its host, so that whoever reads a host does not read its checks. */
export const hostChecks = pgTable('host_checks', {
  hostId: uuid('host_id')
    .primaryKey()
    .references(() => hosts.id, { onDelete: 'cascade' }),
  /** The newest ones, newest first. */
  checks: jsonb('checks').$type<readonly HostCheck[]>().notNull(),
});

export const instances = pgTable(
  'instances',
  {
    ...configured(),
    labels: jsonb('labels').$type<Record<string, string>>().notNull().default({}),
    settings: jsonb('settings').$type<Record<string, unknown>>().notNull().default({}),
    /** The settings that are never shown: each was declared as a secret while it had its present value. */
    secretSettings: jsonb('secret_settings').$type<string[]>().notNull().default([]),
    solutionId: uuid('solution_id')
      .notNull()
      .references(() => solutions.id),
    solutionVersionId: uuid('solution_version_id').references(() => solutionVersions.id),
    subscriptionId: uuid('subscription_id')
      .notNull()
      .references(() => billingSubscriptions.id),
    deviceRepositoryId: uuid('device_repository_id')
      .notNull()
      .references(() => deviceRepositories.id),
    hostId: uuid('host_id').references(() => hosts.id),
    edition: edition('edition').notNull(),
    deploymentType: deploymentType('deployment_type'),
    workingStorage: storage('working_storage'),
    imageSize: hostSize('image_size'),
    replicas: integer('replicas'),
    containerRepositoryId: uuid('container_repository_id').references(
      () => containerRepositories.id,
    ),
    containerTag: text('container_tag'),
    /** The next start asks the registry what the tag means; else it runs the digest of the last run. */
    asksTag: boolean('asks_tag').notNull().default(false),
    state: instanceState('state').notNull().default('OFFLINE'),
    previousState: instanceState('previous_state'),
    stateSince: time('state_since').notNull().default(sql`clock_timestamp()`),
    sequence: integer('sequence').notNull().default(0),
    guard: big('guard').notNull().default(0),
    lastTransition: jsonb('last_transition').$type<LastTransition>(),
    desired: desiredInstanceState('desired').notNull().default('RUNNING'),
    reachability: reachability('reachability').notNull().default('OK'),
    unreachableBecause: unreachableBecause('unreachable_because'),
    lastSeenAt: time('last_seen_at'),
    counters: jsonb('counters').$type<Record<string, number>>(),
    failure: jsonb('failure').$type<StoredFailure>(),
    runId: uuid('run_id'),
    runtimeGone: boolean('runtime_gone').notNull().default(true),
    endpoints: jsonb('endpoints').$type<StoredEndpoint[]>(),
    liveHostId: uuid('live_host_id').generatedAlwaysAs(
      sql`case when state <> 'OFFLINE' then host_id end`,
    ),
    liveUp: boolean('live_up').generatedAlwaysAs(sql`case when state <> 'OFFLINE' then true end`),
  },
  (t) => [
    unique('instances_key').on(t.organizationId, t.key),
    index('instances_list').on(t.organizationId, t.createdAt, t.id),
    index('instances_host').on(t.hostId),
    uniqueIndex('instances_device_repository')
      .on(t.deviceRepositoryId)
      .where(sql`archived_at is null`),
    // No index on the state: each transition would then rewrite the row in every index.
    index('instances_silent').on(t.lastSeenAt).where(sql`reachability = 'OK' and live_up`),
    foreignKey({
      name: 'instances_edge',
      columns: [t.previousState, t.state],
      foreignColumns: [instanceEdges.from, instanceEdges.to],
    }),
    foreignKey({
      name: 'instances_host_up',
      columns: [t.liveHostId, t.liveUp],
      foreignColumns: [hosts.id, hosts.up],
    }),
    check('instances_new', sql`sequence > 0 or state = 'OFFLINE'`),
    check('instances_live_host', sql`state = 'OFFLINE' or host_id is not null`),
  ],
);

/** What one start of an instance resolved. The key of a run is invalid once the run has ended. */
export const runs = pgTable(
  'runs',
  {
    id: uuid('id').primaryKey(),
    organizationId: uuid('organization_id').notNull(),
    instanceId: uuid('instance_id')
      .notNull()
      .references(() => instances.id),
    solutionVersionId: uuid('solution_version_id').references(() => solutionVersions.id),
    image: text('image'),
    imageTag: text('image_tag'),
    imageDigest: text('image_digest'),
    startedAt: time('started_at').notNull(),
    endedAt: time('ended_at'),
    /** The order of runs is that of their starts. */
    ordinal: big('ordinal').notNull().generatedAlwaysAsIdentity(),
    /** Where values that were taken in it belong; null of runs from before this column. */
    deviceRepositoryId: uuid('device_repository_id').references(() => deviceRepositories.id),
    /** The number of the last line of its log that was kept; greater ones are new. */
    lastLogNumber: bigint('last_log_number', { mode: 'number' }).notNull().default(0),
  },
  (t) => [index('runs_instance').on(t.instanceId, t.startedAt)],
);

export const operations = pgTable(
  'operations',
  {
    id: uuid('id').primaryKey(),
    organizationId: uuid('organization_id').notNull(),
    kind: operationKind('kind').notNull(),
    status: operationStatus('status').notNull(),
    phase: text('phase'),
    progress: doublePrecision('progress'),
    resourceKind: resourceKind('resource_kind')
      .$type<'INSTANCE' | 'HOST' | 'CONTAINER_REPOSITORY'>()
      .notNull(),
    instanceId: uuid('instance_id').references(() => instances.id),
    hostId: uuid('host_id').references(() => hosts.id),
    containerRepositoryId: uuid('container_repository_id').references(
      () => containerRepositories.id,
    ),
    requestedBy: jsonb('requested_by').$type<{ kind: string; name: string }>().notNull(),
    reason: text('reason'),
    parentId: uuid('parent_id'),
    failure: jsonb('failure').$type<StoredFailure>(),
    /** Of an update of a live instance. */
    runtimeUpdate: jsonb('runtime_update').$type<RuntimeUpdate>(),
    createdAt: time('created_at').notNull(),
    startedAt: time('started_at'),
    endedAt: time('ended_at'),
    deadlineAt: time('deadline_at'),
  },
  (t) => [
    // Partial indexes: otherwise the planner may choose the other index and scan all of it.
    uniqueIndex('operations_active_instance')
      .on(t.instanceId)
      .where(sql.raw(`status in ${active} and instance_id is not null`)),
    uniqueIndex('operations_active_host')
      .on(t.hostId)
      .where(sql.raw(`status in ${active} and host_id is not null`)),
    uniqueIndex('operations_active_container_repository')
      .on(t.containerRepositoryId)
      .where(sql.raw(`status in ${active} and container_repository_id is not null`)),
    index('operations_list').on(t.organizationId, t.createdAt, t.id),
    index('operations_instance').on(t.instanceId, t.createdAt),
    index('operations_host').on(t.hostId, t.createdAt),
    index('operations_container_repository').on(t.containerRepositoryId, t.createdAt),
    index('operations_parent').on(t.parentId),
    check(
      'operations_resource',
      sql`num_nonnulls(instance_id, host_id, container_repository_id) = 1`,
    ),
  ],
);

/** What the executor has to do; one item of a kind per resource. `token` fences its holder. */
export const work = pgTable(
  'work',
  {
    resourceId: uuid('resource_id').notNull(),
    kind: workKind('kind').notNull(),
    organizationId: uuid('organization_id').notNull(),
    resourceKind: resourceKind('resource_kind').notNull(),
    operationId: uuid('operation_id'),
    runId: uuid('run_id'),
    sequence: integer('sequence').notNull(),
    /** The driver of its host: servers without that driver leave the item to others. */
    driver: text('driver').$type<HostDriver>(),
    dueAt: timestamp('due_at', { withTimezone: true, mode: 'date' }).notNull(),
    attempt: integer('attempt').notNull().default(0),
    firstCause: jsonb('first_cause').$type<StoredFailure>(),
    worker: big('worker'),
    token: big('token'),
  },
  (t) => [
    primaryKey({ columns: [t.resourceId, t.kind] }),
    index('work_due').on(t.dueAt).where(sql`worker is null`),
    index('work_worker').on(t.worker).where(sql`worker is not null`),
  ],
);

/**
 * The greatest fencing token that a driver has seen of a subject, of drivers whose engine cannot keep it. A row
 * that has not been raised for days fences nothing any more.
 */
export const driverFences = pgTable('driver_fences', {
  subject: text('subject').primaryKey(),
  token: big('token').notNull(),
  raisedAt: time('raised_at').notNull().default(sql`clock_timestamp()`),
});

/** One row per worker. Each heartbeat increments `beat`. A restarted process is another worker. */
export const workers = pgTable('workers', {
  id: big('id').primaryKey(),
  name: text('name').notNull(),
  beat: big('beat').notNull().default(0),
  dead: boolean('dead').notNull().default(false),
  /** A session of its own holds its advisory lock; a worker without that session is dead. */
  holdsLock: boolean('holds_lock').notNull().default(false),
  startedAt: time('started_at').notNull().default(sql`clock_timestamp()`),
});

export const fencingTokens = pgSequence('fencing_tokens', { cache: 1 });
export const workerIds = pgSequence('worker_ids', { cache: 1 });
/** CACHE 1: the reader of the log relies on revisions being drawn in order of the locks. */
export const logRevisions = pgSequence('log_revisions', { cache: 1 });

/** What the API asks of a run's runtime, in order. Open until completed. */
export const runtimeCommands = pgTable(
  'runtime_commands',
  {
    id: uuid('id').primaryKey(),
    ordinal: bigint('ordinal', { mode: 'number' }).generatedAlwaysAsIdentity(),
    organizationId: uuid('organization_id').notNull(),
    instanceId: uuid('instance_id').notNull(),
    runId: uuid('run_id').notNull(),
    kind: runtimeCommandKind('kind').notNull(),
    payload: jsonb('payload').$type<Record<string, unknown>>().notNull(),
    createdAt: time('created_at').notNull(),
    completedAt: time('completed_at'),
    outcome: text('outcome').$type<'DONE' | 'FAILED'>(),
    message: text('message'),
  },
  (t) => [index('runtime_commands_run').on(t.runId, t.ordinal)],
);

/**
 * The log: every transition and every other change of a resource, appended in the statement that
 * makes it. One revision a transaction, `place` within it. See feed/.
 */
export const log = pgTable(
  'log',
  {
    revision: big('revision').notNull().default(sql`nextval('log_revisions')`),
    place: integer('place').notNull().default(0),
    organizationId: uuid('organization_id').notNull(),
    kind: changeKind('kind').notNull(),
    resourceKind: resourceKind('resource_kind').notNull(),
    resourceId: uuid('resource_id').notNull(),
    /** The resource's sequence after this change. */
    sequence: integer('sequence').notNull(),
    instanceFrom: instanceState('instance_from'),
    instanceTo: instanceState('instance_to'),
    hostFrom: hostState('host_from'),
    hostTo: hostState('host_to'),
    at: time('at').notNull(),
    operationId: uuid('operation_id'),
    causedByOperationId: uuid('caused_by_operation_id'),
    causedByResourceId: uuid('caused_by_resource_id'),
    causedBySequence: integer('caused_by_sequence'),
    actor: jsonb('actor').$type<{ kind: string; name: string }>().notNull(),
    details: jsonb('details').$type<Record<string, unknown>>().notNull().default({}),
  },
  (t) => [
    primaryKey({ columns: [t.revision, t.place] }),
    uniqueIndex('log_history').on(t.resourceId, t.sequence).where(sql`kind = 'TRANSITION'`),
    index('log_organization').on(t.organizationId, t.revision),
    // The stream of one resource; without it, it would read what all others wrote.
    index('log_resource').on(t.resourceId, t.revision, t.place),
    foreignKey({
      name: 'log_instance_edge',
      columns: [t.instanceFrom, t.instanceTo],
      foreignColumns: [instanceEdges.from, instanceEdges.to],
    }),
    foreignKey({
      name: 'log_host_edge',
      columns: [t.hostFrom, t.hostTo],
      foreignColumns: [hostEdges.from, hostEdges.to],
    }),
    check(
      'log_transition',
      sql`(kind = 'TRANSITION') = (num_nonnulls(instance_from, instance_to, host_from, host_to) = 2)`,
    ),
  ],
);

export const dnsRecords = pgTable('dns_records', {
  name: text('name').primaryKey(),
  organizationId: uuid('organization_id').notNull(),
  hostId: uuid('host_id').notNull(),
  address: text('address').notNull(),
  ttlSeconds: integer('ttl_seconds').notNull(),
  updatedAt: time('updated_at').notNull().default(sql`clock_timestamp()`),
  /** When the name server answered with it, kept here when the log row of that is deleted. */
  confirmedAt: time('confirmed_at'),
});

export const meteringIntervals = pgTable(
  'metering_intervals',
  {
    id: uuid('id').primaryKey(),
    organizationId: uuid('organization_id').notNull(),
    meter: meter('meter').notNull(),
    resourceKind: resourceKind('resource_kind').notNull(),
    resourceId: uuid('resource_id').notNull(),
    openedAt: time('opened_at').notNull(),
    openedSequence: integer('opened_sequence').notNull(),
    closedAt: time('closed_at'),
    closedSequence: integer('closed_sequence'),
    /** Not with a trial subscription; of instances only MANAGED deployments. */
    priced: boolean('priced').notNull(),
  },
  (t) => [
    uniqueIndex('metering_intervals_open').on(t.resourceId).where(sql`closed_at is null`),
    index('metering_intervals_resource').on(t.resourceId, t.openedAt),
  ],
);

export const runtimeLogs = pgTable(
  'runtime_logs',
  {
    id: bigint('id', { mode: 'number' }).primaryKey().generatedAlwaysAsIdentity(),
    organizationId: uuid('organization_id').notNull(),
    instanceId: uuid('instance_id').notNull(),
    runId: uuid('run_id').notNull(),
    /** Rises within the run. The order of ids is that of the runs, and of the numbers in each. */
    number: bigint('number', { mode: 'number' }).notNull(),
    at: time('at').notNull(),
    level: logLevel('level').notNull(),
    text: text('text').notNull(),
    /** The line is kept beside the runtime; this copy is deleted with the watch that it was sent for. */
    isCopy: boolean('is_copy').notNull().default(false),
  },
  (t) => [index('runtime_logs_instance').on(t.instanceId, t.id)],
);

/** Somebody reads a log that is kept beside its runtime. See command/log-watches.ts. */
export const logWatches = pgTable('log_watches', {
  id: uuid('id').notNull(),
  instanceId: uuid('instance_id')
    .primaryKey()
    .references(() => instances.id),
  watchedUntil: time('watched_until').notNull(),
  /** The run that has sent its newest lines, and sends each new one. */
  followedRunId: uuid('followed_run_id'),
});

/** A caller's key for one mutation: the same key and input answer the same for 24 hours. */
export const idempotencyKeys = pgTable(
  'idempotency_keys',
  {
    organizationId: uuid('organization_id').notNull(),
    caller: text('caller').notNull(),
    field: text('field').notNull(),
    key: text('key').notNull(),
    inputHash: text('input_hash').notNull(),
    operationId: uuid('operation_id'),
    resourceId: uuid('resource_id'),
    createdAt: time('created_at').notNull().default(sql`clock_timestamp()`),
  },
  (t) => [primaryKey({ columns: [t.organizationId, t.caller, t.field, t.key] })],
);

export interface StoredFailure {
  code: string;
  message: string;
  stage: string;
  exitCode: number | null;
  retryable: boolean;
  logTail: string | null;
  at?: string;
  operationId?: string | null;
  sequence?: number | null;
}

export type StoredProviderConfiguration = Record<string, never> | DockerConfiguration;

export interface StoredProviderStatus {
  reachable: boolean;
  /** ISO 8601. */
  checkedAt: string;
  /** Of the last check, if it failed. */
  failure: StoredFailure | null;
  /** As it was last seen; absent before it was ever reached. */
  version?: string;
  platform?: string;
  capacity?: { cpus: number; memoryBytes: number };
}

export interface LastTransition {
  from: string;
  to: string;
  at: string;
  operationId: string | null;
}

export interface StoredEndpoint {
  kind: 'MESSAGES' | 'INPUT_COMMANDS';
  name: string;
  protocol: string;
  address: string;
  port: number;
  path: string;
}
