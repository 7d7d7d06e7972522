/** Closed sets of values that are not part of a state machine; the enums of Postgres and GraphQL. */

/** How an instance is packaged. */
export const editions = ['APP', 'CONTAINER', 'CLUSTER'] as const;
export type Edition = (typeof editions)[number];

export const deploymentTypes = ['MANAGED', 'CLOUD', 'ON_PREMISE'] as const;
export type DeploymentType = (typeof deploymentTypes)[number];

/** CLOUD: through the API. LOCAL: a SQLite database beside the runtime. */
export const storages = ['CLOUD', 'LOCAL'] as const;
export type Storage = (typeof storages)[number];

export const logLevels = ['DEBUG', 'INFO', 'WARN', 'ERROR'] as const;
export type LogLevel = (typeof logLevels)[number];

/** The kinds of log rows. */
export const changeKinds = [
  'TRANSITION',
  'CREATED',
  'UPDATED',
  'ARCHIVED',
  'DESIRED',
  'REACHABILITY',
  'OPERATION',
  'REMOVING',
] as const;
export type ChangeKind = (typeof changeKinds)[number];

/** A container repository is SYNCING while its tags are read from its registry. */
export const repositoryStates = ['READY', 'SYNCING'] as const;
export type RepositoryState = (typeof repositoryStates)[number];

/** What rows of the log are about. */
export const resourceKinds = [
  'INSTANCE',
  'HOST',
  'COMPUTE_PROVIDER',
  'CONTAINER_REPOSITORY',
] as const;
export type LoggedResourceKind = (typeof resourceKinds)[number];
