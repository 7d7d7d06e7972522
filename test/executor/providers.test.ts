/** A node and its compute providers: one driver each, a budget each, and a breaker that says so. */
import { randomUUID } from 'node:crypto';
import { afterEach, describe, expect, test } from 'vitest';
import { DriverError } from '../../src/drivers/driver.ts';
import { type Executor, startExecutor } from '../../src/executor/executor.ts';
import { hastenCheck } from '../../src/store/command/provider-check.ts';
import type { OpenProvider } from '../../src/store/read/providers.ts';
import { newKey, secretKeys } from '../../src/store/secret/keys.ts';
import { providerPlace } from '../../src/store/secret/provider.ts';
import type { StoredProviderStatus } from '../../src/store/table/schema.ts';
import { newCall, newHost, newRun } from '../drivers/calls.ts';
import type { ScriptedDriver } from '../drivers/script.ts';
import { createScriptedDriver } from '../drivers/scripted.ts';
import { eventually } from '../harness/eventually.ts';
import { createFleet, type Fleet } from './fleet.ts';

const unreachable = new DriverError('ENGINE_UNREACHABLE', 'No engine answers.', {
  retryable: true,
});

describe.each(['PGLITE', 'POSTGRES'] as const)('providers on %s', (kind) => {
  let fleet: Fleet;
  let executor: Executor | null = null;
  /** The engines behind the providers, by key. */
  let engines: Map<string, ScriptedDriver>;
  let opened: OpenProvider[];
  let closed: string[];
  afterEach(async () => {
    await executor?.stop();
    executor = null;
    await fleet.close();
  });

  const query = <R extends object>(text: string, parameters: string[] = []) =>
    fleet.store.database.query<R>(text, parameters);

  /** A fleet with a node that opens drivers for Docker engines, and these engines. */
  async function open(...keys: string[]): Promise<void> {
    fleet = await createFleet(kind);
    engines = new Map(keys.map((key) => [key, createScriptedDriver()]));
    [opened, closed] = [[], []];
    for (const each of engines.values()) fleet.playRuntimesOf(each);
    for (const key of keys) {
      await query(
        `insert into compute_providers (id, organization_id, key, name, kind)
         select $1::uuid, id, $2, $2, 'DOCKER' from organizations where key = 'test'`,
        [randomUUID(), key],
      );
    }
    executor = await startExecutor(fleet.store, {
      drivers: [fleet.driver],
      opener: {
        kinds: ['DOCKER'],
        open(provider) {
          opened.push(provider);
          const { key, version } = provider;
          return {
            ...(engines.get(key) ?? createScriptedDriver()).script.reopen(),
            kind: 'DOCKER',
            close: async () => void closed.push(`${key} ${version}`),
          };
        },
      },
      dns: {
        kind: 'TEST',
        publish: async ({ name, address }) => void fleet.records.set(name, address),
        withdraw: async (name) => void fleet.records.delete(name),
        resolve: async (name) => [
          { server: 'test', addresses: [fleet.records.get(name) ?? []].flat() },
        ],
      },
      endpoint: () => 'ws://127.0.0.1:1/graphql',
      name: 'test',
      // No runtime is missed by its heartbeats here.
      heartbeatSeconds: 600,
      settleSeconds: 0,
      log: { warn: () => undefined, error: (details) => console.error(details) },
    });
  }

  const engine = (key: string) => {
    const found = engines.get(key);
    if (!found) throw new Error(`no engine ${key}`);
    return found.script;
  };

  async function host(key: string, provider: string): Promise<void> {
    await fleet.host(key);
    await query(
      `update hosts h set provider_id = p.id, driver = p.kind from compute_providers p
        where h.key = $1 and p.key = $2`,
      [key, provider],
    );
  }

  async function status(key: string): Promise<StoredProviderStatus | null> {
    const [row] = await query<{ status: StoredProviderStatus | null }>(
      'select status from compute_providers where key = $1',
      [key],
    );
    return row?.status ?? null;
  }

  async function hasten(key: string): Promise<void> {
    const [row] = await query<{ id: string }>('select id from compute_providers where key = $1', [
      key,
    ]);
    await hastenCheck(fleet.store, row?.id ?? '');
  }

  test('each has a driver of its own, opened when it is needed, anew when it was edited', async () => {
    await open('a', 'b');
    await eventually(async () => {
      expect((await status('a'))?.reachable).toBe(true);
      expect((await status('b'))?.reachable).toBe(true);
      expect((await status('local'))?.reachable).toBe(true);
    });
    await host('on-a', 'a');
    await host('on-local', 'local');
    for (const key of ['on-a', 'on-local']) await fleet.hostCommand('DEPLOY', key);
    for (const key of ['on-a', 'on-local']) await fleet.until(key, 'RUNNING');
    expect(engine('a').hosts.size).toBe(1);
    expect(engine('b').hosts.size).toBe(0);
    expect(fleet.driver.script.hosts.size).toBe(1);
    expect(opened.map(({ key, version }) => `${key} ${version}`).sort()).toEqual(['a 1', 'b 1']);

    await query(
      `update compute_providers set version = 2, configuration = '{"endpoint":"x"}' where key = 'a'`,
    );
    await fleet.hostCommand('RESTART', 'on-a');
    await fleet.until('on-a', 'RUNNING');
    expect(opened.at(-1)).toMatchObject({ key: 'a', version: 2, configuration: { endpoint: 'x' } });
    await eventually(async () => expect(closed).toEqual(['a 1']));
    await executor?.stop();
    expect(closed.sort()).toEqual(['a 1', 'a 2', 'b 1']);
  });

  test('one that hangs with all that it may do delays no other of its kind', async () => {
    await open('hangs', 'works');
    engine('hangs').hang('allocateHost');
    const keys = Array.from({ length: 40 }, (_, n) => `hangs-${n}`);
    for (const key of keys) {
      await host(key, 'hangs');
      await fleet.hostCommand('DEPLOY', key);
    }
    const calls = () => engine('hangs').calls.filter(({ verb }) => verb === 'allocateHost').length;
    await eventually(async () => expect(calls()).toBeGreaterThanOrEqual(32));
    for (const key of ['works-1', 'works-2']) {
      await host(key, 'works');
      await fleet.hostCommand('DEPLOY', key);
    }
    for (const key of ['works-1', 'works-2']) await fleet.until(key, 'RUNNING');
    expect(await fleet.stateOf('hangs-0')).toBe('DEPLOYING');
  });

  test('one that does not answer is left alone, says why, and is taken up again', async () => {
    await open('gone');
    await eventually(async () => expect((await status('gone'))?.reachable).toBe(true));
    for (const verb of ['inspectEngine', 'allocateHost'] as const)
      engine('gone').fail(verb, unreachable);
    const keys = Array.from({ length: 8 }, (_, n) => `gone-${n}`);
    for (const key of keys) await host(key, 'gone');
    for (const key of keys) await fleet.hostCommand('DEPLOY', key);
    // The open breaker has it asked at once, not in a minute.
    await eventually(async () =>
      expect(await status('gone')).toMatchObject({
        ...{ reachable: false, version: '1', platform: 'scripted/none' },
        failure: { code: 'ENGINE_UNREACHABLE', message: 'No engine answers.' },
      }),
    );
    await eventually(async () => {
      const rows = await query<{ code: string; attempt: number }>(
        `select first_cause ->> 'code' as code, attempt from work where kind = 'ALLOCATE_HOST'`,
      );
      expect(rows).toHaveLength(8);
      const codes = new Set(rows.map(({ code }) => code));
      expect([...codes]).toEqual(expect.arrayContaining(['PROVIDER_UNREACHABLE']));
    });
    const asked = engine('gone').calls.filter(({ verb }) => verb === 'allocateHost').length;
    const attempts = await query<{ n: number }>(
      `select sum(attempt)::int as n from work where kind = 'ALLOCATE_HOST'`,
    );
    expect(asked).toBeLessThan(attempts[0]?.n ?? 0);

    engine('gone').heal();
    await hasten('gone');
    for (const key of keys) await fleet.until(key, 'RUNNING', 60);
    expect(await status('gone')).toMatchObject({ reachable: true, failure: null });
  }, 90_000);

  test('an exit that it tells is seen at once, one that it did not tell at its next check', async () => {
    await open('a');
    await host('host', 'a');
    await fleet.hostCommand('DEPLOY', 'host');
    await fleet.until('host', 'RUNNING');
    const ids = new Map<string, string>();
    for (const key of ['told', 'missed']) {
      ids.set(key, await fleet.instance(key, 'host'));
      await fleet.command('DEPLOY', key);
      await fleet.until(key, 'RUNNING');
      await eventually(async () =>
        expect(
          await query('select from work where resource_id = $1::uuid', [ids.get(key) ?? '']),
        ).toEqual([]),
      );
    }
    await eventually(async () => expect(engine('a').watched()).toBe(1));
    engine('a').exitRuntime(ids.get('told') ?? '', { exitCode: 7 });
    await fleet.until('told', 'FATAL_ERROR');

    // Nothing is asked of an engine that has ended the watch so soon; the exit falls into that time.
    engine('a').endWatches();
    await eventually(async () => expect(engine('a').watched()).toBe(0));
    engine('a').exitRuntime(ids.get('missed') ?? '', { exitCode: 7 });
    expect(await fleet.stateOf('missed')).toBe('RUNNING');
    await hasten('a');
    await fleet.until('missed', 'FATAL_ERROR');
    await eventually(async () => expect(engine('a').watched()).toBe(1));
    // A check takes the place of the one before, with its watch.
    await hasten('a');
    const checks = () => engine('a').calls.filter(({ verb }) => verb === 'listHoldings').length;
    const before = checks();
    await eventually(async () => expect(checks()).toBeGreaterThan(before));
    await eventually(async () => expect(engine('a').watched()).toBe(1));
  });

  test('one whose credentials do not open says which key they need', async () => {
    await open('locked');
    const keys = secretKeys([newKey()]);
    const [row] = await query<{ id: string }>(
      `select id from compute_providers where key = 'locked'`,
    );
    const secrets = keys.seal({ clientKey: 'k' }, providerPlace(row?.id ?? ''));
    await query(
      `update compute_providers set version = 2, secrets = $1::text::jsonb where key = 'locked'`,
      [JSON.stringify(secrets)],
    );
    await hasten('locked');
    await eventually(async () =>
      expect(await status('locked')).toMatchObject({
        reachable: false,
        failure: { code: 'SECRETS_KEY_MISSING', message: expect.stringContaining(keys.id ?? '-') },
      }),
    );
  });

  test('what does not fit on one is refused with both figures; of two at once one has the room', async () => {
    await open('small');
    await eventually(async () => expect((await status('small'))?.reachable).toBe(true));
    // Hosts of size SMALL: half a CPU each.
    await query(
      `update compute_providers set status = status || '{"capacity":{"cpus":1,"memoryBytes":68719476736}}'
        where key = 'small'`,
    );
    const keys = Array.from({ length: 4 }, (_, n) => `host-${n}`);
    for (const key of keys) await host(key, 'small');
    await Promise.all(keys.map((key) => fleet.hostCommand('DEPLOY', key)));
    await eventually(async () => {
      const states = await Promise.all(keys.map((key) => fleet.stateOf(key)));
      expect(states.sort()).toEqual([
        ...['FAILED_DEPLOYMENT', 'FAILED_DEPLOYMENT', 'RUNNING', 'RUNNING'],
      ]);
    });
    expect(engine('small').hosts.size).toBe(2);
    const failures = await query<{ code: string; message: string }>(
      `select failure ->> 'code' as code, failure ->> 'message' as message from hosts
        where state = 'FAILED_DEPLOYMENT'`,
    );
    for (const { code, message } of failures) {
      expect(code).toBe('PROVIDER_FULL');
      expect(message).toMatch(
        /^Provider small has .* free of 1 CPU and 64 GiB, and a host of size SMALL needs 0.5 CPU and 512 MiB/,
      );
    }
  });

  test('what one holds and the store does not know, or knows to be over, is removed', async () => {
    await open('engine');
    await host('used', 'engine');
    await fleet.instance('one', 'used');
    await fleet.command('DEPLOY', 'one');
    const script = engine('engine');
    await eventually(async () => expect(script.runtimes.size).toBe(1));
    const [used] = script.hosts.values();
    const [current] = script.runtimes.values();
    const driver = script.reopen();
    // Before any token of this database.
    const early = () => newCall({ fencingToken: 0n });
    const forgotten = newHost();
    const { handle } = await driver.allocateHost(forgotten, early());
    await driver.startRuntime(handle, newRun(), early());
    const over = newRun();
    await driver.startRuntime({ ...handle, hostId: used?.hostId }, over, early());
    expect([script.hosts.size, script.runtimes.size]).toEqual([2, 3]);

    await query('update compute_providers set sweep_due_at = clock_timestamp()');
    await hasten('engine');
    await eventually(async () => expect([...script.hosts.keys()]).toEqual([used?.hostId]));
    await eventually(async () =>
      expect(script.runtimes.get(over.instanceId)?.observation.state ?? 'exited').toBe('exited'),
    );
    expect(current?.observation.state).toBe('running');
    const [row] = await query<{ hours: number }>(
      `select extract(epoch from sweep_due_at - clock_timestamp()) / 3600 as hours
         from compute_providers where key = 'engine'`,
    );
    expect(Number(row?.hours)).toBeGreaterThan(0.9);
  });

  test('a check that hangs delays no other', async () => {
    await open('silent', 'loud');
    await eventually(async () => expect((await status('silent'))?.reachable).toBe(true));
    engine('silent').hang('inspectEngine');
    await hasten('silent');
    const asked = () => engine('silent').calls.filter(({ verb }) => verb === 'inspectEngine');
    await eventually(async () => expect(asked().length).toBeGreaterThan(1));
    const before = (await status('loud'))?.checkedAt;
    await hasten('loud');
    await eventually(async () => expect((await status('loud'))?.checkedAt).not.toBe(before));
    await eventually(
      async () =>
        expect(await status('silent')).toMatchObject({
          reachable: false,
          failure: { code: 'DRIVER_SILENT' },
        }),
      30,
    );
  }, 60_000);
});
