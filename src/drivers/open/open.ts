/** Opens the driver of one compute provider. */
import type { ComputeProviderKind } from '../../lifecycle/compute.ts';
import type { DockerConfiguration, DockerSecrets } from '../../lifecycle/docker-configuration.ts';
import { DockerDriver, type DockerDriverOptions } from '../docker/driver.ts';
import { type Driver, DriverError } from '../driver.ts';

/** The kinds that `openDriver` opens: each provider of them has a driver of its own. */
export const openedKinds: readonly ComputeProviderKind[] = ['DOCKER'];

/** A provider, its secrets in clear. */
export type ProviderToOpen =
  | { readonly kind: 'PROCESS' }
  | {
      readonly kind: 'DOCKER';
      readonly configuration: DockerConfiguration;
      readonly secrets: DockerSecrets | null;
    };

/** What every provider is opened with. */
export type OpenOptions = Omit<DockerDriverOptions, 'configuration'>;

/**
 * Opens a driver. It connects when it is first called.
 *
 * @throws DriverError if the configuration itself is wrong
 */
export function openDriver(provider: ProviderToOpen, options: OpenOptions): Driver {
  switch (provider.kind) {
    case 'DOCKER': {
      const { configuration, secrets } = provider;
      const { tls } = configuration;
      const clientKey = secrets?.clientKey ?? null;
      return new DockerDriver({
        ...options,
        configuration: { ...configuration, tls: tls && { ...tls, clientKey } },
      });
    }
    case 'PROCESS':
      throw new DriverError('NO_DRIVER', 'The providers of this machine share one driver.', {
        retryable: false,
      });
    default:
      return provider satisfies never;
  }
}
