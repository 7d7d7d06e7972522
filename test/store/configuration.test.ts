/** Saves of what instances need: versions, tags, uses, names; idempotency keys; races. */
import { describe, expect, test } from 'vitest';
import type { SaveResult } from '../../src/store/input/save-result.ts';
import {
  createBillingSubscription,
  deleteBillingSubscription,
  updateBillingSubscription,
} from '../../src/store/resource/billing-subscriptions.ts';
import {
  addContainerTag,
  createContainerRepository,
  deleteContainerRepository,
  updateContainerRepository,
} from '../../src/store/resource/container-repositories.ts';
import {
  createDeviceRepository,
  deleteDeviceRepository,
} from '../../src/store/resource/device-repositories.ts';
import { createHost, deleteHost, updateHost } from '../../src/store/resource/hosts.ts';
import {
  createInstance,
  deleteInstance,
  updateInstance,
} from '../../src/store/resource/instances.ts';
import {
  createSolution,
  deleteSolution,
  publishSolutionVersion,
  updateSolution,
} from '../../src/store/resource/solutions.ts';
import { everything, greenhouse, newCaller, one, storeKinds, useStore } from './stores.ts';

describe.each(storeKinds)('saves of configuration on %s', (kind) => {
  const its = useStore(kind);
  const { saved, refused, faults, needs } = its;

  test('nothing of another organization is seen or changed', async () => {
    const input = await needs();
    const id = await saved(createInstance(its.store, its.caller, input));
    const stranger = await newCaller(its.store);
    expect(await refused(() => updateInstance(its.store, stranger, { instance: id }))).toEqual({
      outcome: 'NOT_FOUND',
      kind: 'INSTANCE',
      reference: id,
    });
    for (const attempt of [
      () => deleteInstance(its.store, stranger, { instance: input.key }),
      () => deleteHost(its.store, stranger, { host: `${input.key}-host` }),
      () => updateHost(its.store, stranger, { host: `${input.key}-host`, name: 'x' }),
      () => publishSolutionVersion(its.store, stranger, { solution: input.key }),
      () => addContainerTag(its.store, stranger, { containerRepository: input.key, tag: '2' }),
      () => deleteDeviceRepository(its.store, stranger, { deviceRepository: input.key }),
      () => deleteBillingSubscription(its.store, stranger, { billingSubscription: input.key }),
    ]) {
      expect(await refused(attempt)).toMatchObject({ outcome: 'NOT_FOUND' });
    }
    expect(
      await faults(() => createInstance(its.store, stranger, { ...input, key: 'other' })),
    ).toEqual([
      'solution',
      'subscription',
      'deviceRepository',
      'configuration.container.containerRepository',
    ]);
  });

  test('what is in use is not deleted; then it is', async () => {
    const input = await needs();
    const id = await saved(createInstance(its.store, its.caller, input));
    const { key } = input;
    const deletions = [
      () => deleteSolution(its.store, its.caller, { solution: key }),
      () => deleteContainerRepository(its.store, its.caller, { containerRepository: key }),
      () => deleteDeviceRepository(its.store, its.caller, { deviceRepository: key }),
      () => deleteBillingSubscription(its.store, its.caller, { billingSubscription: key }),
    ];
    for (const attempt of deletions) {
      expect(await refused(attempt)).toMatchObject({
        code: 'IN_USE',
        message: expect.stringContaining(`instance ${key}`),
      });
    }
    await saved(deleteInstance(its.store, its.caller, { instance: id }));
    await saved(deleteHost(its.store, its.caller, { host: `${key}-host` }));
    for (const attempt of deletions) await saved(attempt());
    for (const attempt of deletions) {
      expect(await refused(attempt)).toMatchObject({ outcome: 'NOT_FOUND' });
    }
    expect(await refused(() => createSolution(its.store, its.caller, { key }))).toMatchObject({
      code: 'KEY_TAKEN',
    });
  });

  test('publishing numbers the versions, also where two do at once', async () => {
    await saved(createSolution(its.store, its.caller, { key: 'sol' }));
    const publish = (input: { version?: string; definition?: unknown; expectedVersion?: number }) =>
      publishSolutionVersion(its.store, its.caller, { solution: 'sol', ...input });
    expect(await faults(() => publish({}))).toEqual(['definition']);
    await saved(publish({ definition: greenhouse, expectedVersion: 1 }));
    await Promise.all([publish({}), publish({}), publish({ version: '1.10' })].map(saved));
    await saved(publish({ version: '2' }));
    await saved(publish({}));
    const versions = await its.store.database.query<{ version: string; ordinal: number }>(
      `select v.version, v.ordinal from solution_versions v join solutions s on s.id = v.solution_id
        where s.organization_id = $1::uuid order by v.ordinal`,
      [its.caller.organizationId],
    );
    expect(versions.map(({ ordinal }) => ordinal)).toEqual([1, 2, 3, 4, 5, 6]);
    expect(versions.at(0)?.version).toBe('1.0');
    expect(versions.slice(-2).map(({ version }) => version)).toEqual(['2', '2.1']);
    expect(await refused(() => publish({ version: '2.1' }))).toMatchObject({ code: 'KEY_TAKEN' });
    expect(await faults(() => publish({ version: '2.0.5' }))).toEqual(['version']);
    expect(await faults(() => publish({ version: 'one' }))).toEqual(['version']);
    expect(await refused(() => publish({ expectedVersion: 1 }))).toMatchObject({
      code: 'VERSION_CONFLICT',
      currentVersion: 2,
    });
  });

  test.runIf(kind === 'POSTGRES')('a publication waits for the one before it', async () => {
    const { database } = its.store;
    await saved(createSolution(its.store, its.caller, { key: 'sol', definition: greenhouse }));
    // Holds each publication after it has read the newest version.
    await database.query(
      `create function hold() returns trigger language plpgsql as
       $$ begin perform pg_advisory_xact_lock_shared(1); return new; end $$`,
    );
    await database.query(
      'create trigger holds before insert on solution_versions for each row execute function hold()',
    );
    const holder = database.openSession!();
    await holder.query('select pg_advisory_lock(1)');
    const publications = Promise.all(
      [1, 2].map(() => saved(publishSolutionVersion(its.store, its.caller, { solution: 'sol' }))),
    );
    await expect
      .poll(() =>
        holder.query(
          `select pid from pg_stat_activity
            where datname = current_database() and wait_event_type = 'Lock'`,
        ),
      )
      .toHaveLength(2);
    await holder.query('select pg_advisory_unlock(1)');
    holder.close();
    expect(new Set(await publications).size).toBe(2);
    const versions = await database.query(
      `select version from solution_versions where organization_id = $1::uuid order by ordinal`,
      [its.caller.organizationId],
    );
    expect(versions).toEqual([{ version: '1.0' }, { version: '1.1' }]);
    await database.query('drop function hold cascade');
  });

  test('the faults of a solution document are named with their paths', async () => {
    const definition = {
      listeners: { http: { protocol: 'http', port: 99999, auth: 'NONE' } },
      messages: { climate: { fields: { t: { type: 'TEMPERATURE' } } } },
      inputCommands: { status: { answer: { kind: 'NOTHING' } } },
    };
    const paths = [
      'definition.listeners.http.port',
      'definition.messages.climate.fields.t.type',
      'definition.inputCommands.status.answer.kind',
    ];
    const create = () => createSolution(its.store, its.caller, { key: 'broken', definition });
    expect(await faults(create)).toEqual(expect.arrayContaining(paths));
    await saved(createSolution(its.store, its.caller, { key: 'sol', definition: greenhouse }));
    const update = () => updateSolution(its.store, its.caller, { solution: 'sol', definition });
    expect(await faults(update)).toEqual(expect.arrayContaining(paths));
    await saved(updateSolution(its.store, its.caller, { solution: 'sol', definition: null }));
  });

  test('container repositories and their tags', async () => {
    const repository = (changes: object) => () =>
      createContainerRepository(its.store, its.caller, {
        key: 'images',
        image: 'team/app',
        ...changes,
      });
    expect(await faults(repository({ image: 'team/app:1.0', tags: ['ok', 'ok', '-no'] }))).toEqual([
      'image',
      'tags.1',
      'tags.2',
      // The last of them would be the default.
    ]);
    const id = await saved(repository({ image: 'registry.example:5000/team/app' })());
    expect(
      await one(
        its.store,
        `select default_tag as tag from container_repositories where id = '${id}'`,
      ),
    ).toEqual({ tag: 'latest' });
    const add = (tag: string, isDefault?: boolean) =>
      addContainerTag(its.store, its.caller, {
        containerRepository: 'images',
        tag,
        default: isDefault,
      });
    expect(await saved(add('2.0', true))).toBe(id);
    expect(await refused(() => add('2.0'))).toMatchObject({ code: 'KEY_TAKEN' });
    expect(await faults(() => add('a b'))).toEqual(['tag']);
    const update = (changes: object) => () =>
      updateContainerRepository(its.store, its.caller, { containerRepository: id, ...changes });
    expect(await faults(update({ defaultTag: '3.0', image: 'UPPER' }))).toEqual([
      'image',
      'defaultTag',
    ]);
    await saved(update({ defaultTag: 'latest', expectedVersion: 2 })());
    expect(await refused(update({ expectedVersion: 2 }))).toMatchObject({ currentVersion: 3 });
  });

  test('hosts: names in the zone, unique, and what an update keeps', async () => {
    const host = (changes: object) => () =>
      createHost(its.store, its.caller, { key: 'h-1', ...changes });
    expect(await faults(host({ dnsName: 'a.example.org' }))).toEqual(['dnsName']);
    expect(await faults(host({ dnsName: 'a..instances.test' }))).toEqual(['dnsName']);
    expect(await faults(host({ dnsName: 'ns' }))).toEqual(['dnsName']);
    expect(await faults(host({ subscription: 'nope', size: 'HUGE' }))).toEqual([
      'size',
      'subscription',
    ]);
    const name = `h-${kind.toLowerCase()}`;
    const id = await saved(host({ dnsName: name, labels: [{ name: 'a', value: 'b' }] })());
    await saved(
      updateHost(its.store, its.caller, { host: 'h-1', size: 'LARGE', expectedVersion: 1 }),
    );
    expect(await one(its.store, `select * from hosts where id = '${id}'`)).toMatchObject({
      dns_name: `${name}.instances.test`,
      labels: { a: 'b' },
      size: 'LARGE',
      version: 2,
      guard: 1,
    });
    await saved(createHost(its.store, its.caller, { key: 'h-2', dnsName: `${name}-2` }));
    const clash = { host: 'h-2', dnsName: `${name}.instances.test` };
    expect(await refused(() => updateHost(its.store, its.caller, clash))).toMatchObject({
      code: 'KEY_TAKEN',
    });
  });

  test('an idempotency key answers the same, to its its.caller, for its mutation', async () => {
    const input = { key: 'sub', trial: true, idempotencyKey: 'key-1' };
    const id = await saved(createBillingSubscription(its.store, its.caller, input));
    const before = await everything(its.store);
    const reordered = { idempotencyKey: 'key-1', trial: true, key: 'sub' };
    expect(await saved(createBillingSubscription(its.store, its.caller, reordered))).toBe(id);
    expect(await everything(its.store)).toBe(before);
    expect(
      await refused(() =>
        createBillingSubscription(its.store, its.caller, { ...input, trial: false }),
      ),
    ).toMatchObject({ code: 'IDEMPOTENCY_CONFLICT' });
    const other = { ...its.caller, accessKeyId: 'another' };
    expect(await refused(() => createBillingSubscription(its.store, other, input))).toMatchObject({
      code: 'KEY_TAKEN',
    });
    await saved(
      createDeviceRepository(its.store, its.caller, { key: 'dev', idempotencyKey: 'key-1' }),
    );
    await its.store.database.query(
      `update idempotency_keys set created_at = created_at - interval '25 hours'`,
    );
    expect(
      await refused(() => createBillingSubscription(its.store, its.caller, input)),
    ).toMatchObject({
      code: 'KEY_TAKEN',
    });
    const update = { billingSubscription: 'sub', trial: false, idempotencyKey: 'key-1' };
    await saved(updateBillingSubscription(its.store, its.caller, update));
    expect(
      await faults(() =>
        createBillingSubscription(its.store, its.caller, { ...input, idempotencyKey: 'a\u0000' }),
      ),
    ).toEqual(['idempotencyKey', 'key']);
  });

  test('the same request ten times at once is one save', async () => {
    const input = await needs();
    const request = { ...input, idempotencyKey: 'at-once' };
    const ids = await Promise.all(
      Array.from({ length: 10 }, () => saved(createInstance(its.store, its.caller, request))),
    );
    expect(new Set(ids).size).toBe(1);
  });

  test('of ten with one key, device repository or DNS name, one is saved', async () => {
    const input = await needs();
    const tenTimes = async (attempt: (n: number) => Promise<SaveResult>) => {
      const results = await Promise.all(Array.from({ length: 10 }, (_, n) => attempt(n)));
      const lost = results.filter(({ outcome }) => outcome !== 'SAVED');
      expect(lost).toHaveLength(9);
      for (const result of lost) expect(['CONFLICT', 'INVALID']).toContain(result.outcome);
    };
    await tenTimes(() => createSolution(its.store, its.caller, { key: 'one-of-ten' }));
    await tenTimes((n) =>
      createHost(its.store, its.caller, { key: `ten-${n}`, dnsName: `ten-${kind.toLowerCase()}` }),
    );
    await tenTimes((n) =>
      createInstance(its.store, its.caller, { ...input, key: `${input.key}-${n}` }),
    );
  });
});
