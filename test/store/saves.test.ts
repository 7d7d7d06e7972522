/** Creating instances and their hosts: what is written, what is refused, and that then nothing is. */
import { inspect } from 'node:util';
import { describe, expect, test, vi } from 'vitest';
import { createBillingSubscription } from '../../src/store/resource/billing-subscriptions.ts';
import {
  createDeviceRepository,
  updateDeviceRepository,
} from '../../src/store/resource/device-repositories.ts';
import { createHost } from '../../src/store/resource/hosts.ts';
import {
  type CreateInstanceInput,
  createInstance,
  deleteInstance,
} from '../../src/store/resource/instances.ts';
import { newCaller, one, openTestStore, storeKinds, useStore } from './stores.ts';

// A new PGlite takes seconds, on a busy machine many.
vi.setConfig({ testTimeout: 120_000 });

describe.each(storeKinds)('creating instances on %s', (kind) => {
  const its = useStore(kind);
  const { saved, refused, faults, needs } = its;
  const instanceRow = (id: string) =>
    one<Record<string, unknown>>(its.store, 'select * from instances where id = $1::uuid', [id]);

  test('an instance brings its own host along, in one revision of the log', async () => {
    const input = await needs();
    const commits: unknown[] = [];
    const off = its.store.onCommit((commit) => commits.push(commit));
    const id = await saved(
      createInstance(its.store, its.caller, { ...input, reason: 'a first one' }),
    );
    off();
    expect(await instanceRow(id)).toMatchObject({
      name: input.key,
      edition: 'CONTAINER',
      container_tag: '1.0',
      solution_version_id: null,
      state: 'OFFLINE',
      desired: 'RUNNING',
      version: 1,
      sequence: 0,
    });
    const host = await one(
      its.store,
      'select h.* from hosts h join instances i on i.host_id = h.id where i.id = $1::uuid',
      [id],
    );
    expect(host).toMatchObject({
      key: `${input.key}-host`,
      dns_name: `${input.key}.instances.test`,
      size: 'MEDIUM',
      driver: 'PROCESS',
      state: 'OFFLINE',
    });
    const log = await its.store.database.query<{ revision: number }>(
      `select revision, place, kind, resource_kind as resource, sequence, actor, details from log
        where organization_id = $1::uuid order by revision, place`,
      [its.caller.organizationId],
    );
    const row = { kind: 'CREATED', sequence: 0, actor: its.caller.actor };
    expect(log).toMatchObject([
      {
        ...{ ...row, place: 0, resource: 'HOST' },
        details: { key: `${input.key}-host`, reason: 'a first one' },
      },
      { ...row, place: 1, resource: 'INSTANCE', details: { key: input.key } },
    ]);
    expect(log[0]?.revision).toBe(log[1]?.revision);
    expect(commits).toEqual([{ revision: log[0]?.revision, work: false }]);
  });

  test('a host that is named is shared; both references may be ids', async () => {
    const [input, other] = [await needs(), await needs()];
    const host = await saved(createHost(its.store, its.caller, { key: 'shared', size: 'LARGE' }));
    for (const reference of ['shared', host]) {
      const next = reference === host ? other : input;
      const id = await saved(createInstance(its.store, its.caller, { ...next, host: reference }));
      expect(await instanceRow(id)).toMatchObject({ host_id: host });
    }
    expect(await one(its.store, `select guard from hosts where id = '${host}'`)).toEqual({
      guard: 2,
    });
  });

  test('everything wrong with an instance is named at once', async () => {
    const input = await needs();
    const bad: CreateInstanceInput = {
      ...input,
      key: 'Bad_Key',
      name: `a\u0007${'x'.repeat(200)}`,
      description: 'y'.repeat(2001),
      labels: [
        { name: 'Site', value: 'north' },
        { name: 'site', value: 'a' },
        { name: 'site', value: 'b'.repeat(201) },
      ],
      solution: 'nope',
      subscription: 'nope',
      deviceRepository: 'no\u0000pe',
      host: 'nope',
      reason: 'z'.repeat(501),
      configuration: {
        cluster: {
          deploymentType: 'MARS' as 'CLOUD',
          workingStorage: undefined as unknown as 'CLOUD',
          imageSize: 'SMALL',
          replicas: 0,
          containerRepository: input.key,
          containerTag: '9.9',
        },
      },
    };
    expect((await faults(() => createInstance(its.store, its.caller, bad))).sort()).toEqual(
      [
        'reason',
        'key',
        'name',
        'name',
        'description',
        'labels.0.name',
        'labels.2.name',
        'labels.2.value',
        'host',
        'solution',
        'subscription',
        'deviceRepository',
        'configuration.cluster.deploymentType',
        'configuration.cluster.workingStorage',
        'configuration.cluster.replicas',
        'configuration.cluster.containerTag',
      ].sort(),
    );
  });

  test('exactly one edition; too many labels; a key that leaves no room for its host', async () => {
    const input = await needs();
    const create = (changes: Partial<CreateInstanceInput>) => () =>
      createInstance(its.store, its.caller, { ...input, ...changes });
    expect(await faults(create({ configuration: {} }))).toEqual(['configuration']);
    expect(await faults(create({ configuration: { ...input.configuration, app: {} } }))).toEqual([
      'configuration',
    ]);
    expect(await faults(create({ configuration: { app: { edition: 'CLUSTER' } } }))).toEqual([
      'configuration.app.edition',
    ]);
    const labels = Array.from({ length: 51 }, (_, n) => ({ name: `l${n}`, value: '' }));
    expect(await faults(create({ labels }))).toEqual(['labels']);
    expect(await faults(create({ key: 'k'.repeat(59) }))).toEqual(['key']);
    expect(await faults(create({ key: 'ends-with-' }))).toEqual(['key']);
    expect(await faults(create({ settings: ['no', 'object'] }))).toContain('settings');
  });

  test('versions and settings must be the solution’s', async () => {
    const [input, other] = [await needs(), await needs()];
    const create = (changes: Partial<CreateInstanceInput>) => () =>
      createInstance(its.store, its.caller, { ...input, ...changes });
    expect(await faults(create({ solutionVersion: '7.7' }))).toEqual(['solutionVersion']);
    const foreign = await one<{ id: string }>(
      its.store,
      `select v.id from solution_versions v join solutions s on s.id = v.solution_id
        where s.key = $1`,
      [other.key],
    );
    expect(await faults(create({ solutionVersion: foreign.id }))).toEqual(['solutionVersion']);
    const settings = { alarmTemperature: 1000, unknown: 1 };
    expect(await faults(create({ settings, solutionVersion: '1.0' }))).toEqual([
      'settings.unknown',
      'settings.listenerKey',
      'settings.alarmTemperature',
    ]);
    const id = await saved(create({ solutionVersion: '1.0' })());
    expect((await instanceRow(id)).solution_version_id).not.toBeNull();
  });

  test('keys are taken for ever, DNS names in every organization', async () => {
    const input = await needs();
    const id = await saved(createInstance(its.store, its.caller, input));
    const device = await saved(createDeviceRepository(its.store, its.caller, { key: 'free-one' }));
    const again = () =>
      createInstance(its.store, its.caller, { ...input, deviceRepository: device });
    expect(await refused(again)).toMatchObject({ outcome: 'CONFLICT', code: 'KEY_TAKEN' });
    const elsewhere = () =>
      createInstance(its.store, its.caller, {
        ...input,
        deviceRepository: device,
        host: `${input.key}-host`,
        configuration: { app: {} },
      });
    expect(await refused(elsewhere)).toMatchObject({ outcome: 'CONFLICT', code: 'KEY_TAKEN' });
    await saved(deleteInstance(its.store, its.caller, { instance: id }));
    expect(await refused(elsewhere)).toMatchObject({
      code: 'KEY_TAKEN',
      message: expect.stringContaining('never given again'),
    });
    const stranger = await newCaller(its.store);
    const sameName = { key: 'mine', dnsName: input.key };
    expect(await refused(() => createHost(its.store, stranger, sameName))).toMatchObject({
      code: 'KEY_TAKEN',
      message: expect.stringContaining(`${input.key}.instances.test`),
    });
  });

  test('a device repository belongs to one instance; a deletion frees it', async () => {
    const [input, other] = [await needs(), await needs()];
    const id = await saved(createInstance(its.store, its.caller, input));
    const taken = { ...other, deviceRepository: input.key };
    expect(await refused(() => createInstance(its.store, its.caller, taken))).toMatchObject({
      code: 'IN_USE',
      message: expect.stringContaining(input.key),
    });
    expect(
      await refused(() =>
        updateDeviceRepository(its.store, its.caller, {
          deviceRepository: input.key,
          storage: 'CLOUD',
        }),
      ),
    ).toMatchObject({ code: 'IN_USE' });
    await saved(deleteInstance(its.store, its.caller, { instance: id }));
    await saved(createInstance(its.store, its.caller, taken));
  });
});

test.each(storeKinds)(
  'an error that nobody foresaw on %s tells nothing of the input',
  async (kind) => {
    const store = await openTestStore(kind);
    const caller = await newCaller(store);
    await store.database.query(
      `alter table billing_subscriptions add constraint surprise check (name <> 'hush-hush')`,
    );
    const error = await createBillingSubscription(store, caller, {
      key: 'sub',
      name: 'hush-hush',
    }).then(
      () => null,
      (thrown: unknown) => thrown,
    );
    expect(error).toMatchObject({ code: '23514', constraint: 'surprise' });
    expect(inspect(error, { depth: 9, showHidden: true })).not.toContain('hush');
    await store.close();
  },
);
