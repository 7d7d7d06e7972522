/** What sizes mean, and what is allocated of a host. */
import type { Resources } from '../../lifecycle/capacity.ts';
import { type HostSize as HostSizeName, hostSizes, sizes } from '../../lifecycle/compute.ts';
import { builder } from '../base/builder.ts';
import { HostSize } from '../base/enums.ts';

export const HostCapacity = builder
  .objectRef<{ size: HostSizeName; allocated: Resources }>('HostCapacity')
  .implement({
    fields: (t) => ({
      cpus: t.float({ resolve: ({ size }) => sizes[size].cpus }),
      memoryBytes: t.float({ resolve: ({ size }) => sizes[size].memoryBytes }),
      allocatedCpus: t.float({ resolve: ({ allocated }) => allocated.cpus }),
      allocatedMemoryBytes: t.float({ resolve: ({ allocated }) => allocated.memoryBytes }),
    }),
  });

const ImageSize = builder.objectRef<HostSizeName>('ImageSize').implement({
  fields: (t) => ({
    size: t.field({ type: HostSize, resolve: (size) => size }),
    cpus: t.float({ resolve: (size) => sizes[size].cpus }),
    memoryBytes: t.float({ resolve: (size) => sizes[size].memoryBytes }),
  }),
});

builder.queryField('imageSizes', (t) =>
  t.field({ type: [ImageSize], nullable: true, resolve: () => [...hostSizes] }),
);
