/**
 * `feedPosition` is read before everything else in its request. A change that a later read shows
 * may come again, but no change is left out.
 */
import {
  defaultFieldResolver,
  type GraphQLResolveInfo,
  type GraphQLSchema,
  Kind,
  type SelectionSetNode,
} from 'graphql';
import type { Context } from '../base/context.ts';
import { scopeOf } from '../base/reads.ts';

/** By variables object, which is unique to each execution. */
const positions = new WeakMap<object, Promise<string>>();

/** The position of this execution; the first caller reads it. */
export function positionOf(context: Context, info: GraphQLResolveInfo): Promise<string> {
  const known = positions.get(info.variableValues);
  if (known) return known;
  const position = context.feed.position(scopeOf(context.viewer));
  positions.set(info.variableValues, position);
  return position;
}

/** Makes every field of Query wait for the position, in documents that select it. */
export function readPositionFirst(schema: GraphQLSchema): void {
  for (const field of Object.values(schema.getQueryType()?.getFields() ?? {})) {
    if (field.name === 'feedPosition') continue;
    const resolve = field.resolve ?? defaultFieldResolver;
    field.resolve = (root, args, context: Context, info) =>
      asksForPosition(info)
        ? positionOf(context, info).then(() => resolve(root, args, context, info))
        : resolve(root, args, context, info);
  }
}

function asksForPosition({ operation, fragments }: GraphQLResolveInfo): boolean {
  const selects = ({ selections }: SelectionSetNode): boolean =>
    selections.some((selection) => {
      if (selection.kind === Kind.FIELD) return selection.name.value === 'feedPosition';
      if (selection.kind === Kind.INLINE_FRAGMENT) return selects(selection.selectionSet);
      const fragment = fragments[selection.name.value];
      return fragment !== undefined && selects(fragment.selectionSet);
    });
  return selects(operation.selectionSet);
}
