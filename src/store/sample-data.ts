/** The sample data, so that the first mutation of a new user has something to work on. */

import greenhouse from '../../schema/greenhouse.json' with { type: 'json' };
import { defaultImage } from '../lifecycle/compute.ts';
import type { Caller, ResourceStore } from './input/caller.ts';
import type { SaveResult } from './input/save-result.ts';
import { createBillingSubscription } from './resource/billing-subscriptions.ts';
import { createContainerRepository } from './resource/container-repositories.ts';
import { createDeviceRepository } from './resource/device-repositories.ts';
import { createInstance } from './resource/instances.ts';
import { createSolution, publishSolutionVersion } from './resource/solutions.ts';

/**
 * Creates what is missing of: solution `greenhouse` (published 1.0), container repository
 * `runtime`, device repository `greenhouse-devices`, billing subscription `trial`, and instance
 * `greenhouse-1` on its host `greenhouse-1-host`. What a user has edited or deleted stays as it is.
 */
export async function createSampleData(
  store: ResourceStore,
  organizationId: string,
): Promise<void> {
  const caller: Caller = {
    organizationId,
    accessKeyId: 'sample-data',
    actor: { kind: 'SYSTEM', name: 'sample data' },
  };
  let isNew = true;
  // A conflict means that the key was used before, by another resource or a deleted one.
  const keep = (result: SaveResult): void => {
    if (result.outcome === 'SAVED') return;
    if (isNew && result.outcome !== 'CONFLICT') throw new Error(JSON.stringify(result));
    isNew = false;
  };
  keep(
    await createSolution(store, caller, {
      key: 'greenhouse',
      name: 'Greenhouse',
      description: greenhouse.description,
      definition: greenhouse,
    }),
  );
  keep(await publishSolutionVersion(store, caller, { solution: 'greenhouse', version: '1.0' }));
  keep(
    await createContainerRepository(store, caller, {
      key: 'runtime',
      name: 'Runtime',
      description: 'The runtime that comes with the Instance Manager.',
      image: defaultImage.image,
      tags: ['1.0'],
      defaultTag: '1.0',
    }),
  );
  keep(
    await createDeviceRepository(store, caller, {
      key: 'greenhouse-devices',
      name: 'Greenhouse devices',
      storage: 'CLOUD',
    }),
  );
  keep(
    await createBillingSubscription(store, caller, { key: 'trial', name: 'Trial', trial: true }),
  );
  keep(
    await createInstance(store, caller, {
      key: 'greenhouse-1',
      name: 'Greenhouse 1',
      solution: 'greenhouse',
      subscription: 'trial',
      deviceRepository: 'greenhouse-devices',
      configuration: {
        container: {
          deploymentType: 'MANAGED',
          workingStorage: 'CLOUD',
          imageSize: 'SMALL',
          containerRepository: 'runtime',
        },
      },
    }),
  );
}
