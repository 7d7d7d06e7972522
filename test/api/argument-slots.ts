/** Every place of the schema where a caller can put text, and a request that puts some there. */
import {
  type GraphQLArgument,
  type GraphQLInputType,
  type GraphQLObjectType,
  type GraphQLOutputType,
  type GraphQLSchema,
  getNamedType,
  getNullableType,
  isEnumType,
  isInputObjectType,
  isListType,
  isObjectType,
  isRequiredArgument,
  isRequiredInputField,
} from 'graphql';

/** A place for text: an argument, a field of an input within it, or a part of its JSON. */
export interface Slot {
  /** `Query.instances(filter.label.0.value)`. */
  readonly name: string;
  readonly operation: 'query' | 'mutation' | 'subscription';
  readonly field: string;
  /** The scalar: String, ID, JSON, Cursor or DateTime. */
  readonly type: string;
  /** From the argument down; in a mutation from its `input` down. */
  readonly path: string;
  request(text: string): { query: string; variables: Record<string, unknown> };
}

interface Part {
  readonly path: readonly string[];
  readonly type: string;
  readonly make: (text: string) => unknown;
}

export interface SlotOptions {
  /** Values of required fields, by their name or by their type. */
  readonly given: Readonly<Record<string, unknown>>;
  /** The list that shows objects of a type. */
  readonly lists: Readonly<Record<string, string>>;
}

const textual = new Set(['String', 'ID', 'JSON', 'Cursor', 'DateTime']);

export function slotsOf(schema: GraphQLSchema, options: SlotOptions): Slot[] {
  const roots = {
    query: schema.getQueryType(),
    mutation: schema.getMutationType(),
    subscription: schema.getSubscriptionType(),
  };
  const found: Slot[] = [];
  for (const [operation, type] of Object.entries(roots) as [Slot['operation'], never][])
    found.push(...ofType(type, operation, (selection) => selection));
  for (const type of Object.values(schema.getTypeMap())) {
    if (!isObjectType(type) || type.name.startsWith('__') || isRoot(type)) continue;
    const list = options.lists[type.name];
    const slots = ofType(type, 'query', (selection) => `${list} { nodes { ${selection} } }`);
    if (slots.length > 0 && !list) throw new Error(`No list shows ${type.name}.`);
    found.push(...slots);
  }
  return found;

  function isRoot(type: GraphQLObjectType): boolean {
    return Object.values(roots).includes(type);
  }

  function ofType(
    type: GraphQLObjectType,
    operation: Slot['operation'],
    within: (selection: string) => string,
  ): Slot[] {
    return Object.values(type.getFields()).flatMap((field) =>
      field.args.flatMap((argument) =>
        partsOf(argument.type, []).map(({ path, type: scalar, make }): Slot => {
          const full = [argument.name, ...path];
          return {
            name: `${type.name}.${field.name}(${full.join('.')})`,
            operation,
            field: field.name,
            type: scalar,
            path: (operation === 'mutation' ? path : full).join('.'),
            request(text) {
              const others = field.args.filter(
                (one) => one !== argument && isRequiredArgument(one),
              );
              const args = [argument, ...others.filter((one) => one.defaultValue === undefined)];
              const declared = args.map((one) => `$${one.name}: ${one.type}`).join(', ');
              const passed = args.map((one) => `${one.name}: $${one.name}`).join(', ');
              const selection = `${field.name}(${passed})${selectionOf(field.type)}`;
              return {
                query: `${operation} (${declared}) { ${within(selection)} }`,
                variables: Object.fromEntries(
                  args.map((one: GraphQLArgument) => [
                    one.name,
                    one === argument ? make(text) : sample(one.name, one.type),
                  ]),
                ),
              };
            },
          };
        }),
      ),
    );
  }

  function partsOf(type: GraphQLInputType, above: readonly string[]): Part[] {
    const named = getNullableType(type);
    if (isListType(named))
      return partsOf(named.ofType, above).map(({ path, make, ...part }) => ({
        ...part,
        path: ['0', ...path],
        make: (text) => [make(text)],
      }));
    if (isInputObjectType(named)) {
      if (above.includes(named.name)) return [];
      return Object.values(named.getFields()).flatMap((field) =>
        partsOf(field.type, [...above, named.name]).map(({ path, make, ...part }) => ({
          ...part,
          path: [field.name, ...path],
          make: (text: string) => ({
            ...(named.isOneOf ? {} : (sampleObject(named) as object)),
            [field.name]: make(text),
          }),
        })),
      );
    }
    if (!textual.has(named.name)) return [];
    const leaf: Part = { path: [], type: named.name, make: (text) => text };
    if (named.name !== 'JSON') return [leaf];
    return [
      leaf,
      { ...leaf, path: ['deep', '1'], make: (text) => ({ deep: ['', text] }) },
      { ...leaf, path: ['{key}'], make: (text) => ({ [text]: 1 }) },
    ];
  }

  function sampleObject(type: GraphQLInputType): unknown {
    const named = getNamedType(type);
    if (!isInputObjectType(named)) return {};
    return Object.fromEntries(
      Object.values(named.getFields())
        .filter((field) => isRequiredInputField(field) || field.name.startsWith('expected'))
        .map((field) => [field.name, sample(field.name, field.type)]),
    );
  }

  function sample(name: string, type: GraphQLInputType): unknown {
    const nullable = getNullableType(type);
    const value = options.given[name] ?? options.given[String(nullable)];
    if (value !== undefined) return typeof value === 'function' ? value() : value;
    if (isListType(nullable)) return [sample(name, nullable.ofType)];
    if (isEnumType(nullable)) return nullable.getValues()[0]?.name;
    if (isInputObjectType(nullable)) return sampleObject(nullable);
    const scalars: Record<string, unknown> = { DateTime: '2026-01-31T09:30:00Z', JSON: {} };
    return scalars[nullable.name] ?? { Int: 1, Float: 1, Boolean: false }[nullable.name] ?? 'text';
  }
}

/** What makes the field read its rows. */
function selectionOf(type: GraphQLOutputType): string {
  const named = getNamedType(type);
  if (isObjectType(named) && named.name.endsWith('Connection'))
    return ' { totalCount nodes { __typename } pageInfo { hasNextPage hasPreviousPage } }';
  if ('getFields' in named || 'getTypes' in named) {
    const refused = '... on InvalidInput { issues { path } }';
    return 'getTypes' in named && named.getTypes().some(({ name }) => name === 'InvalidInput')
      ? ` { __typename ... on UserError { code message } ${refused} }`
      : ' { __typename }';
  }
  return '';
}

/** The same request with its variables written out. */
export function withLiterals(
  schema: GraphQLSchema,
  { query, variables }: ReturnType<Slot['request']>,
): string {
  const [, head = '', declared = '', body = ''] = /^(\w+) \(([^)]*)\) (.*)$/s.exec(query) ?? [];
  let text = `${head} ${body}`;
  for (const [, name = '', type = ''] of declared.matchAll(/\$(\w+): ([\w[\]!]+)/g)) {
    const bare = schema.getType(type.replace(/[[\]!]/g, '')) as GraphQLInputType;
    text = text.replace(`$${name}`, () => literal(bare, variables[name]));
  }
  return text;
}

function literal(type: GraphQLInputType | undefined, value: unknown): string {
  if (Array.isArray(value)) return `[${value.map((one) => literal(type, one)).join(', ')}]`;
  if (isEnumType(type)) return String(value);
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const fields = isInputObjectType(type) ? type.getFields() : {};
  const parts = Object.entries(value).map(([name, one]) => {
    const inner = fields[name];
    return `${name}: ${literal(inner && (getNamedType(inner.type) as GraphQLInputType), one)}`;
  });
  return `{ ${parts.join(', ')} }`;
}
