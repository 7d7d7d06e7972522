/** What the view of a host reads. */
import { type Resource, resourceFields } from '../resource/model.ts';

export interface HostInstance {
  readonly id: string;
  readonly key: string;
  readonly name: string;
  readonly state: string;
  readonly stateSince: string;
  readonly desiredState: string;
  readonly reachability: string;
  readonly activeOperation: { readonly kind: string } | null;
}

export interface Host extends Resource {
  readonly driver: string;
  readonly provider: { readonly key: string; readonly name: string };
  readonly failedStage: string | null;
  readonly removing: boolean;
  readonly size: string;
  readonly address: string | null;
  readonly dnsName: string;
  readonly capacity: {
    readonly cpus: number;
    readonly memoryBytes: number;
    readonly allocatedCpus: number;
    readonly allocatedMemoryBytes: number;
  };
  readonly dnsRecord: {
    readonly name: string;
    readonly type: string;
    readonly address: string;
    readonly ttlSeconds: number;
    readonly confirmedAt: string | null;
  } | null;
  /** Newest first. */
  readonly healthChecks: readonly { readonly at: string; readonly answered: boolean }[];
  readonly lastCheckAt: string | null;
  readonly lastOkAt: string | null;
  readonly billedSince: string | null;
  readonly instances: { readonly totalCount: number; readonly nodes: readonly HostInstance[] };
}

export const hostQuery = `query Host($key: ID!) {
  detail: host(host: $key) {
    ${resourceFields}
    driver provider { key name } failedStage removing size address dnsName
    capacity { cpus memoryBytes allocatedCpus allocatedMemoryBytes }
    dnsRecord { name type address ttlSeconds confirmedAt }
    healthChecks { at answered } lastCheckAt lastOkAt billedSince
    instances(first: 200) {
      totalCount
      nodes {
        id key name state: stateName stateSince desiredState reachability activeOperation { kind }
      }
    }
  }
}`;
