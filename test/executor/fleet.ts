/** A store, a scripted driver and an executor over it; runtimes play their part by a script. */
import { randomUUID } from 'node:crypto';
import { expect } from 'vitest';
import type { DnsProvider } from '../../src/drivers/dns/provider.ts';
import { type Executor, startExecutor } from '../../src/executor/executor.ts';
import { type Deadlines, defaultDeadlines } from '../../src/lifecycle/change.ts';
import { type HostAction, hostEdges } from '../../src/lifecycle/host.ts';
import { type InstanceAction, instanceEdges } from '../../src/lifecycle/instance.ts';
import {
  type CommandResult,
  commandHost,
  commandInstance,
} from '../../src/store/command/lifecycle-commands.ts';
import {
  completeRuntimeCommand,
  openRuntimeCommands,
  reportRuntime,
} from '../../src/store/command/runtime-reports.ts';
import { createStore, type Store } from '../../src/store/commit/store.ts';
import type { Database } from '../../src/store/database/database.ts';
import { openPostgres } from '../../src/store/database/postgres.ts';
import type { ScriptedDriver, ScriptedRuntime } from '../drivers/script.ts';
import { createScriptedDriver } from '../drivers/scripted.ts';
import { createMigratedDatabase } from '../harness/database.ts';
import { openTestPglite } from '../harness/embedded.ts';
import { eventually } from '../harness/eventually.ts';
import { createOrganization } from '../harness/rows.ts';

export const actor = { kind: 'USER', name: 'test' } as const;

/** A migrated, empty database of either store. */
export async function openDatabase(kind: 'PGLITE' | 'POSTGRES'): Promise<{
  database: Database;
  url: string | null;
  drop(): Promise<void>;
}> {
  const own = kind === 'POSTGRES' ? await createMigratedDatabase() : null;
  const database = own ? openPostgres(own.url, { connections: 8 }) : await openTestPglite();
  for (const [table, edges, type] of [
    ['instance_edges', instanceEdges, 'instance_state'],
    ['host_edges', hostEdges, 'host_state'],
  ] as const) {
    await database.query(
      `insert into ${table} select (e->>'from')::${type}, (e->>'to')::${type}
         from jsonb_array_elements($1::text::jsonb) e`,
      [JSON.stringify(edges)],
    );
  }
  return {
    database,
    url: own?.url ?? null,
    async drop() {
      await database.close();
      await own?.drop();
    },
  };
}

/** What a runtime of the script does with its commands; a test replaces parts of it. */
export interface RuntimeScript {
  online: boolean;
  /** Null: never answered. */
  complete: (kind: string) => { done: boolean; message: string | null } | null;
}

export interface Fleet {
  readonly store: Store;
  readonly driver: ReturnType<typeof createScriptedDriver>;
  /** Plays the runtimes of another driver too. */
  playRuntimesOf(driver: ScriptedDriver): void;
  readonly runtime: RuntimeScript;
  readonly records: Map<string, string>;
  executor: Executor | null;
  startExecutor(): Promise<Executor>;
  host(key: string): Promise<string>;
  instance(key: string, hostKey: string | null, desired?: string): Promise<string>;
  command(action: Exclude<InstanceAction, 'DELETE'>, key: string): Promise<CommandResult>;
  hostCommand(action: Exclude<HostAction, 'DELETE'>, key: string): Promise<CommandResult>;
  stateOf(key: string): Promise<string>;
  until(key: string, state: string, seconds?: number): Promise<void>;
  history(key: string): Promise<string[]>;
  close(): Promise<void>;
}

/** Deadlines in seconds, all of them short unless a test says otherwise. */
export const shortDeadlines = (seconds: number): Deadlines => ({
  instance: Object.fromEntries(Object.keys(defaultDeadlines.instance).map((s) => [s, seconds])),
  host: Object.fromEntries(Object.keys(defaultDeadlines.host).map((s) => [s, seconds])),
  removal: seconds * 3,
  healthCheck: 0.3,
});

export async function createFleet(
  kind: 'PGLITE' | 'POSTGRES',
  deadlines: Deadlines = { ...defaultDeadlines, healthCheck: 0.3 },
): Promise<Fleet> {
  const opened = await openDatabase(kind);
  const { database } = opened;
  const store = createStore(database, deadlines);
  const driver = createScriptedDriver();
  const records = new Map<string, string>();
  const dns: DnsProvider = {
    kind: 'TEST',
    publish: async ({ name, address }) => void records.set(name, address),
    withdraw: async (name) => void records.delete(name),
    resolve: async (name) => [{ server: 'test', addresses: [records.get(name) ?? []].flat() }],
  };
  const runtime: RuntimeScript = {
    online: true,
    complete: () => ({ done: true, message: null }),
  };
  const players = new Set<Promise<void>>();
  let closed = false;
  const playRuntimesOf = (of: ScriptedDriver): void =>
    of.script.onStarted((started) => {
      const player = play(store, of, started, runtime, () => closed).catch(() => undefined);
      players.add(player);
    });
  playRuntimesOf(driver);

  const organizationId = await createOrganization(database, 'test');
  const [solution, subscription] = [randomUUID(), randomUUID()];
  await database.query(
    'insert into solutions (id, organization_id, key, name) values ($1::uuid, $2::uuid, $3, $3)',
    [solution, organizationId, 'solution'],
  );
  await database.query(
    `insert into solution_versions (id, organization_id, solution_id, version, ordinal, definition)
     values ($1::uuid, $2::uuid, $3::uuid, '1.0', 1, '{}')`,
    [randomUUID(), organizationId, solution],
  );
  await database.query(
    `insert into billing_subscriptions (id, organization_id, key, name)
     values ($1::uuid, $2::uuid, $3, $3)`,
    [subscription, organizationId, 'subscription'],
  );

  const base = (reference: string) => ({
    organizationId,
    actor,
    reference,
    reason: null,
    expectedSequence: null,
    idempotency: null,
  });
  const stateOf = async (key: string) => {
    const [row] = await database.query<{ state: string }>(
      `select state::text from instances where key = $1 union all
       select state::text from hosts where key = $1`,
      [key],
    );
    return row?.state ?? 'NOT THERE';
  };
  const fleet: Fleet = {
    store,
    driver,
    playRuntimesOf,
    runtime,
    records,
    executor: null,
    async startExecutor() {
      fleet.executor = await startExecutor(store, {
        drivers: [driver],
        dns,
        endpoint: () => 'ws://127.0.0.1:1/graphql',
        name: 'test',
        heartbeatSeconds: 1,
        settleSeconds: 0,
        log: { warn: () => undefined, error: (details) => console.error(details) },
      });
      return fleet.executor;
    },
    async host(key) {
      const id = randomUUID();
      await database.query(
        `insert into hosts (id, organization_id, key, name, provider_id, driver, size, dns_name)
         select $1::uuid, $2::uuid, $3, $3, id, kind, 'SMALL', $4 from compute_providers
          where organization_id = $2::uuid and is_default`,
        [id, organizationId, key, `${key}.instances.test`],
      );
      return id;
    },
    async instance(key, hostKey, desired = 'RUNNING') {
      const [id, repository] = [randomUUID(), randomUUID()];
      await database.query(
        `insert into device_repositories (id, organization_id, key, name, storage)
         values ($1::uuid, $2::uuid, $3, $3, 'LOCAL')`,
        [repository, organizationId, key],
      );
      await database.query(
        `insert into instances (id, organization_id, key, name, solution_id, subscription_id,
           device_repository_id, host_id, edition, desired)
         select $1::uuid, $2::uuid, $3, $3, $4::uuid, $5::uuid, $6::uuid,
                (select id from hosts where key = $7), 'APP', $8::desired_instance_state`,
        [id, organizationId, key, solution, subscription, repository, hostKey, desired],
      );
      return id;
    },
    command: (action, key) => commandInstance(store, action, base(key)),
    hostCommand: (action, key) => commandHost(store, action, base(key)),
    stateOf,
    until: (key, state, seconds = 15) =>
      eventually(async () => expect(await stateOf(key)).toBe(state), seconds),
    async history(key) {
      const rows = await database.query<{ to: string }>(
        `select coalesce(l.instance_to::text, l.host_to::text) as to from log l
          where l.kind = 'TRANSITION' and l.resource_id in (
            select id from instances where key = $1 union all select id from hosts where key = $1)
          order by l.sequence`,
        [key],
      );
      return rows.map(({ to }) => to);
    },
    async close() {
      closed = true;
      await fleet.executor?.stop();
      await Promise.all(players);
      await driver.close();
      await opened.drop();
    },
  };
  return fleet;
}

/** A runtime's part: it reports, does what it is told, and ends when its run is over. */
async function play(
  store: Store,
  driver: Fleet['driver'],
  { request }: ScriptedRuntime,
  script: RuntimeScript,
  isClosed: () => boolean,
): Promise<void> {
  const { runId, instanceId } = request;
  if (script.online) {
    await reportRuntime(store, { runId, report: 'ONLINE', message: null, counters: null });
  }
  while (!isClosed()) {
    const now = driver.script.runtimes.get(instanceId);
    if (now?.request.runId !== runId || now.observation.state !== 'running') return;
    for (const command of await openRuntimeCommands(store, runId)) {
      const answer = script.complete(command.kind);
      if (!answer) continue;
      await completeRuntimeCommand(store, {
        runId,
        commandId: command.id,
        ...answer,
        endpoints: [],
      });
      if (command.kind === 'STOP') driver.script.exitRuntime(instanceId, { exitCode: 0 });
    }
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}
