/** The descriptions of the SDL are copied to the built schema, so that nothing is written twice. */
import {
  type GraphQLNamedType,
  type GraphQLSchema,
  isEnumType,
  isInputObjectType,
  isInterfaceType,
  isObjectType,
} from 'graphql';

interface Described {
  description?: string | null;
}

/** Copies every description of `contract` to the element of the same name in `schema`. */
export function copyDescriptions(contract: GraphQLSchema, schema: GraphQLSchema): void {
  copy(contract, schema);
  for (const type of Object.values(schema.getTypeMap())) {
    const described = contract.getType(type.name);
    if (!described || type.name.startsWith('__')) continue;
    copy(described, type);
    const members = membersOf(described);
    for (const [name, member] of membersOf(type)) {
      const source = members.get(name);
      if (!source) continue;
      copy(source, member);
      for (const argument of member.args ?? []) {
        copy(
          source.args?.find(({ name: candidate }) => candidate === argument.name),
          argument,
        );
      }
    }
  }
}

type Member = Described & { readonly args?: readonly (Described & { readonly name: string })[] };

function membersOf(type: GraphQLNamedType): Map<string, Member> {
  if (isObjectType(type) || isInterfaceType(type) || isInputObjectType(type)) {
    return new Map(Object.entries(type.getFields()));
  }
  if (isEnumType(type)) return new Map(type.getValues().map((value) => [value.name, value]));
  return new Map();
}

function copy(from: Described | undefined, to: Described): void {
  if (from) to.description = from.description;
}
