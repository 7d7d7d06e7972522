/** Labels and names of what the driver makes on an engine. Only what carries them is ever touched. */
import { DriverError, type RuntimeRef } from '../driver.ts';

export const labels = {
  installation: 'instance-manager/installation',
  host: 'instance-manager/host',
  instance: 'instance-manager/instance',
  run: 'instance-manager/run',
  /** The key of the host or the instance, for people. */
  key: 'instance-manager/key',
} as const;

export type Labels = Readonly<Record<string, string>>;

/** What labels say: whose it is, and of what. */
export interface Owner {
  readonly installation: string;
  readonly hostId: string;
  readonly instanceId?: string;
  readonly runId?: string;
}

export function labelsOf({ installation, hostId, instanceId, runId }: Owner, key: string): Labels {
  return {
    [labels.installation]: installation,
    [labels.host]: hostId,
    ...(instanceId === undefined ? {} : { [labels.instance]: instanceId }),
    ...(runId === undefined ? {} : { [labels.run]: runId }),
    [labels.key]: key,
  };
}

/** A filter of the engine for what carries these labels. */
export function filterOf(owner: Partial<Owner> & { readonly installation: string }): {
  label: string[];
} {
  const { installation, hostId, instanceId, runId } = owner;
  return {
    label: [
      `${labels.installation}=${installation}`,
      ...(hostId === undefined ? [] : [`${labels.host}=${hostId}`]),
      ...(instanceId === undefined ? [] : [`${labels.instance}=${instanceId}`]),
      ...(runId === undefined ? [] : [`${labels.run}=${runId}`]),
    ],
  };
}

/** The run that the labels of a container name. */
export function runtimeOf(given: Labels): RuntimeRef | null {
  const [instanceId, runId] = [given[labels.instance], given[labels.run]];
  return instanceId !== undefined && runId !== undefined ? { instanceId, runId } : null;
}

/**
 * The name of a container. The engine gives a name once, so an instance never has two containers,
 * whoever makes them.
 */
export const containerName = (instanceId: string): string => `im-${safeName(instanceId)}`;

/** The name of the volume of an instance, which its runs share. */
export const volumeName = (instanceId: string): string => `im-${safeName(instanceId)}`;

export const networkName = (hostId: string): string => `im-${safeName(hostId)}`;

/**
 * An id that becomes part of a name.
 * @throws DriverError INVALID_ID
 */
function safeName(id: string): string {
  if (/^[A-Za-z0-9_-]{1,100}$/.test(id)) return id;
  throw new DriverError(
    'INVALID_ID',
    `${JSON.stringify(id.slice(0, 120))} cannot name a container. ` +
      'Use 1 to 100 letters, digits, hyphens and underscores.',
    { retryable: false },
  );
}
