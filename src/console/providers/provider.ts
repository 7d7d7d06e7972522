/** What the view of the compute providers reads and sends. */
import { newIdempotencyKey, request } from '../app/connection.ts';

export interface Resources {
  readonly cpus: number;
  readonly memoryBytes: number;
}

export interface Provider {
  readonly key: string;
  readonly name: string;
  readonly kind: string;
  readonly description: string | null;
  readonly isDefault: boolean;
  readonly version: number;
  readonly configuration: {
    readonly endpoint?: string;
    readonly publishAddress?: string;
    readonly insecure?: boolean;
    readonly tls?: { readonly clientCertificate: string | null } | null;
  };
  readonly hasCredentials: boolean;
  readonly hosts: {
    readonly totalCount: number;
    readonly nodes: readonly { readonly key: string; readonly state: string }[];
  };
  readonly status: {
    /** Null: not asked yet. */
    readonly reachable: boolean | null;
    readonly version: string | null;
    readonly checkedAt: string | null;
    readonly failure: { readonly code: string; readonly message: string } | null;
    readonly capacity: Resources | null;
    readonly allocated: Resources;
    readonly nodes: readonly { readonly platform: string }[];
  };
}

export async function readProviders(): Promise<readonly Provider[]> {
  const { computeProviders } = await request<{
    computeProviders: { nodes: readonly Provider[] };
  }>(`{ computeProviders(first: 200, orderBy: { field: KEY }) { nodes {
    key name kind description isDefault version hasCredentials
    configuration { ... on DockerProviderConfiguration {
      endpoint publishAddress insecure tls { clientCertificate } } }
    hosts(first: 20) { totalCount nodes { key state: stateName } }
    status { reachable version checkedAt failure { code message }
      capacity { cpus memoryBytes } allocated { cpus memoryBytes } nodes { platform } } } } }`);
  return computeProviders.nodes;
}

/** Why it was refused; null: it was not. */
export async function sendAbout(
  field: 'checkComputeProvider' | 'updateComputeProvider' | 'deleteComputeProvider',
  input: object,
): Promise<string | null> {
  const type = `${field.charAt(0).toUpperCase()}${field.slice(1)}Input`;
  const { result } = await request<{ result: { message?: string } }>(
    `mutation ($input: ${type}!) { result: ${field}(input: $input) {
      __typename ... on UserError { message } } }`,
    { input: { ...input, idempotencyKey: newIdempotencyKey() } },
  );
  return result.message ?? null;
}
