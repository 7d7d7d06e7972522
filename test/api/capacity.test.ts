/** What a host has room for: shown, and kept where an instance or a size is chosen. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Fleet, openFleet } from './fleet.ts';

const GiB = 1024 ** 3;

describe.each(['PGLITE', 'POSTGRES'] as const)('capacity on %s', (kind) => {
  let fleet: Fleet;
  beforeAll(async () => {
    fleet = await openFleet(kind);
    for (const [key, size] of [
      ['big', 'LARGE'],
      ['room', 'LARGE'],
      ['small', 'SMALL'],
    ] as const) {
      await fleet.ask(
        'mutation ($input: CreateHostInput!) { createHost(input: $input) { __typename } }',
        { input: { key, size } },
      );
    }
  });
  afterAll(() => fleet?.close());

  const outcome = `__typename ... on UserError { code message } ... on Conflict { path }
    ... on InvalidInput { issues { path message } }`;
  const container = (imageSize: string) => ({
    container: {
      ...{ deploymentType: 'MANAGED', workingStorage: 'CLOUD', imageSize },
      containerRepository: 'runtime',
    },
  });
  async function create(key: string, host: string, configuration: object) {
    const deviceRepository = `${key}-devices`;
    const { createInstance } = await fleet.ask(
      `mutation ($devices: CreateDeviceRepositoryInput!, $input: CreateInstanceInput!) {
         createDeviceRepository(input: $devices) { __typename }
         createInstance(input: $input) { ${outcome} } }`,
      {
        devices: { key: deviceRepository, storage: 'CLOUD' },
        input: {
          ...{ key, host, configuration, deviceRepository },
          ...{ solution: 'greenhouse', subscription: 'trial' },
        },
      },
    );
    return createInstance;
  }
  async function update(type: 'Instance' | 'Host', input: object) {
    const field = `update${type}`;
    const answer = await fleet.ask(
      `mutation ($input: Update${type}Input!) { ${field}(input: $input) { ${outcome} } }`,
      { input },
    );
    return answer[field];
  }
  const capacityOf = async (key: string) => {
    const { host } = await fleet.ask(
      `{ host(host: "${key}") { capacity { cpus memoryBytes allocatedCpus allocatedMemoryBytes } } }`,
    );
    return host.capacity;
  };

  test('what the sizes mean', async () => {
    const { imageSizes } = await fleet.ask('{ imageSizes { size cpus memoryBytes } }');
    expect(imageSizes).toEqual([
      { size: 'EXTRA_SMALL', cpus: 0.25, memoryBytes: GiB / 4 },
      { size: 'SMALL', cpus: 0.5, memoryBytes: GiB / 2 },
      { size: 'MEDIUM', cpus: 1, memoryBytes: GiB },
      { size: 'LARGE', cpus: 2, memoryBytes: 4 * GiB },
      { size: 'EXTRA_LARGE', cpus: 4, memoryBytes: 8 * GiB },
    ]);
  });

  test('a shared host takes what fits; what does not is told what is free, and where there is room', async () => {
    expect(await create('one', 'big', container('MEDIUM'))).toMatchObject({
      __typename: 'InstanceSaved',
    });
    expect(await create('two', 'big', { app: {} })).toMatchObject({ __typename: 'InstanceSaved' });
    expect(await capacityOf('big')).toEqual({
      ...{ cpus: 2, memoryBytes: 4 * GiB, allocatedCpus: 1, allocatedMemoryBytes: GiB },
    });
    expect(await create('three', 'big', container('LARGE'))).toEqual({
      __typename: 'Conflict',
      code: 'HOST_FULL',
      path: 'host',
      message:
        'Host big has 1 CPU and 3 GiB free of 2 CPU and 4 GiB, and the instance needs 2 CPU and 4 GiB; these have room for it: room.',
    });
    const { message } = await create('four', 'big', container('EXTRA_LARGE'));
    expect(message).toContain('no other host has room for it: create one of size EXTRA_LARGE');
    expect((await capacityOf('big')).allocatedCpus).toBe(1);
  });

  test('an instance that moves, or grows, and a host that shrinks', async () => {
    expect(await update('Instance', { instance: 'one', host: 'small' })).toMatchObject({
      ...{ code: 'HOST_FULL', path: 'host' },
    });
    expect(
      await update('Instance', { instance: 'one', configuration: container('EXTRA_LARGE') }),
    ).toMatchObject({ code: 'HOST_FULL', path: 'configuration' });
    expect(await update('Host', { host: 'big', size: 'SMALL' })).toMatchObject({
      code: 'HOST_FULL',
      path: 'size',
      message: expect.stringContaining('take 1 CPU and 1 GiB, and SMALL has 0.5 CPU and 512 MiB'),
    });
    expect(await update('Host', { host: 'big', size: 'MEDIUM' })).toMatchObject({
      __typename: 'HostSaved',
    });
    expect(
      await update('Instance', { instance: 'one', configuration: container('SMALL') }),
    ).toMatchObject({ __typename: 'InstanceSaved' });
    expect(
      await update('Instance', {
        instance: 'one',
        host: 'small',
        configuration: container('SMALL'),
      }),
    ).toMatchObject({ __typename: 'InstanceSaved' });
    expect((await capacityOf('big')).allocatedCpus).toBe(0);
    expect((await capacityOf('small')).allocatedCpus).toBe(0.5);
  });

  test('of many that ask at once, as many are taken as fit', async () => {
    const answers = await Promise.all(
      Array.from({ length: 8 }, (_, index) =>
        create(`at-once-${index}`, 'room', container('SMALL')),
      ),
    );
    expect(answers.filter(({ __typename }) => __typename === 'InstanceSaved')).toHaveLength(4);
    expect(answers.filter(({ code }) => code === 'HOST_FULL')).toHaveLength(4);
    expect(await capacityOf('room')).toMatchObject({
      allocatedCpus: 2,
      allocatedMemoryBytes: 2 * GiB,
    });
  });
});
