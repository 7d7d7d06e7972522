import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, beforeEach, expect } from 'vitest';
import { defaultDeadlines } from '../../src/lifecycle/change.ts';
import { openPostgres } from '../../src/store/database/postgres.ts';
import type { Caller } from '../../src/store/input/caller.ts';
import type { SaveResult } from '../../src/store/input/save-result.ts';
import { type OpenStore, setUpStore } from '../../src/store/open.ts';
import { createBillingSubscription } from '../../src/store/resource/billing-subscriptions.ts';
import { createContainerRepository } from '../../src/store/resource/container-repositories.ts';
import { createDeviceRepository } from '../../src/store/resource/device-repositories.ts';
import type { CreateInstanceInput } from '../../src/store/resource/instances.ts';
import { createSolution, publishSolutionVersion } from '../../src/store/resource/solutions.ts';
import { newKey, secretKeys } from '../../src/store/secret/keys.ts';
import { createMigratedDatabase } from '../harness/database.ts';
import { openTestPglite } from '../harness/embedded.ts';
import { createOrganization } from '../harness/rows.ts';

export const storeKinds = ['PGLITE', 'POSTGRES'] as const;
export type StoreKind = (typeof storeKinds)[number];

export const zone = 'instances.test';

/** The key of secrets of test stores. */
export const secretsKeys: readonly string[] = [newKey()];
const keysOf = async () => secretKeys(secretsKeys);

/** An empty store of this kind; closing it takes it away. */
export async function openTestStore(kind: StoreKind): Promise<OpenStore> {
  const options = { deadlines: defaultDeadlines, dnsZone: zone };
  if (kind === 'PGLITE') {
    const database = await openTestPglite();
    return setUpStore(database, options, { keysOf, close: () => database.close() });
  }
  const own = await createMigratedDatabase();
  const database = openPostgres(own.url, { connections: 4 });
  return setUpStore(database, options, {
    keysOf,
    async close() {
      await database.close();
      await own.drop();
    },
  });
}

/** A caller of an organization of its own, in which every key is free. */
export async function newCaller(store: OpenStore): Promise<Caller> {
  const organizationId = await createOrganization(store.database);
  return { organizationId, accessKeyId: 'tester', actor: { kind: 'USER', name: 'tester' } };
}

const tables = [
  'solutions',
  'solution_versions',
  'container_repositories',
  'container_tags',
  'device_repositories',
  'billing_subscriptions',
  'hosts',
  'instances',
  'log',
  'operations',
  'work',
  'metering_intervals',
  'idempotency_keys',
];

/** All that a save could write, as text: equal before and after means that nothing was written. */
export async function everything(store: OpenStore): Promise<string> {
  const rows = await store.database.query(
    `${tables
      .map((table) => `select '${table}' as table, t::text as row from ${table} t`)
      .join(' union all ')} order by 1, 2`,
  );
  return JSON.stringify(rows, null, 1);
}

/** The first row of a query. */
export async function one<R extends object>(
  store: OpenStore,
  text: string,
  parameters: (string | number)[] = [],
): Promise<R> {
  const [row] = await store.database.query<R>(text, parameters);
  if (!row) throw new Error(`no row: ${text}`);
  return row;
}

export const greenhouse = JSON.parse(
  readFileSync(new URL('../../schema/greenhouse.json', import.meta.url), 'utf8'),
) as Record<string, unknown> & { settings: object };
const withSecret = {
  ...greenhouse,
  settings: { ...greenhouse.settings, listenerKey: { type: 'STRING', secret: true } },
};

/** A store for the tests of a suite, a new organization for each, and what they say of saves. */
export function useStore(kind: StoreKind) {
  let store: OpenStore;
  let caller: Caller;
  let made = 0;
  beforeAll(async () => {
    store = await openTestStore(kind);
  });
  afterAll(() => store.close());
  beforeEach(async () => {
    caller = await newCaller(store);
  });

  /** The id of what was saved. */
  async function saved(result: Promise<SaveResult>): Promise<string> {
    const is = await result;
    if (is.outcome !== 'SAVED') throw new Error(JSON.stringify(is));
    return is.id;
  }

  /** What a save is refused with; it has written nothing. */
  async function refused(attempt: () => Promise<SaveResult>): Promise<SaveResult> {
    const before = await everything(store);
    const result = await attempt();
    expect(result.outcome).not.toBe('SAVED');
    expect(await everything(store)).toBe(before);
    return result;
  }

  /** The paths that an input is refused for, in order. */
  async function faults(attempt: () => Promise<SaveResult>): Promise<string[]> {
    const result = await refused(attempt);
    if (result.outcome !== 'INVALID') throw new Error(JSON.stringify(result));
    for (const { message } of result.issues) expect(message).toMatch(/\w/);
    return result.issues.map(({ path }) => path);
  }

  /** All that an instance needs, and its input. */
  async function needs(): Promise<CreateInstanceInput> {
    made += 1;
    const key = `${kind.toLowerCase()}-${made}`;
    await saved(createSolution(store, caller, { key, definition: withSecret }));
    await saved(publishSolutionVersion(store, caller, { solution: key }));
    await saved(
      createContainerRepository(store, caller, { key, image: 'runtime', tags: ['0.9', '1.0'] }),
    );
    await saved(createDeviceRepository(store, caller, { key }));
    await saved(createBillingSubscription(store, caller, { key }));
    return {
      key,
      solution: key,
      subscription: key,
      deviceRepository: key,
      settings: { listenerKey: 'hush' },
      configuration: {
        container: {
          deploymentType: 'MANAGED',
          workingStorage: 'CLOUD',
          imageSize: 'MEDIUM',
          containerRepository: key,
        },
      },
    };
  }

  return {
    get store() {
      return store;
    },
    get caller() {
      return caller;
    },
    saved,
    refused,
    faults,
    needs,
  };
}
