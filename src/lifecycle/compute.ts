/** The drivers and sizes of hosts: tuples from which the columns and the GraphQL enums are made. */

/** The drivers that there are. */
export const computeProviderKinds = ['PROCESS', 'DOCKER'] as const;
export type HostDriver = (typeof computeProviderKinds)[number];

/** Those that a host may name. A new host gets the first one if its input names none. */
export const hostDrivers: readonly HostDriver[] = ['PROCESS'];
export const defaultHostDriver: HostDriver = 'PROCESS';

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
