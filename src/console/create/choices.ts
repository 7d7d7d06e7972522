/** What a new instance can be made of: read from the API, and again when the fleet changes. */
import { signal } from '@preact/signals';
import { request } from '../app/connection.ts';

export interface Named {
  readonly key: string;
  readonly name: string;
}

export interface SolutionChoice extends Named {
  readonly latestVersion: { readonly version: string } | null;
}

export interface HostChoice extends Named {
  readonly state: string;
  readonly size: string;
  readonly dnsName: string;
  readonly removing: boolean;
}

export interface RepositoryChoice extends Named {
  readonly image: string;
  readonly registry: string;
  /** SYNCING: its tags are being read. */
  readonly stateName: string;
  readonly tagsSyncedAt: string | null;
  readonly lastTagSync: {
    readonly progress: number | null;
    readonly failure: { readonly message: string } | null;
  } | null;
  readonly defaultTag: string;
  readonly tags: readonly { readonly name: string }[];
}

export interface DeviceRepositoryChoice extends Named {
  readonly storage: string;
}

export interface SubscriptionChoice extends Named {
  readonly trial: boolean;
}

export interface ProviderChoice extends Named {
  readonly kind: string;
  readonly isDefault: boolean;
  readonly status: {
    /** Null: not asked yet. */
    readonly reachable: boolean | null;
    readonly capacity: { readonly cpus: number } | null;
    readonly allocated: { readonly cpus: number };
  };
}

export interface Choices {
  readonly isLoaded: boolean;
  readonly dnsZone: string;
  readonly solutions: readonly SolutionChoice[];
  readonly hosts: readonly HostChoice[];
  readonly hostCount: number;
  readonly providers: readonly ProviderChoice[];
  readonly repositories: readonly RepositoryChoice[];
  /** The free ones. */
  readonly deviceRepositories: readonly DeviceRepositoryChoice[];
  readonly deviceRepositoryCount: number;
  readonly subscriptions: readonly SubscriptionChoice[];
}

export const choices = signal<Choices>({
  isLoaded: false,
  dnsZone: '',
  solutions: [],
  hosts: [],
  hostCount: 0,
  providers: [],
  repositories: [],
  deviceRepositories: [],
  deviceRepositoryCount: 0,
  subscriptions: [],
});

/** What the lists of hosts and device repositories are searched for, where they are longer than a page. */
export const searched = signal({ host: '', deviceRepository: '' });

interface List<Node> {
  readonly totalCount: number;
  readonly nodes: readonly Node[];
}

const document = `query ($host: String, $devices: String) {
  server { dnsZone }
  solutions(first: 200) { nodes { key name latestVersion { version } } }
  hosts(first: 200, filter: { text: $host }) {
    totalCount nodes { key name state size dnsName removing } }
  computeProviders(first: 200) { nodes {
    key name kind isDefault status { reachable capacity { cpus } allocated { cpus } } } }
  containerRepositories(first: 200) { nodes { key name image defaultTag tags { name }
    registry stateName tagsSyncedAt lastTagSync { progress failure { message } } } }
  deviceRepositories(first: 200, filter: { used: false, text: $devices }) {
    totalCount nodes { key name storage } }
  billingSubscriptions(first: 200) { nodes { key name trial } }
}`;

let reading = 0;

/** Reads them anew. Without an answer what is there stays. */
export async function loadChoices(): Promise<void> {
  reading += 1;
  const mine = reading;
  const { host, deviceRepository } = searched.peek();
  const data = await request<{
    server: { dnsZone: string };
    solutions: List<SolutionChoice>;
    hosts: List<HostChoice>;
    computeProviders: List<ProviderChoice>;
    containerRepositories: List<RepositoryChoice>;
    deviceRepositories: List<DeviceRepositoryChoice>;
    billingSubscriptions: List<SubscriptionChoice>;
  }>(document, { host: host || null, devices: deviceRepository || null }).catch(() => null);
  if (!data || mine !== reading) return;
  choices.value = {
    isLoaded: true,
    dnsZone: data.server.dnsZone,
    solutions: data.solutions.nodes,
    hosts: data.hosts.nodes,
    hostCount: data.hosts.totalCount,
    providers: data.computeProviders.nodes,
    repositories: data.containerRepositories.nodes,
    deviceRepositories: data.deviceRepositories.nodes,
    deviceRepositoryCount: data.deviceRepositories.totalCount,
    subscriptions: data.billingSubscriptions.nodes,
  };
}

/** A setting that a version of a solution declares. */
export interface DeclaredSetting {
  readonly description?: string;
  readonly type: 'STRING' | 'NUMBER' | 'INTEGER' | 'BOOLEAN';
  readonly required?: boolean;
  readonly default?: string | number | boolean;
  readonly secret?: boolean;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly maxLength?: number;
  readonly pattern?: string;
}

export interface ChosenSolution {
  readonly key: string;
  /** As it was asked for; null: the newest. */
  readonly version: string | null;
  readonly versions: readonly string[];
  /** Of the version that the instance would start with now. */
  readonly settings: Readonly<Record<string, DeclaredSetting>>;
}

/** The versions of a solution, and the settings of one of them; null: the newest. */
export async function readSolution(
  key: string,
  version: string | null,
): Promise<ChosenSolution | null> {
  interface Version {
    readonly definition: { readonly settings?: Record<string, DeclaredSetting> };
  }
  const { solution } = await request<{
    solution: {
      versions: List<{ version: string }>;
      latestVersion: Version | null;
      pinned: List<Version>;
    } | null;
  }>(
    `query ($key: ID!, $version: [String!]) { solution(solution: $key) {
      versions(first: 200) { nodes { version } }
      latestVersion { definition }
      pinned: versions(first: 1, filter: { version: $version }) { nodes { definition } } } }`,
    { key, version: version ? [version] : null },
  );
  if (!solution) return null;
  const chosen = version ? solution.pinned.nodes[0] : solution.latestVersion;
  return {
    key,
    version,
    versions: solution.versions.nodes.map((node) => node.version),
    settings: chosen?.definition.settings ?? {},
  };
}
