/** Editing and deleting instances and hosts, and what keeps them as they are. */
import { describe, expect, test } from 'vitest';
import { createHost, deleteHost, updateHost } from '../../src/store/resource/hosts.ts';
import {
  createInstance,
  deleteInstance,
  updateInstance,
} from '../../src/store/resource/instances.ts';
import { createOperation } from '../harness/rows.ts';
import { one, storeKinds, useStore } from './stores.ts';

describe.each(storeKinds)('editing instances on %s', (kind) => {
  const its = useStore(kind);
  const { saved, refused, faults, needs } = its;
  const instanceRow = (id: string) =>
    one<Record<string, unknown>>(its.store, 'select * from instances where id = $1::uuid', [id]);

  test('an update keeps what is absent and clears what is null', async () => {
    const input = await needs();
    const id = await saved(
      createInstance(its.store, its.caller, {
        ...input,
        name: 'North',
        description: 'text\nmore',
        labels: [{ name: 'site', value: 'north' }],
        solutionVersion: '1.0',
      }),
    );
    const before = await instanceRow(id);
    await saved(updateInstance(its.store, its.caller, { instance: id, expectedVersion: 1 }));
    const { version, guard, updated_at, ...kept } = await instanceRow(id);
    expect({ version, guard }).toEqual({ version: 2, guard: 1 });
    expect(before).toMatchObject(kept);
    await saved(
      updateInstance(its.store, its.caller, {
        instance: input.key,
        name: null,
        description: null,
        labels: null,
        solutionVersion: null,
        host: null,
        settings: { alarmTemperature: 30 },
        configuration: { app: {} },
      }),
    );
    expect(await instanceRow(id)).toMatchObject({
      name: input.key,
      description: null,
      labels: {},
      solution_version_id: null,
      host_id: null,
      settings: { listenerKey: { sealed: expect.any(String) }, alarmTemperature: 30 },
      edition: 'APP',
      image_size: null,
      version: 3,
    });
    const clear = () =>
      updateInstance(its.store, its.caller, { instance: id, settings: { listenerKey: null } });
    expect(await faults(clear)).toEqual(['settings.listenerKey']);
    const cleared = { instance: id, solution: null, subscription: null, deviceRepository: null };
    expect(await faults(() => updateInstance(its.store, its.caller, cleared))).toEqual([
      'solution',
      'subscription',
      'deviceRepository',
    ]);
    expect(
      await refused(() =>
        updateInstance(its.store, its.caller, { instance: id, expectedVersion: 1 }),
      ),
    ).toMatchObject({ code: 'VERSION_CONFLICT', currentVersion: 3, currentSequence: 0 });
    const log = await its.store.database.query(
      `select kind from log where resource_id = $1::uuid order by revision`,
      [id],
    );
    expect(log.map((row) => (row as { kind: string }).kind)).toEqual([
      'CREATED',
      'UPDATED',
      'UPDATED',
    ]);
  });

  test('what a running instance stands on does not move under it', async () => {
    const [input, other] = [await needs(), await needs()];
    const id = await saved(createInstance(its.store, its.caller, input));
    await saved(createHost(its.store, its.caller, { key: 'elsewhere' }));
    await its.store.database.query(
      `update hosts set state = 'DEPLOYING', sequence = 1 where key = $1`,
      [`${input.key}-host`],
    );
    await its.store.database.query(
      `update instances set state = 'STARTING_RUNTIME', sequence = 1 where id = $1::uuid`,
      [id],
    );
    const move = { instance: id, host: 'elsewhere' };
    expect(await refused(() => updateInstance(its.store, its.caller, move))).toMatchObject({
      code: 'IN_USE',
      message: expect.stringContaining('is STARTING_RUNTIME'),
    });
    expect(
      await faults(() =>
        updateInstance(its.store, its.caller, {
          ...move,
          deviceRepository: other.key,
          configuration: { app: {} },
        }),
      ),
    ).toEqual(['deviceRepository', 'host', 'configuration']);
    expect(
      await refused(() => deleteInstance(its.store, its.caller, { instance: id })),
    ).toMatchObject({
      outcome: 'REFUSED',
      refusal: { refused: 'OPERATION_IN_PROGRESS' },
    });
    const host = `${input.key}-host`;
    expect(
      await faults(() =>
        updateHost(its.store, its.caller, {
          host,
          size: 'LARGE',
          dnsName: 'new',
          subscription: null,
        }),
      ),
    ).toEqual(['size', 'dnsName', 'subscription']);
    expect(await refused(() => deleteHost(its.store, its.caller, { host }))).toMatchObject({
      outcome: 'REFUSED',
      id: (await instanceRow(id)).host_id,
      refusal: { refused: 'ILLEGAL_TRANSITION' },
    });
    await saved(updateHost(its.store, its.caller, { host, name: 'Free to change' }));
    await saved(
      updateInstance(its.store, its.caller, { instance: id, settings: { alarmTemperature: 1 } }),
    );
  });

  test('an instance that waits for its host stays with it', async () => {
    const input = await needs();
    const id = await saved(createInstance(its.store, its.caller, input));
    await createOperation(its.store.database, id);
    expect(
      await refused(() => updateInstance(its.store, its.caller, { instance: id, host: null })),
    ).toMatchObject({ code: 'IN_USE', message: expect.stringContaining('DEPLOY_INSTANCE') });
  });

  test('deleting goes through the state machine, and a host goes last', async () => {
    const input = await needs();
    const id = await saved(createInstance(its.store, its.caller, input));
    const host = `${input.key}-host`;
    expect(await refused(() => deleteHost(its.store, its.caller, { host }))).toMatchObject({
      code: 'IN_USE',
      message: expect.stringContaining(input.key),
    });
    const stale = { instance: id, expectedVersion: 2 };
    expect(await refused(() => deleteInstance(its.store, its.caller, stale))).toMatchObject({
      code: 'VERSION_CONFLICT',
      currentVersion: 1,
      currentSequence: 0,
    });
    const request = { instance: input.key, idempotencyKey: 'once' };
    expect(await saved(deleteInstance(its.store, its.caller, request))).toBe(id);
    expect(await saved(deleteInstance(its.store, its.caller, request))).toBe(id);
    expect(
      await refused(() =>
        deleteInstance(its.store, its.caller, { ...request, reason: 'another input' }),
      ),
    ).toMatchObject({ code: 'IDEMPOTENCY_CONFLICT' });
    expect(
      await refused(() => deleteInstance(its.store, its.caller, { instance: input.key })),
    ).toMatchObject({ outcome: 'NOT_FOUND', kind: 'INSTANCE', reference: input.key });
    await saved(deleteHost(its.store, its.caller, { host }));
    const kinds = await its.store.database.query<{ kind: string }>(
      `select kind from log where organization_id = $1::uuid order by revision, place`,
      [its.caller.organizationId],
    );
    expect(kinds.map((row) => row.kind)).toEqual(['CREATED', 'CREATED', 'ARCHIVED', 'ARCHIVED']);
  });
});
