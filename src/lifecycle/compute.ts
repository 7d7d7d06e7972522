/**
 * The kinds of compute providers, the drivers and sizes of hosts: tuples from which the columns and the GraphQL
 * enums are made.
 */

/** The kinds of compute providers. That of its provider is the driver of a host. */
export const computeProviderKinds = ['PROCESS', 'DOCKER'] as const;
export type ComputeProviderKind = (typeof computeProviderKinds)[number];

/** The drivers of hosts. */
export const hostDrivers = computeProviderKinds;
export type HostDriver = ComputeProviderKind;

/** The provider that every organization has from the beginning: the machine of the server. */
export const localProvider = { key: 'local', kind: 'PROCESS', name: 'This machine' } as const;

/** How large a host is; a driver maps it to its own units. */
export const hostSizes = ['EXTRA_SMALL', 'SMALL', 'MEDIUM', 'LARGE', 'EXTRA_LARGE'] as const;
export type HostSize = (typeof hostSizes)[number];

/** What a size means: of a host its capacity, of an instance its limit. */
export const sizes: Readonly<
  Record<HostSize, { readonly cpus: number; readonly memoryBytes: number }>
> = {
  EXTRA_SMALL: { cpus: 0.25, memoryBytes: 256 * 1024 ** 2 },
  SMALL: { cpus: 0.5, memoryBytes: 512 * 1024 ** 2 },
  MEDIUM: { cpus: 1, memoryBytes: 1024 ** 3 },
  LARGE: { cpus: 2, memoryBytes: 4 * 1024 ** 3 },
  EXTRA_LARGE: { cpus: 4, memoryBytes: 8 * 1024 ** 3 },
};

/** The container of an instance without a container repository (the App edition). */
export const defaultImage = {
  repository: 'runtime',
  image: 'instance-manager/runtime',
  tag: '1.0',
} as const;
