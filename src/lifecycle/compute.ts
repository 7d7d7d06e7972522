/** The drivers and sizes of hosts: tuples from which the columns and the GraphQL enums are made. */

/** The drivers of hosts. A new host gets the first one if its input names none. */
export const hostDrivers = ['PROCESS'] as const;
export type HostDriver = (typeof hostDrivers)[number];
export const defaultHostDriver: HostDriver = hostDrivers[0];

/** How large a host is; a driver maps it to its own units. */
export const hostSizes = ['EXTRA_SMALL', 'SMALL', 'MEDIUM', 'LARGE', 'EXTRA_LARGE'] as const;
export type HostSize = (typeof hostSizes)[number];

/** The container of an instance without a container repository (the App edition). */
export const defaultImage = {
  repository: 'runtime',
  image: 'instance-manager/runtime',
  tag: '1.0',
} as const;
