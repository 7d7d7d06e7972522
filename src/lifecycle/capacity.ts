/** What the instances of a host take of its capacity, and what is free for another one. */
import { type HostSize, hostSizes, sizes } from './compute.ts';

/** CPUs and memory: what a host offers, what a runtime may use, what an engine has. */
export interface Resources {
  /** Fractions too. */
  readonly cpus: number;
  readonly memoryBytes: number;
}

/** What an instance takes: its size, times its replicas. One of the App edition has no size. */
export interface Sized {
  readonly imageSize: HostSize | null;
  readonly replicas: number | null;
}

export function resourcesOf({ imageSize, replicas }: Sized): Resources {
  if (imageSize === null) return { cpus: 0, memoryBytes: 0 };
  const { cpus, memoryBytes } = sizes[imageSize];
  const times = replicas ?? 1;
  return { cpus: cpus * times, memoryBytes: memoryBytes * times };
}

export function sumOf(instances: readonly Sized[]): Resources {
  const each = instances.map(resourcesOf);
  return {
    cpus: each.reduce((sum, { cpus }) => sum + cpus, 0),
    memoryBytes: each.reduce((sum, { memoryBytes }) => sum + memoryBytes, 0),
  };
}

/** What is left of a host of this size. Never less than nothing. */
export const freeOf = (size: HostSize, taken: Resources): Resources => lessOf(sizes[size], taken);

/** What is left of a whole. Never less than nothing. */
export const lessOf = ({ cpus, memoryBytes }: Resources, taken: Resources): Resources => ({
  cpus: Math.max(0, cpus - taken.cpus),
  memoryBytes: Math.max(0, memoryBytes - taken.memoryBytes),
});

export const fits = (wanted: Resources, free: Resources): boolean =>
  wanted.cpus <= free.cpus && wanted.memoryBytes <= free.memoryBytes;

/** The smallest size of a host that has this; null: none has. */
export const smallestFor = (wanted: Resources): HostSize | null =>
  hostSizes.find((size) => fits(wanted, sizes[size])) ?? null;

/** For people: `0.5 CPU and 512 MiB`. */
export function resourcesText({ cpus, memoryBytes }: Resources): string {
  const mebibytes = memoryBytes / 1024 ** 2;
  const memory =
    mebibytes % 1024 === 0 ? `${mebibytes / 1024} GiB` : `${Math.floor(mebibytes)} MiB`;
  return `${cpus} CPU and ${mebibytes === 0 ? 'no memory' : memory}`;
}
