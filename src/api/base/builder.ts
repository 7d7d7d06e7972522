/** The schema builder: plugins and defaults, no types. Types are defined in one file per entity. */
import SchemaBuilder from '@pothos/core';
import DrizzlePlugin from '@pothos/plugin-drizzle';
import RelayPlugin from '@pothos/plugin-relay';
import { getTableConfig } from 'drizzle-orm/pg-core';
import { relations } from '../../store/table/relations.ts';
import type { Context } from './context.ts';
import { defaultPageSize, maxPageSize } from './limits.ts';
import { clientOf } from './reads.ts';

export interface BuilderTypes {
  Context: Context;
  DefaultFieldNullability: false;
  DrizzleRelations: typeof relations;
  Scalars: {
    ID: { Input: string; Output: string };
    DateTime: { Input: Date; Output: Date | string };
    JSON: { Input: unknown; Output: unknown };
    Cursor: { Input: string; Output: string };
  };
}

export const builder = new SchemaBuilder<BuilderTypes>({
  // The order of the plugins matters: Drizzle wraps what Relay made of a field, so that the rows
  // under `nodes` and `edges { node }` become part of the statement of the field above them.
  plugins: [RelayPlugin, DrizzlePlugin],
  defaultFieldNullability: false,
  drizzle: {
    client: clientOf,
    getTableConfig,
    relations,
    maxConnectionSize: maxPageSize,
    defaultConnectionSize: defaultPageSize,
  },
  relay: {
    cursorType: 'String',
    // `node` and `nodes` are defined in node.ts, because they must not cross organizations.
    nodeQueryOptions: false,
    nodesQueryOptions: false,
    nodesOnConnection: true,
  },
});

/** The types that the plugins derive from `BuilderTypes`. */
export type Types = typeof builder extends PothosSchemaTypes.SchemaBuilder<infer T> ? T : never;

/** The builder of the fields of an input type. */
export type InputFields = Parameters<
  Extract<Parameters<typeof builder.inputType>[1]['fields'], (...args: never[]) => unknown>
>[0];

builder.queryType();
builder.mutationType();
builder.subscriptionType();
