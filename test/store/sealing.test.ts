/** Secrets are sealed in the store: by which key, what happens without one, and how the key is rotated. */
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { defaultDeadlines } from '../../src/lifecycle/change.ts';
import type { Caller } from '../../src/store/input/caller.ts';
import type { SaveResult } from '../../src/store/input/save-result.ts';
import { type OpenStore, type OpenStoreOptions, openStore } from '../../src/store/open.ts';
import { findProvider } from '../../src/store/read/providers.ts';
import { instanceTargets } from '../../src/store/read/targets.ts';
import { unreadableSecret } from '../../src/store/read/unreadable-secret.ts';
import { createBillingSubscription } from '../../src/store/resource/billing-subscriptions.ts';
import { createContainerRepository } from '../../src/store/resource/container-repositories.ts';
import { createDeviceRepository } from '../../src/store/resource/device-repositories.ts';
import { createInstance, updateInstance } from '../../src/store/resource/instances.ts';
import { createSolution, publishSolutionVersion } from '../../src/store/resource/solutions.ts';
import { rotateSecrets } from '../../src/store/rotate-secrets.ts';
import { passwordPlace } from '../../src/store/secret/container-repository.ts';
import { keyIdOf, newKey, SecretError, secretKeys } from '../../src/store/secret/keys.ts';
import { providerPlace } from '../../src/store/secret/provider.ts';
import { openSettings } from '../../src/store/secret/settings.ts';
import { createMigratedDatabase, type TestDatabase } from '../harness/database.ts';
import { greenhouse, one, storeKinds, zone } from './stores.ts';

// A new PGlite takes seconds, on a busy machine many.
vi.setConfig({ testTimeout: 120_000 });

describe('a sealed value', () => {
  const [first, second] = [newKey(), newKey()];
  const keys = secretKeys([first]);
  const sealed = keys.seal('hush', 'here');

  test.each(['hush', '', 'ü€😀', 7, true, { a: [null] }])('opens where it belongs: %j', (value) => {
    const stored = JSON.parse(JSON.stringify(keys.seal(value, 'here')));
    expect(JSON.stringify(stored)).not.toContain('hush');
    expect(keys.open(stored, 'here')).toEqual(value);
    expect(secretKeys([second, first]).open(stored, 'here')).toEqual(value);
    expect(keyIdOf(stored)).toBe(keys.id);
  });

  test('is another one each time', () => {
    expect(keys.seal('hush', 'here')).not.toEqual(sealed);
  });

  test('does not open elsewhere, changed, or under another key', () => {
    const damaged = { sealed: `${sealed.sealed.slice(0, -2)}AA` };
    expect(() => keys.open(sealed, 'there')).toThrow(SecretError);
    expect(() => keys.open(damaged, 'here')).toThrow(/set it anew/);
    expect(() => keys.open({ sealed: sealed.sealed.slice(0, 30) }, 'here')).toThrow(SecretError);
    expect(() => secretKeys([second]).open(sealed, 'here')).toThrow(keys.id ?? '-');
    expect(() => secretKeys([]).seal('hush', 'here')).toThrow(/set SECRETS_KEY/);
  });

  test('a value from before there was a key is in clear', () => {
    for (const value of ['hush', 7, { sealed: 'no' }, ['im1.'], null]) {
      expect(keys.open(value, 'here')).toEqual(value);
      expect(keyIdOf(value)).toBeNull();
    }
  });
});

describe.each(storeKinds)('secrets in a store on %s', (kind) => {
  let folder: string;
  let database: TestDatabase | null;
  let warnings: string[];
  let store: OpenStore | null;
  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'im-sealing-'));
    database = kind === 'POSTGRES' ? await createMigratedDatabase() : null;
    warnings = [];
    store = null;
  });
  afterEach(async () => {
    await close();
    await database?.drop();
    rmSync(folder, { recursive: true, force: true });
  });

  const options = (secretsKeys?: readonly string[]): OpenStoreOptions => ({
    databaseUrl: database?.url,
    ...{ dataDir: folder, connections: 2, deadlines: defaultDeadlines, dnsZone: zone, secretsKeys },
    log: { warn: (message) => warnings.push(message) },
  });
  async function close(): Promise<void> {
    await store?.close();
    store = null;
  }
  const keyFile = () => readFileSync(join(folder, 'secrets-key'), 'utf8');

  /** The store, opened anew with these keys. */
  async function open(...keys: string[]): Promise<OpenStore> {
    await close();
    store = await openStore(options(keys.length > 0 ? keys : undefined));
    return store;
  }

  async function saved(result: Promise<SaveResult>): Promise<string> {
    const is = await result;
    if (is.outcome !== 'SAVED') throw new Error(JSON.stringify(is));
    return is.id;
  }

  const callerOf = ({ defaultOrganizationId: organizationId }: OpenStore): Caller => ({
    ...{ organizationId, accessKeyId: 'tester', actor: { kind: 'USER', name: 'tester' } },
  });
  const declaring = (secret: boolean) => ({
    ...greenhouse,
    settings: {
      ...greenhouse.settings,
      token: { type: 'STRING', secret, required: false },
      note: { type: 'STRING', required: false },
    },
  });

  /** A solution with a version that declares the setting `token`, as a secret or not. */
  async function publish(on: OpenStore, secret: boolean): Promise<SaveResult> {
    const caller = callerOf(on);
    await createSolution(on, caller, { key: 'solution' });
    const definition = declaring(secret);
    return publishSolutionVersion(on, caller, { solution: 'solution', definition });
  }

  async function instance(on: OpenStore, key: string, settings: object): Promise<SaveResult> {
    const caller = callerOf(on);
    await createBillingSubscription(on, caller, { key: 'trial', trial: true });
    await saved(createDeviceRepository(on, caller, { key, storage: 'LOCAL' }));
    return createInstance(on, caller, {
      ...{ key, solution: 'solution', subscription: 'trial', deviceRepository: key },
      ...{ settings, configuration: { app: {} } },
    });
  }

  interface Row {
    readonly id: string;
    readonly settings: Record<string, unknown>;
    readonly secretSettings: string[];
  }
  const row = (on: OpenStore, key: string) =>
    one<Row>(
      on,
      `select id, settings, secret_settings as "secretSettings" from instances where key = $1`,
      [key],
    );

  /** The settings as the runtime gets them. */
  async function opened(on: OpenStore, key: string) {
    const stored = await row(on, key);
    return openSettings(stored, { instanceId: stored.id, keys: on.secretKeys });
  }

  /** The tables with rows that contain a text. */
  async function holders(on: OpenStore, text: string): Promise<string[]> {
    const tables = await on.database.query<{ name: string }>(
      `select quote_ident(table_name) as name from information_schema.tables
        where table_schema = 'public' and table_type = 'BASE TABLE' order by 1`,
    );
    const found: string[] = [];
    for (const { name } of tables) {
      const rows = await on.database.query(
        `select 1 from ${name} t where t::text like '%' || $1 || '%' limit 1`,
        [text],
      );
      if (rows.length > 0) found.push(name);
    }
    return found;
  }

  /** Puts the value in clear into the row, as a server from before sealing did. */
  const inClear = (on: OpenStore, key: string, token: string) =>
    on.database.query(
      `update instances set settings = settings || jsonb_build_object('token', $2::text) where key = $1`,
      [key, token],
    );

  test('what was in clear is sealed when a server with a key starts', async () => {
    const key = newKey();
    const before = await open(key);
    await saved(publish(before, true));
    for (const name of ['a1', 'a2']) await saved(instance(before, name, { token: 'x', note: 'n' }));
    await inClear(before, 'a1', 'hush-clear');
    expect(await holders(before, 'hush-clear')).toEqual(['instances']);
    expect(await opened(before, 'a1'), 'readable until then').toMatchObject({
      token: 'hush-clear',
    });

    const after = await open(key);
    expect(await holders(after, 'hush-clear')).toEqual([]);
    expect(await opened(after, 'a1')).toEqual({ token: 'hush-clear', note: 'n' });
    expect(await opened(after, 'a2')).toEqual({ token: 'x', note: 'n' });
    expect(warnings).toEqual([]);
  });

  test('a value that was moved to another row does not open', async () => {
    const on = await open(newKey());
    await saved(publish(on, true));
    for (const name of ['a1', 'a2']) await saved(instance(on, name, { token: `hush of ${name}` }));
    await on.database.query(
      `update instances set settings = (select settings from instances where key = 'a1') where key = 'a2'`,
    );
    await expect(opened(on, 'a2')).rejects.toThrow(/does not open/);
  });

  test('a version that makes settings secrets has them sealed', async () => {
    const on = await open(newKey());
    await saved(publish(on, false));
    await saved(instance(on, 'a1', { token: 'hush-open', note: 'n' }));
    expect(await holders(on, 'hush-open')).toEqual(['instances']);
    await saved(publish(on, true));
    expect(await holders(on, 'hush-open')).toEqual([]);
    expect(await opened(on, 'a1')).toEqual({ token: 'hush-open', note: 'n' });
  });

  test('the key is rotated, and a rotation that was cut off is continued', async () => {
    const [old, next] = [newKey(), newKey()];
    const before = await open(old);
    await saved(publish(before, true));
    for (const name of ['a1', 'a2', 'a3'])
      await saved(instance(before, name, { token: `hush-${name}` }));
    const [a1, sealed] = [await row(before, 'a1'), secretKeys([next])];
    // As far as a rotation came that was cut off.
    const place = `instances/${a1.id}/settings/token`;
    await before.database.query(
      'update instances set settings = $2::text::jsonb where id = $1::uuid',
      [a1.id, JSON.stringify({ token: sealed.seal('hush-a1', place) })],
    );
    const [engine] = await before.database.query<{ id: string }>(
      `insert into compute_providers (id, organization_id, key, name, kind)
       values (gen_random_uuid(), $1::uuid, 'engine', 'engine', 'DOCKER') returning id`,
      [before.defaultOrganizationId],
    );
    const providerId = engine?.id ?? '';
    const credentials = before.secretKeys.seal({ clientKey: 'k' }, providerPlace(providerId));
    await before.database.query(
      'update compute_providers set secrets = $2::text::jsonb where id = $1::uuid',
      [providerId, JSON.stringify(credentials)],
    );
    const repositoryId = await saved(
      createContainerRepository(before, callerOf(before), {
        ...{ key: 'images', image: 'registry.example/runtime' },
        credentials: { username: 'fleet', password: 'open sesame' },
      }),
    );
    await close();

    const rotated = await rotateSecrets(options([next, old]));
    expect(rotated).toEqual({ keyId: sealed.id, rows: 4, unreadable: [] });
    expect(await rotateSecrets(options([next]))).toMatchObject({ rows: 0 });
    const after = await open(next);
    for (const name of ['a1', 'a2', 'a3'])
      expect(await opened(after, name)).toEqual({ token: `hush-${name}` });
    expect(await findProvider(after, providerId)).toMatchObject({ secrets: { clientKey: 'k' } });
    const { password } = await one<{ password: unknown }>(
      after,
      'select password from container_repositories where key = $1',
      ['images'],
    );
    const opens = after.secretKeys.open(password, passwordPlace(repositoryId));
    expect(opens).toBe('open sesame');
    expect(warnings).toEqual([]);
  });

  test('without the key of a secret it says which, and setting it anew mends that', async () => {
    const [lost, found] = [newKey(), newKey()];
    const before = await open(lost);
    await saved(publish(before, true));
    await saved(instance(before, 'a1', { token: 'hush', note: 'n' }));

    const after = await open(found);
    const { id } = await row(after, 'a1');
    const lostId = secretKeys([lost]).id ?? '-';
    expect(warnings).toEqual([expect.stringMatching(`SECRETS_KEY lacks the key ${lostId}`)]);
    const target = (await instanceTargets(after, [id])).get(id);
    expect(target && unreadableSecret(after, target)).toMatchObject({
      code: 'SECRETS_KEY_MISSING',
      message: expect.stringContaining(lostId),
    });
    const update = (settings: object) =>
      updateInstance(after, callerOf(after), { instance: 'a1', settings });
    expect(await update({ note: 'm' })).toEqual({
      outcome: 'INVALID',
      issues: [{ path: 'settings.token', message: expect.stringContaining(lostId) }],
    });
    await close();
    expect(await rotateSecrets(options([found]))).toMatchObject({
      unreadable: [expect.stringMatching(/^settings\.token of instance a1: /)],
    });
    const again = await open(found);
    await saved(
      updateInstance(again, callerOf(again), { instance: 'a1', settings: { token: 'anew' } }),
    );
    expect(await opened(again, 'a1')).toEqual({ token: 'anew', note: 'n' });
    const mended = (await instanceTargets(again, [id])).get(id);
    expect(mended && unreadableSecret(again, mended)).toBeNull();
  });

  if (kind === 'PGLITE') {
    test('the embedded store makes its key once, for its owner alone', async () => {
      const before = await open();
      await saved(publish(before, true));
      await saved(instance(before, 'a1', { token: 'hush' }));
      const key = keyFile();
      expect(statSync(join(folder, 'secrets-key')).mode & 0o777).toBe(0o600);
      expect(await opened(await open(), 'a1')).toEqual({ token: 'hush' });
      expect(keyFile()).toBe(key);
      expect(await holders(await open(), key.trim())).toEqual([]);
    });

    test('a key file that is gone or spoilt stops the start', async () => {
      const before = await open();
      await saved(publish(before, true));
      await saved(instance(before, 'a1', { token: 'hush' }));
      const key = keyFile();
      await close();
      rmSync(join(folder, 'secrets-key'));
      await expect(open()).rejects.toThrow(/secrets-key is gone.*restore it/);
      expect(() => keyFile()).toThrow();
      writeFileSync(join(folder, 'secrets-key'), 'spoilt\n');
      await expect(open()).rejects.toThrow(/holds no key: restore it/);
      writeFileSync(join(folder, 'secrets-key'), key);
      expect(await opened(await open(), 'a1')).toEqual({ token: 'hush' });
    });

    test('its key is rotated, also after a rotation that was cut off', async () => {
      const before = await open();
      await saved(publish(before, true));
      await saved(instance(before, 'a1', { token: 'hush' }));
      const first = keyFile();
      await close();
      const { keyId } = await rotateSecrets(options());
      const second = keyFile();
      expect(second).not.toBe(first);
      expect(second.trim().split('\n')).toHaveLength(1);
      expect(secretKeys([second.trim()]).id).toBe(keyId);

      // The next one was cut off when its key stood in the file, and nothing was sealed with it.
      const third = newKey();
      writeFileSync(join(folder, 'secrets-key'), `${third}\n${second}`);
      expect(await opened(await open(), 'a1')).toEqual({ token: 'hush' });
      await close();
      expect(await rotateSecrets(options())).toMatchObject({ rows: 1, unreadable: [] });
      expect(keyFile()).toBe(`${third}\n`);
      expect(await opened(await open(), 'a1')).toEqual({ token: 'hush' });
    });
  } else {
    test('PostgreSQL needs a key as soon as there is a secret', async () => {
      const on = await open();
      await saved(publish(on, false));
      await saved(instance(on, 'a1', { token: 'open' }));
      expect(await publish(on, true)).toMatchObject({
        outcome: 'INVALID',
        issues: [
          { path: 'definition.settings', message: expect.stringContaining('set SECRETS_KEY') },
        ],
      });
      const caller = callerOf(on);
      await saved(updateInstance(on, caller, { instance: 'a1', settings: { token: null } }));
      await saved(publish(on, true));
      await saved(updateInstance(on, caller, { instance: 'a1', settings: { note: 'n' } }));
      const refused = {
        outcome: 'INVALID',
        issues: [{ path: 'settings.token', message: expect.stringContaining('set SECRETS_KEY') }],
      };
      expect(await instance(on, 'a2', { token: 'hush' })).toMatchObject(refused);
      expect(
        await updateInstance(on, caller, { instance: 'a1', settings: { token: 'hush' } }),
      ).toMatchObject(refused);
      await expect(rotateSecrets(options())).rejects.toThrow(/SECRETS_KEY=new,old/);
    });
  }
});
