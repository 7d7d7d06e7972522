/** What the view of an instance reads. */
import { type Resource, resourceFields } from '../resource/model.ts';
import type { Endpoint } from './definition.ts';

export interface Configuration {
  readonly deploymentType?: string;
  readonly workingStorage?: 'CLOUD' | 'LOCAL';
  readonly imageSize?: string;
  readonly replicas?: number;
  readonly containerRepository?: { readonly key: string; readonly name: string };
  readonly containerTag?: string;
}

export interface Instance extends Resource {
  readonly desiredState: string;
  readonly converged: boolean;
  readonly reachability: 'OK' | 'UNKNOWN';
  readonly unreachableBecause: 'HOST' | 'RUNTIME' | null;
  readonly lastSeenAt: string | null;
  readonly takesMessages: boolean | null;
  readonly takesInputCommands: boolean | null;
  readonly edition: string;
  readonly configuration: Configuration;
  readonly settings: Readonly<Record<string, unknown>>;
  readonly solution: {
    readonly key: string;
    readonly name: string;
    readonly latestVersion: { readonly version: string } | null;
  };
  readonly solutionVersion: { readonly version: string } | null;
  readonly run: {
    readonly id: string;
    readonly solutionVersion: { readonly id: string; readonly version: string } | null;
    readonly image: string | null;
    readonly imageDigest: string | null;
    readonly startedAt: string;
    readonly endedAt: string | null;
  } | null;
  /** Null: not known. */
  readonly updateAvailable: boolean | null;
  readonly deviceRepository: {
    readonly key: string;
    readonly name: string;
    readonly storage: 'CLOUD' | 'LOCAL';
  };
  readonly host: {
    readonly id: string;
    readonly key: string;
    readonly state: string;
    readonly removing: boolean;
  } | null;
  readonly endpoints: readonly Endpoint[] | null;
}

const container = `deploymentType workingStorage imageSize containerTag
  containerRepository { key name }`;

export const instanceQuery = `query Instance($key: ID!) {
  detail: instance(instance: $key) {
    ${resourceFields}
    desiredState converged reachability unreachableBecause lastSeenAt takesMessages
    takesInputCommands edition
    configuration {
      ... on ContainerConfiguration { ${container} }
      ... on ClusterConfiguration { ${container} replicas }
    }
    settings
    solution { key name latestVersion { version } }
    solutionVersion { version }
    run { id solutionVersion { id version } image imageDigest startedAt endedAt }
    updateAvailable
    deviceRepository { key name storage }
    host { id key state: stateName removing }
    endpoints { kind name protocol url address port dnsName }
  }
}`;

export const definitionQuery = `query Definition($key: ID!) {
  instance(instance: $key) {
    run { solutionVersion { id definition } }
    solutionVersion { definition }
    solution { latestVersion { definition } }
  }
}`;

export const tagsQuery = `query Tags($key: ID!) {
  containerRepository(containerRepository: $key) { tags { name digest } }
}`;
