/** `operationUpdates` and `fleet` over WebSockets: each change of what was selected, and nothing twice. */
import { randomUUID } from 'node:crypto';
import { createClient } from 'graphql-ws';
import { pino } from 'pino';
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { WebSocket } from 'ws';
import { globalId } from '../../src/api/base/ids.ts';
import { parseConfig } from '../../src/config.ts';
import { createHttpServer, type HttpServer } from '../../src/server/server.ts';
import { eventually } from '../harness/eventually.ts';
import type { Data } from './api.ts';
import { adminToken } from './api-server.ts';
import { type Fleet, openFleet } from './fleet.ts';

let fleet: Fleet;
let server: HttpServer;
let url: string;
beforeAll(async () => {
  fleet = await openFleet('PGLITE');
  server = createHttpServer({
    config: { ...parseConfig({ PORT: '0' }), dataDir: '/nowhere', adminToken },
    store: fleet.store,
    schema: fleet.schema,
    createContext: (_viewer, request) => ({ ...fleet.context(), request }),
    log: pino({ level: 'silent' }),
    version: '0.0.0-test',
    ready: async () => true,
  });
  ({ url } = await server.start());
});
afterAll(async () => {
  await server?.stop();
  await fleet?.close();
});

interface Reading {
  readonly values: Data[];
  isOver: boolean;
  /** Waits until so many have come. */
  has(count: number): Promise<Data[]>;
}

/** Subscribes over a socket of its own. */
function subscribe(query: string, id?: string): Reading {
  const client = createClient({
    url: `${url.replace('http', 'ws')}/graphql`,
    webSocketImpl: WebSocket,
    connectionParams: { authorization: `Bearer ${adminToken}` },
  });
  onTestFinished(() => void client.dispose());
  const reading: Reading = {
    values: [],
    isOver: false,
    async has(count) {
      await eventually(() => expect(reading.values.length).toBeGreaterThanOrEqual(count));
      return reading.values;
    },
  };
  client.subscribe<Data>(
    { query: `subscription${id ? ' ($id: ID!)' : ''} { ${query} }`, variables: { id } },
    {
      next: ({ data, errors }) => void reading.values.push(Object.values(data ?? { errors })[0]),
      error: (error) => void reading.values.push({ error }),
      complete: () => {
        reading.isOver = true;
      },
    },
  );
  return reading;
}

const updates = (selection: string, { id }: StoredOperation): Reading =>
  subscribe(`operationUpdates(operation: $id) { ${selection} }`, id);

/** The instance of the test, and its host. */
let key: string;
let count = 0;
beforeEach(async () => {
  count += 1;
  key = `instance-${count}`;
  await fleet.ask(`mutation {
    createDeviceRepository(input: { key: "${key}", storage: CLOUD }) { __typename }
    createInstance(input: { key: "${key}", solution: "greenhouse", subscription: "trial",
      deviceRepository: "${key}", configuration: { app: {} } }) { __typename } }`);
});

interface StoredOperation {
  readonly uuid: string;
  /** As the API names it. */
  readonly id: string;
  /** Changes its row, with a row of the log that names it alone. */
  set(assignments: string): Promise<void>;
}

/** An operation that nothing works on. */
async function operation(
  resource: 'INSTANCE' | 'HOST' = 'INSTANCE',
  parent?: StoredOperation,
): Promise<StoredOperation> {
  const uuid = randomUUID();
  const { store, organizationId } = fleet;
  const user = '{"kind":"USER","name":"test"}';
  await store.database.query(
    `insert into operations (id, organization_id, kind, status, resource_kind, instance_id, host_id,
       requested_by, created_at, parent_id)
     select $1::uuid, $2::uuid, 'DEPLOY_INSTANCE', 'QUEUED', $3::resource_kind,
            case $3 when 'INSTANCE' then i.id end, case $3 when 'HOST' then i.host_id end,
            $4::text::jsonb, now(), $5::text::uuid
       from instances i where i.key = $6`,
    [uuid, organizationId, resource, user, parent?.uuid ?? null, key],
  );
  return {
    uuid,
    id: globalId('Operation', uuid),
    async set(assignments) {
      await store.database.query(`update operations set ${assignments} where id = $1::uuid`, [
        uuid,
      ]);
      const [row] = await store.database.query<{ revision: number }>(
        `insert into log (organization_id, kind, resource_kind, resource_id, sequence, at, actor, operation_id)
         select organization_id, 'OPERATION', resource_kind, coalesce(instance_id, host_id), 0, now(),
                requested_by, id from operations where id = $1::uuid
         returning revision`,
        [uuid],
      );
      store.committed({ revision: Number(row?.revision), work: false });
    },
  };
}

test('what fails and is tried again is told at once, and no longer when it is done', async () => {
  const { script } = fleet.driver;
  script.fail('allocateHost');
  script.fail('deployContainer');
  onTestFinished(() => script.heal());
  const host = `${key}-host`;
  const { operation } = await fleet.command('deployHost', { host });
  const reading = subscribe(
    'operationUpdates(operation: $id) { status retrying { code message stage retryable } }',
    operation.id,
  );
  const told = () => reading.values.map(({ retrying }) => retrying);
  for (const [verb, stage] of [
    ['allocateHost', 'DEPLOYING'],
    ['deployContainer', 'DEPLOYING_CONTAINER'],
  ] as const) {
    const message = expect.stringContaining(`lets ${verb} fail`);
    await eventually(() =>
      expect(told()).toContainEqual({ code: 'SCRIPTED', message, stage, retryable: true }),
    );
    script.heal(verb);
  }
  await eventually(() =>
    expect(reading.values.at(-1)).toEqual({ status: 'SUCCEEDED', retrying: null }),
  );
  // An update may show it by chance, read late: that it is told is a row of the log.
  const rows = await fleet.store.database.query(
    `select from log where kind = 'OPERATION' and operation_id = $1::uuid`,
    [Buffer.from(operation.id, 'base64').toString().split(':')[1] ?? ''],
  );
  expect(rows.length).toBeGreaterThan(0);
});

describe('operationUpdates', () => {
  test('a change of what was not selected sends nothing', async () => {
    const its = await operation();
    const [reading, witness] = [updates('status', its), updates('phase', its)];
    await Promise.all([reading.has(1), witness.has(1)]);
    for (const [index, phase] of ['one', 'two'].entries()) {
      await its.set(`phase = '${phase}'`);
      await witness.has(index + 2);
    }
    await its.set(`status = 'RUNNING'`);
    expect(await reading.has(2)).toEqual([{ status: 'QUEUED' }, { status: 'RUNNING' }]);
    await its.set(`phase = 'three'`);
    expect(await witness.has(4)).toEqual([null, 'one', 'two', 'three'].map((phase) => ({ phase })));
    // A state that was there before is another one after another.
    await its.set(`status = 'QUEUED'`);
    expect((await reading.has(3)).at(-1)).toEqual({ status: 'QUEUED' });
  });

  test('a change of its children, its parent or its resource alone is sent', async () => {
    const parent = await operation();
    const first = updates('children { phase }', parent);
    const named = updates('resource { name }', parent);
    await Promise.all([first.has(1), named.has(1)]);
    const child = await operation('HOST', parent);
    const above = updates('parent { phase }', child);
    await parent.set(`phase = 'one'`);
    expect(await first.has(2)).toEqual([{ children: [] }, { children: [{ phase: null }] }]);
    expect(await above.has(1)).toEqual([{ parent: { phase: 'one' } }]);
    await child.set(`phase = 'deploying'`);
    expect((await first.has(3)).at(-1)).toEqual({ children: [{ phase: 'deploying' }] });
    await fleet.ask(`mutation {
      updateInstance(input: { instance: "${key}", name: "Another" }) { __typename } }`);
    expect(await named.has(2)).toEqual([
      { resource: { name: key } },
      { resource: { name: 'Another' } },
    ]);
    await parent.set(`phase = 'two'`);
    expect((await above.has(2)).at(-1)).toEqual({ parent: { phase: 'two' } });
    expect([first, named].map(({ values }) => values.length)).toEqual([3, 2]);
  });

  test('others that come are sent the present; nobody is sent it again', async () => {
    const its = await operation();
    const first = updates('status phase', its);
    await first.has(1);
    const others = [updates('status phase', its), updates('status phase', its)];
    await Promise.all(others.map((other) => other.has(1)));
    await its.set(`phase = 'one'`);
    for (const reading of [first, ...others]) {
      expect(await reading.has(2)).toEqual([
        { status: 'QUEUED', phase: null },
        { status: 'QUEUED', phase: 'one' },
      ]);
    }
  });

  test('it is over although what was selected did not change', async () => {
    const its = await operation();
    const reading = updates('kind', its);
    await reading.has(1);
    await its.set(`status = 'CANCELLED', ended_at = now()`);
    await eventually(() => expect(reading.isOver).toBe(true));
    expect(reading.values).toEqual([{ kind: 'DEPLOY_INSTANCE' }]);
  });
});

test('fleet: a change that no count shows sends nothing', async () => {
  const rename = (name: string) =>
    fleet.ask(`mutation {
      updateInstance(input: { instance: "${key}", name: "${name}" }) { __typename } }`);
  const filter = `filter: { instances: { text: "${key}" } }`;
  const reading = subscribe(`fleet(${filter}) { instanceCount }`);
  const witness = subscribe(`fleet(${filter}) { instanceCount cursor }`);
  await Promise.all([reading.has(1), witness.has(1)]);
  for (const index of [2, 3]) {
    await rename(`${key} ${index}`);
    await witness.has(index);
  }
  await rename('the count is less');
  await fleet.ask(`mutation { deleteInstance(input: { instance: "${key}" }) { __typename } }`);
  await eventually(() => expect(reading.values.at(-1)).toEqual({ instanceCount: 0 }));
  expect(reading.values).toEqual([{ instanceCount: 1 }, { instanceCount: 0 }]);
});
