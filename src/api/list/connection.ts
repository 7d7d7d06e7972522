/**
 * Every list of the API: one definition gives the connection type, the order and the fields, on
 * Query and on the resources that the list belongs to. Related lists are planned into the statement
 * of the row above them; a root list is one statement, its total count another.
 */
import type { FieldRef, InputRef } from '@pothos/core';
import type { Table } from 'drizzle-orm';
import type { GraphQLResolveInfo } from 'graphql';
import { relations } from '../../store/table/relations.ts';
import { builder, type Types } from '../base/builder.ts';
import type { Context } from '../base/context.ts';
import { byIdOrKey } from '../base/ids.ts';
import {
  countRows,
  readRow,
  readRows,
  type VisibleTable,
  visibleTo,
  type Where,
} from '../base/reads.ts';
import { countRelated, relatedExists } from './count.ts';
import type { OrderArgument, OrderDefinition } from './order.ts';
import { connectionOf, type PageArguments, planOutside, planPage, type Side } from './page.ts';
import { argumentsOf, nodePaths, selectedNames } from './selection.ts';

export interface ListOptions<Filter> {
  /** `Solution` gives SolutionConnection and SolutionEdge. */
  readonly name: string;
  /** The type of its nodes: a drizzle ref over `table`. */
  readonly type: object;
  readonly table: VisibleTable;
  readonly filter: InputRef<Filter>;
  readonly order: OrderDefinition;
  /** The rows of the list, of those that the viewer may see: not archived, matching the filter. */
  where(filter: Filter | null | undefined): Where;
}

export interface List<Filter> {
  readonly filter: InputRef<Filter>;
  /** The rows of the viewer that match. */
  where(filter: Filter | null | undefined, context: Context): Where;
  /** The list as a field of Query; nullable, like all root fields. */
  root(t: object): FieldRef<Types, unknown>;
  /** The row that an id or key names, as a field of Query; null if there is none. */
  one(t: object, argument: string): FieldRef<Types, unknown>;
  /** The list as a field of a row: the rows of one of its relations. */
  related(t: object, relation: string, parent: VisibleTable): FieldRef<Types, unknown>;
}

type ListArguments = PageArguments & { filter?: unknown; orderBy?: OrderArgument | null };

/** What the fields of a list share. */
interface Definition<Filter> {
  readonly options: ListOptions<Filter>;
  /** The connection type. */
  readonly connection: object;
  /** The rows of the viewer that match. */
  readonly where: List<Filter>['where'];
}

/** Defines a list: its connection type at once, its fields on demand. */
export function defineList<Filter>(options: ListOptions<Filter>): List<Filter> {
  const connection = builder.connectionObject({
    type: options.type as never,
    name: `${options.name}Connection`,
    fields: (t) => ({
      totalCount: t.int({
        resolve: (connection) => {
          const { totalCount } = connection as { totalCount?: number | (() => Promise<number>) };
          return typeof totalCount === 'function' ? totalCount() : (totalCount ?? 0);
        },
      }),
    }),
  });
  const where: List<Filter>['where'] = (filter, { viewer }) => ({
    AND: [visibleTo(viewer, options.table), options.where(filter)],
  });
  const definition = { options, connection, where };
  return {
    filter: options.filter,
    where,
    one: (t, argument) => entryField(options, t as FieldBuilder, argument),
    root: (t) => rootField(definition, t as FieldBuilder),
    related: (t, relation, parent) =>
      relatedField(definition, t as FieldBuilder, { relation, parent }),
  };
}

function entryField<Filter>(options: ListOptions<Filter>, t: FieldBuilder, argument: string) {
  return t.drizzleField({
    type: options.type,
    nullable: true,
    args: { [argument]: t.arg({ type: 'ID', required: true }) },
    resolve: (query, _root, args, context) =>
      readRow(
        context,
        options.table,
        query({ where: byIdOrKey(options.name, args[argument] ?? '') }),
      ),
  });
}

function rootField<Filter>({ options, connection }: Definition<Filter>, t: FieldBuilder) {
  return t.connection(
    {
      type: options.type,
      nullable: true,
      args: listArguments(options, t),
      resolve: (_root, args, context, info) => {
        const where = options.where(args.filter as Filter);
        const { order, page, outside: outsideOf } = planList(options, args, where);
        const read = once(async () => {
          const query = await t.drizzleQueryFromInfo(options.type, {
            ...page,
            context,
            info,
            paths: [['nodes'], ['edges', 'node']],
          });
          const rows = await readRows(context, options.table, query);
          const outside = async (side: Side) => {
            const { where: isOutside, ...rest } = outsideOf(side);
            const wanted = { ...rest, where: { AND: [where, isOutside] } };
            return (await readRows(context, options.table, wanted)).length > 0;
          };
          return connectionOf(rows, { order, args, outside });
        });
        return {
          get edges() {
            return read().then(({ edges }) => edges);
          },
          get pageInfo() {
            return read().then(({ pageInfo }) => pageInfo);
          },
          totalCount: () => countRows(context, options.table, where),
        };
      },
    },
    connection,
  );
}

function relatedField<Filter>(
  { options, connection, where: whereOf }: Definition<Filter>,
  t: FieldBuilder,
  related: { readonly relation: string; readonly parent: VisibleTable },
) {
  const { relation } = related;
  const countKey = `${relation}TotalCount`;
  const outsideKey = (side: Side) => `${relation}Outside_${side}`;
  return t.connection(
    {
      type: options.type,
      args: listArguments(options, t),
      extensions: {
        // The name that the plugin uses for `select`; it also tells what is selected of the page.
        pothosDrizzleSelect: (
          args: ListArguments,
          context: Context,
          nested: (query: object, path: object) => object,
          selected: () => ReadonlySet<string>,
        ) => {
          const where = whereOf(args.filter as Filter, context);
          const { order, page, outside } = planList(options, args, where);
          const names = selected();
          const rows = [...names].some((name) => name !== 'totalCount' && name !== '__typename');
          const extras: Record<string, unknown> = {};
          if (names.has('totalCount'))
            extras[countKey] = countRelated(context, args.filter, { ...related, where });
          for (const side of names.has('pageInfo') ? sidesOf(args) : []) {
            const id = [args.filter, order.name, order.direction, side, args[side]];
            const found = { ...related, where: { AND: [where, outside(side).where] } };
            extras[outsideKey(side)] = relatedExists(context, id, found);
          }
          return {
            columns: {},
            with: rows ? { [relation]: nested(page, nodePaths(options.name)) } : {},
            extras,
          };
        },
        // Resolved for a row that another statement may have read.
        pothosDrizzleLoaded: (row: Record<string, unknown>, info: GraphQLResolveInfo) => {
          const names = selectedNames(info);
          const count = names.delete('totalCount');
          const sides = names.has('pageInfo') ? sidesOf(argumentsOf(info)) : [];
          return (
            (!count || row[countKey] !== undefined) &&
            (!names.size || row[relation] !== undefined) &&
            sides.every((side) => row[outsideKey(side)] !== undefined)
          );
        },
      },
      resolve: (row, args) => {
        const order = options.order.of(args.orderBy);
        const loaded = row as Record<string, unknown>;
        const rows = (loaded[relation] ?? []) as object[];
        const outside = (side: Side) => loaded[outsideKey(side)] === true;
        const page = connectionOf(rows, { order, args, outside });
        return { ...page, totalCount: loaded[countKey] };
      },
    },
    connection,
  );
}

const listArguments = <Filter>({ filter, order }: ListOptions<Filter>, t: FieldBuilder) => ({
  filter: t.arg({ type: filter }),
  orderBy: t.arg({ type: order.input }),
});

/** The page that the arguments ask for, and what lies outside of it on a side. */
function planList<Filter>(options: ListOptions<Filter>, args: ListArguments, where: Where) {
  const table = relations[options.table].table as Table;
  const order = options.order.of(args.orderBy);
  return {
    order,
    page: planPage(table, where, order, args),
    outside: (side: Side) => planOutside(table, order, args, side),
  };
}

/** The sides of the page that have a cursor. */
function sidesOf(args: PageArguments): Side[] {
  return (['after', 'before'] as const).filter((side) => args[side] != null);
}

/**
 * The part of the field builders of Pothos that a list needs; their types do not pass through a
 * helper.
 */
interface FieldBuilder {
  arg(options: { type: unknown; required?: true }): never;
  drizzleField(options: {
    type: object;
    nullable: true;
    args: object;
    resolve: (
      query: (wanted: object) => object,
      root: unknown,
      args: Record<string, string>,
      context: Context,
    ) => Promise<object | undefined>;
  }): FieldRef<Types, unknown>;
  connection(
    options: {
      type: object;
      nullable?: boolean;
      args: object;
      extensions?: object;
      resolve: (
        parent: unknown,
        args: ListArguments,
        context: Context,
        info: GraphQLResolveInfo,
      ) => unknown;
    },
    connection: object,
  ): FieldRef<Types, unknown>;
  drizzleQueryFromInfo(type: object, options: object): object | Promise<object>;
}

function once<Value>(make: () => Promise<Value>): () => Promise<Value> {
  let made: Promise<Value> | null = null;
  return () => {
    made ??= make();
    return made;
  };
}
