/**
 * What all entities share: Node, Resource, labels, actors, spans of time; and `node`, `nodes`,
 * which find an object of the organization of the viewer by id. `Failure` and `Cause` are in
 * failure.ts.
 */
import { brandWithType } from '@pothos/core';
import { GraphQLError, type GraphQLResolveInfo } from 'graphql';
import type { Actor as ActorShape } from '../../lifecycle/change.ts';
import { builder } from '../base/builder.ts';
import type { Context } from '../base/context.ts';
import { ActorKind } from '../base/enums.ts';
import { parseGlobalId } from '../base/ids.ts';
import { readRows } from '../base/reads.ts';

export const Node = builder.nodeInterfaceRef();

/** A row of `instances`, `hosts` or `container_repositories`; `asResource` marks it with its type. */
export interface ResourceRow {
  readonly id: string;
  readonly key: string;
  readonly name: string;
  readonly state: string;
  readonly sequence: number;
}

/** Implementations inherit `key`, `name`, `stateName` and `sequence`. */
export const Resource = builder.interfaceRef<ResourceRow>('Resource').implement({
  interfaces: [Node],
  fields: (t) => ({
    key: t.exposeString('key'),
    name: t.exposeString('name'),
    stateName: t.exposeString('state'),
    sequence: t.exposeInt('sequence'),
  }),
});

export interface LabelShape {
  readonly name: string;
  readonly value: string;
}

export const Label = builder.objectRef<LabelShape>('Label').implement({
  fields: (t) => ({ name: t.exposeString('name'), value: t.exposeString('value') }),
});

/** Stored labels as the API shows them: ordered by name. */
export function labelsOf(labels: Readonly<Record<string, string>>): LabelShape[] {
  return Object.entries(labels)
    .map(([name, value]) => ({ name, value }))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}

export const LabelInput = builder.inputType('LabelInput', {
  fields: (t) => ({
    name: t.string({ required: true }),
    value: t.string({ required: true }),
  }),
});

export const LabelFilter = builder.inputType('LabelFilter', {
  fields: (t) => ({
    name: t.string({ required: true }),
    value: t.stringList({ required: { list: false, items: true } }),
  }),
});

export const TimeRange = builder.inputType('TimeRange', {
  fields: (t) => ({
    since: t.field({ type: 'DateTime' }),
    until: t.field({ type: 'DateTime' }),
  }),
});

export const Actor = builder.objectRef<ActorShape>('Actor').implement({
  fields: (t) => ({ kind: t.expose('kind', { type: ActorKind }), name: t.exposeString('name') }),
});

/** The table of each type that `node` finds. */
const nodeTables = {
  Instance: 'instances',
  Host: 'hosts',
  Solution: 'solutions',
  ContainerRepository: 'containerRepositories',
  DeviceRepository: 'deviceRepositories',
  BillingSubscription: 'billingSubscriptions',
  ComputeProvider: 'computeProviders',
  Operation: 'operations',
} as const;
export type NodeTypeName = keyof typeof nodeTables;

const resourceTypes = {
  INSTANCE: 'Instance',
  HOST: 'Host',
  CONTAINER_REPOSITORY: 'ContainerRepository',
} as const;
/** The kinds of what is a Resource. */
export type AnyResourceKind = keyof typeof resourceTypes;

/** Marks a row with its type, for fields that return an interface or a union. */
function asNode<Row extends object>(type: NodeTypeName, row: Row): Row {
  brandWithType(row, type as never);
  return row;
}

/** The same by kind of resource, for fields of type Resource. */
export function asResource<Row extends ResourceRow>(kind: AnyResourceKind, row: Row): Row {
  return asNode(resourceTypes[kind], row);
}

/**
 * Rows of the organization of the viewer by uuid, archived ones included, with everything selected
 * of them in one statement, and marked with their type. For fields that no relation leads to.
 */
async function findNodes<Row extends object = ResourceRow>(
  type: NodeTypeName,
  ids: readonly string[],
  { context, info }: { context: Context; info: GraphQLResolveInfo },
): Promise<Map<string, Row>> {
  if (ids.length === 0) return new Map();
  const query = planOf(type, { context, info, where: { id: { in: [...ids] } } });
  const rows = await readRows<Row & { id: string }>(context, nodeTables[type], query);
  return new Map(rows.map((row) => [row.id, asNode(type, row)]));
}

/** One of them; null if there is none. */
export async function findNode<Row extends object = ResourceRow>(
  type: NodeTypeName,
  id: string,
  request: { context: Context; info: GraphQLResolveInfo },
): Promise<Row | null> {
  return (await findNodes<Row>(type, [id], request)).get(id) ?? null;
}

/** One of them; all that the same field requests in the same tick are read together. */
export function findTogether<Row extends object = ResourceRow>(
  type: NodeTypeName,
  id: string,
  { context, info }: { context: Context; info: GraphQLResolveInfo },
): Promise<Row | null> {
  const field = [type, ...responseKeys(info)].join(' ');
  return context.loaders.load(field, id, (ids) => findNodes<Row>(type, ids, { context, info }));
}

/** The resource with that uuid, for a field of type Resource. */
export const findResource = (
  { kind, id }: { kind: AnyResourceKind; id: string },
  request: { context: Context; info: GraphQLResolveInfo },
): Promise<ResourceRow | null> => findTogether(resourceTypes[kind], id, request);

/** Identifies the field in the document: its path without the indexes of lists. */
function responseKeys({ path }: GraphQLResolveInfo): string[] {
  const keys: string[] = [];
  for (let at: typeof path | undefined = path; at; at = at.prev)
    if (typeof at.key === 'string') keys.push(at.key);
  return keys;
}

interface Plan {
  readonly context: Context;
  readonly info: GraphQLResolveInfo;
  readonly where: object;
}

/**
 * The query for everything that `info` selects of a type; internal to the plugin, found by name.
 */
let planOf: (type: NodeTypeName, plan: Plan) => object = () => {
  throw new Error('The schema is not built.');
};

builder.queryFields((t) => {
  planOf = (type, plan) => t.drizzleQueryFromInfo(nodeTables[type], plan as never) as object;
  return {
    node: t.field({
      type: Node,
      nullable: true,
      args: { id: t.arg.id({ required: true }) },
      resolve: async (_root, { id }, context, info) =>
        (await nodesOf([id], { context, info }))[0] ?? null,
    }),
    nodes: t.field({
      type: [Node],
      nullable: { list: true, items: true },
      args: { ids: t.arg.idList({ required: true }) },
      resolve: (_root, { ids }, context, info) => nodesOf(ids, { context, info }),
    }),
  };
});

async function nodesOf(
  ids: readonly string[],
  request: { context: Context; info: GraphQLResolveInfo },
): Promise<(object | null)[]> {
  if (ids.length > 200) {
    throw new GraphQLError(`At most 200 ids at once, not ${ids.length}. Ask in several requests.`, {
      extensions: { code: 'BAD_USER_INPUT' },
    });
  }
  const wanted = new Map<NodeTypeName, string[]>();
  const parsed = ids.map(parseGlobalId);
  for (const id of parsed) {
    if (!id || !Object.hasOwn(nodeTables, id.type)) continue;
    const type = id.type as NodeTypeName;
    wanted.set(type, [...(wanted.get(type) ?? []), id.id]);
  }
  const found = new Map<string, object>();
  await Promise.all(
    [...wanted].map(async ([type, uuids]) => {
      for (const [uuid, row] of await findNodes(type, uuids, request)) {
        found.set(`${type}:${uuid}`, row);
      }
    }),
  );
  return parsed.map((id) => (id ? (found.get(`${id.type}:${id.id}`) ?? null) : null));
}
