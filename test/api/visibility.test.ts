/** What a viewer may see, over every field of Query: nothing of another organization. */
import { randomUUID } from 'node:crypto';
import { execute, getNamedType, isNonNullType, isObjectType, parse } from 'graphql';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { commandInstance } from '../../src/store/command/lifecycle-commands.ts';
import { createSampleData } from '../../src/store/sample-data.ts';
import { type Api, openApi } from './api.ts';

let api: Api;
let other: string;

beforeAll(async () => {
  api = await openApi('PGLITE');
  other = await api.organization('other');
  await createSampleData(api.store, api.organizationId);
  const started = await commandInstance(api.store, 'DEPLOY', {
    organizationId: api.organizationId,
    actor: { kind: 'USER', name: 'tester' },
    reference: 'greenhouse-1',
    reason: null,
    expectedSequence: null,
    idempotency: null,
  });
  expect(started.outcome).toBe('ACCEPTED');
});

afterAll(() => api.close());

/** Fields of Query that show no rows, or rows of which a test of its own speaks. */
const others = [
  'feedPosition',
  'fleet',
  // The same for everybody.
  'imageSizes',
  'node',
  'nodes',
  // Refused without the key of a run, whose own device repository it reads.
  'runtimeDeviceValues',
  'server',
  'stateMachine',
  'viewer',
];

function fieldsOfQuery() {
  const fields = Object.values(api.schema.getQueryType()?.getFields() ?? {});
  const lists = fields.filter(({ type }) => getNamedType(type).name.endsWith('Connection'));
  const lookUps = fields.flatMap(({ name, type, args }) => {
    const reference = args.find((arg) => isNonNullType(arg.type) && arg.name === name);
    return reference ? [{ name, type: getNamedType(type) }] : [];
  });
  return { fields, lists, lookUps };
}

interface Seen {
  readonly list: string;
  readonly id: string;
  readonly key?: string;
}

/** All that the lists of Query show. */
async function listed(organization?: string): Promise<Seen[]> {
  const seen: Seen[] = [];
  for (const { name, type } of fieldsOfQuery().lists) {
    const connection = getNamedType(type);
    const node = isObjectType(connection) && getNamedType(connection.getFields().nodes!.type);
    const key = node && 'getFields' in node && 'key' in node.getFields() ? 'key' : '';
    const data = await api.ask(`{ ${name} { totalCount nodes { id ${key} } } }`, {}, organization);
    const { totalCount, nodes } = data[name];
    expect(totalCount).toBe(nodes.length);
    seen.push(...nodes.map((row: { id: string; key?: string }) => ({ list: name, ...row })));
  }
  return seen;
}

describe('another organization', () => {
  test('each field of Query is a list, a look-up by reference, or named here', () => {
    const { fields, lists, lookUps } = fieldsOfQuery();
    const known = [...lists, ...lookUps].map(({ name }) => name);
    const rest = fields.map(({ name }) => name).filter((name) => !known.includes(name));
    expect(rest.sort()).toEqual(others);
  });

  test('sees nothing in any list but its own provider', async () => {
    const own = await listed();
    const lists = fieldsOfQuery().lists.map(({ name }) => name);
    expect(lists.filter((name) => !own.some(({ list }) => list === name))).toEqual([]);
    const theirs = await listed(other);
    expect(theirs).toEqual([{ list: 'computeProviders', id: expect.any(String), key: 'local' }]);
    expect(own.map(({ id }) => id)).not.toContain(theirs[0]?.id);
  });

  test('finds nothing by id or by key', async () => {
    const { lookUps } = fieldsOfQuery();
    const own = await listed();
    const found = { own: 0, other: [] as unknown[] };
    for (const { name } of lookUps) {
      for (const { id, key } of own) {
        const document = `query ($r: ID!) { ${name}(${name}: $r) { id } }`;
        // By this key each organization finds its own.
        for (const r of key && key !== 'local' ? [id, key] : [id]) {
          if ((await api.ask(document, { r }))[name]) found.own += 1;
          const { [name]: theirs } = await api.ask(document, { r }, other);
          if (theirs) found.other.push({ name, r });
        }
      }
    }
    // A transition is no node.
    const ids = own.filter(({ list }) => list !== 'transitions').map(({ id }) => id);
    const nodes = 'query ($ids: [ID!]!) { nodes(ids: $ids) { id } }';
    expect((await api.ask(nodes, { ids })).nodes).toEqual(ids.map((id) => ({ id })));
    expect((await api.ask(nodes, { ids }, other)).nodes).toEqual(ids.map(() => null));
    expect(found.own).toBeGreaterThanOrEqual(ids.length);
    expect(found.other).toEqual([]);
  });

  test('counts none of the fleet, and names itself', async () => {
    const document = `{ fleet { instanceCount hostCount convergedCount }
      viewer { organization { key } expiresAt } }`;
    expect(await api.ask(document)).toEqual({
      fleet: { instanceCount: 1, hostCount: 1, convergedCount: 0 },
      viewer: { organization: { key: 'default' }, expiresAt: null },
    });
    expect(await api.ask(document, {}, other)).toEqual({
      fleet: { instanceCount: 0, hostCount: 0, convergedCount: 0 },
      viewer: { organization: { key: 'other' }, expiresAt: null },
    });
  });
});

test('a viewer is told when its own key ends, and of no other key', async () => {
  const keys = [randomUUID(), randomUUID()] as const;
  for (const [n, id] of keys.entries()) {
    await api.store.database.query(
      `insert into access_keys (id, organization_id, kind, hash, name, expires_at)
       values ($1::uuid, $2::uuid, 'SESSION', $3, 'session', $4::timestamptz)`,
      [id, api.organizationId, `hash ${n}`, `2030-01-0${n + 1}T00:00:00Z`],
    );
  }
  for (const [n, accessKeyId] of keys.entries()) {
    const context = api.context();
    const { data } = await execute({
      schema: api.schema,
      document: parse('{ viewer { expiresAt } }'),
      contextValue: { ...context, viewer: { ...context.viewer, accessKeyId } },
    });
    expect(data).toEqual({ viewer: { expiresAt: `2030-01-0${n + 1}T00:00:00.000Z` } });
  }
});
