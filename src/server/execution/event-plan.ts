/**
 * The prepared execution of the events of one subscription: fields, arguments and resolvers are
 * determined once, not for every event. It gives the same result as graphql-js if no error occurs
 * and nothing must be awaited; otherwise it gives up, and graphql-js executes the event.
 */
import {
  defaultFieldResolver,
  defaultTypeResolver,
  type FieldNode,
  type FragmentDefinitionNode,
  GraphQLIncludeDirective,
  type GraphQLObjectType,
  type GraphQLOutputType,
  type GraphQLResolveInfo,
  GraphQLSkipDirective,
  getArgumentValues,
  getDirectiveValues,
  getVariableValues,
  isAbstractType,
  isLeafType,
  isListType,
  isNonNullType,
  isObjectType,
  Kind,
  type SelectionNode,
  type SelectionSetNode,
} from 'graphql';
import type { Prepared } from './request.ts';

/** The `data` of an event; null if graphql-js must execute it. */
export type EventPlan = (
  rootValue: unknown,
  contextValue: unknown,
) => Readonly<Record<string, unknown>> | null;

type Path = GraphQLResolveInfo['path'];

/** The state of one execution. */
interface Run {
  readonly rootValue: unknown;
  readonly contextValue: unknown;
  /** The type of the resource of the event. */
  type: GraphQLObjectType | null;
  /** Types whose events gave up before. */
  readonly others: ReadonlySet<GraphQLObjectType | null>;
}

type Complete = (value: unknown, run: Run, path: Path | undefined) => unknown;
type Data = Record<string, unknown>;

/** Thrown for an error, a promise, or a null in a non-null position. */
const givenUp = Symbol('given up');

/** The plan of a subscription; it is made with its first event. */
export function planEvents(prepared: Prepared): EventPlan {
  let planned: Complete | undefined;
  /** If the plan gave up for a type, it is not tried again for that type. */
  const others = new Set<GraphQLObjectType | null>();
  return (rootValue, contextValue) => {
    if (others.has(null)) return null;
    const run: Run = { rootValue, contextValue, type: null, others };
    try {
      planned ??= plan(prepared);
      return planned(rootValue, run, undefined) as Data;
    } catch {
      others.add(run.type);
      return null;
    }
  };
}

function plan(prepared: Prepared): Complete {
  const { schema, document, operation, variableValues: given } = prepared;
  const { coerced: variableValues } = getVariableValues(
    schema,
    operation.variableDefinitions ?? [],
    given ?? {},
  );
  const root = schema.getSubscriptionType();
  if (!variableValues || !root) return giveUp();
  const fragments: Record<string, FragmentDefinitionNode> = Object.create(null);
  for (const definition of document.definitions)
    if (definition.kind === Kind.FRAGMENT_DEFINITION) fragments[definition.name.value] = definition;

  const isIncluded = (node: SelectionNode): boolean =>
    getDirectiveValues(GraphQLSkipDirective, node, variableValues)?.if !== true &&
    getDirectiveValues(GraphQLIncludeDirective, node, variableValues)?.if !== false;

  /** The selected fields of a type, in order, by response key. */
  function collect(
    type: GraphQLObjectType,
    sets: readonly SelectionSetNode[],
    found = new Map<string, FieldNode[]>(),
    seen = new Set<string>(),
  ): Map<string, FieldNode[]> {
    for (const selection of sets.flatMap(({ selections }) => selections)) {
      if (!isIncluded(selection)) continue;
      if (selection.kind === Kind.FIELD) {
        const key = selection.alias?.value ?? selection.name.value;
        found.set(key, [...(found.get(key) ?? []), selection]);
        continue;
      }
      let inner: { typeCondition?: { name: { value: string } }; selectionSet: SelectionSetNode };
      if (selection.kind === Kind.FRAGMENT_SPREAD) {
        const fragment = fragments[selection.name.value];
        if (!fragment || seen.has(fragment.name.value)) continue;
        seen.add(fragment.name.value);
        inner = fragment;
      } else inner = selection;
      const condition = inner.typeCondition && schema.getType(inner.typeCondition.name.value);
      const applies =
        !condition ||
        condition === type ||
        (isAbstractType(condition) && schema.isSubType(condition, type));
      if (applies) collect(type, [inner.selectionSet], found, seen);
    }
    return found;
  }

  /**
   * Executes the fields of a type. They are planned with the first object, because a small document
   * may spread nested fragments to very many fields that no event ever has.
   */
  function objectOf(type: GraphQLObjectType, sets: readonly SelectionSetNode[]): Complete {
    let fields: readonly { key: string; execute: Complete }[] | undefined;
    return (value, run, path) => {
      if (run.type === null && path) {
        run.type = type;
        if (run.others.has(type)) giveUp();
      }
      fields ??= [...collect(type, sets)].map(([key, nodes]) => ({
        key,
        execute: fieldOf(type, key, nodes),
      }));
      const data: Data = {};
      for (const { key, execute } of fields) data[key] = execute(value, run, path);
      return data;
    };
  }

  function fieldOf(parentType: GraphQLObjectType, key: string, nodes: FieldNode[]): Complete {
    const [node] = nodes as [FieldNode];
    const fieldName = node.name.value;
    // A key of that name would set the prototype of the object.
    if (key === '__proto__') return giveUp;
    if (fieldName === '__typename') return () => parentType.name;
    const field = parentType.getFields()[fieldName];
    if (!field) return giveUp;
    const args = getArgumentValues(field, node, variableValues);
    const resolve = field.resolve ?? defaultFieldResolver;
    const complete = completeOf(field.type, nodes);
    return (source, run, prev) => {
      const path: Path = { prev, key, typename: parentType.name };
      const value = resolve(source, args, run.contextValue, {
        fieldName,
        fieldNodes: nodes,
        returnType: field.type,
        parentType,
        path,
        schema,
        fragments,
        rootValue: run.rootValue,
        operation,
        variableValues: variableValues as Data,
      });
      return complete(value, run, path);
    };
  }

  /** Converts the value of a resolver to its serialized form. */
  function completeOf(type: GraphQLOutputType, nodes: readonly FieldNode[]): Complete {
    if (isNonNullType(type)) {
      const complete = completeOf(type.ofType, nodes);
      return (value, run, path) => complete(value, run, path) ?? giveUp();
    }
    const complete = completeNonNull(type, nodes);
    return (value, run, path) => {
      if (value == null) return null;
      if (value instanceof Error || typeof (value as Promise<unknown>).then === 'function') {
        // Nobody awaits it.
        if (value instanceof Promise) value.catch(() => {});
        return giveUp();
      }
      return complete(value, run, path);
    };
  }

  function completeNonNull(type: GraphQLOutputType, nodes: readonly FieldNode[]): Complete {
    if (isLeafType(type)) return (value) => type.serialize(value) ?? giveUp();
    if (isListType(type)) {
      const complete = completeOf(type.ofType, nodes);
      return (values, run, path) =>
        Array.isArray(values)
          ? values.map((value, key) =>
              complete(value, run, { prev: path, key, typename: undefined }),
            )
          : giveUp();
    }
    const sets = nodes.flatMap(({ selectionSet }) => selectionSet ?? []);
    if (isObjectType(type)) return type.isTypeOf ? giveUp : objectOf(type, sets);
    if (!isAbstractType(type)) return giveUp;
    const resolveType = type.resolveType ?? defaultTypeResolver;
    const completes = new Map<unknown, Complete>();
    const [node] = nodes as [FieldNode];
    return (value, run, path) => {
      const info = { fieldName: node.name.value, fieldNodes: nodes, path, schema, fragments };
      const name = resolveType(
        value,
        run.contextValue,
        info as unknown as GraphQLResolveInfo,
        type,
      );
      let complete = completes.get(name);
      if (!complete) {
        const found = typeof name === 'string' ? schema.getType(name) : null;
        if (!isObjectType(found) || !schema.isSubType(type, found)) return giveUp();
        complete = objectOf(found, sets);
        completes.set(name, complete);
      }
      return complete(value, run, path);
    };
  }
  return objectOf(root, [operation.selectionSet]);
}

function giveUp(): never {
  throw givenUp;
}
