/** What a document selects of a connection, and with which arguments. */
import { type GraphQLResolveInfo, getArgumentValues, Kind, type SelectionSetNode } from 'graphql';
import type { PageArguments } from './page.ts';

/** The arguments of the field that is resolved. */
export function argumentsOf(info: GraphQLResolveInfo): PageArguments {
  const field = info.parentType.getFields()[info.fieldName];
  const [node] = info.fieldNodes;
  return field && node ? getArgumentValues(field, node, info.variableValues) : {};
}

/** The names of the selected subfields, through fragments. */
export function selectedNames({ fieldNodes, fragments }: GraphQLResolveInfo): Set<string> {
  const names = new Set<string>();
  const collect = (set: SelectionSetNode | undefined): void => {
    for (const selection of set?.selections ?? []) {
      if (selection.kind === Kind.FIELD) names.add(selection.name.value);
      else if (selection.kind === Kind.INLINE_FRAGMENT) collect(selection.selectionSet);
      else collect(fragments[selection.name.value]?.selectionSet);
    }
  };
  for (const { selectionSet } of fieldNodes) collect(selectionSet);
  names.delete('__typename');
  return names;
}

/** The rows of a connection are those under `nodes` and under `edges { node }`. */
export function nodePaths(typeName: string) {
  return {
    getType: () => typeName,
    paths: [[{ name: 'nodes' }], [{ name: 'edges' }, { name: 'node' }]],
  };
}
