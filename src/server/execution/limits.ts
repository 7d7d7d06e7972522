/**
 * Limits of one document: depth, aliases, mutations and cost. Computed before validation, for every
 * transport; each fragment once, however often it is spread.
 */
import {
  type DocumentNode,
  type FieldNode,
  type FragmentDefinitionNode,
  type GraphQLError,
  type GraphQLField,
  type GraphQLNamedType,
  type GraphQLSchema,
  getNamedType,
  getNullableType,
  isInterfaceType,
  isListType,
  isObjectType,
  Kind,
  type OperationDefinitionNode,
  type SelectionSetNode,
  type ValueNode,
} from 'graphql';
import type { ServerLimits } from '../../api/base/limits.ts';
import { refusedRequest } from '../wire/request-error.ts';

export type QueryLimits = Pick<
  ServerLimits,
  'depth' | 'aliases' | 'complexity' | 'mutationsPerDocument' | 'pageSize'
>;

export interface Measured {
  readonly schema: GraphQLSchema;
  readonly document: DocumentNode;
  readonly operation: OperationDefinitionNode;
  readonly variables: Readonly<Record<string, unknown>>;
}

/** Assumed entries of a list without a limit. */
const usualEntries = 5;
/** Assumed entries of a page if the document gives no number. */
const usualPage = 50;

/** The limits that an operation exceeds; empty if it may be executed. */
export function createLimits(limits: QueryLimits): (measured: Measured) => readonly GraphQLError[] {
  /** Of operations whose size does not depend on their variables. */
  const known = new WeakMap<OperationDefinitionNode, readonly GraphQLError[]>();
  return (measured) => {
    const before = known.get(measured.operation);
    if (before) return before;
    const { errors, isConstant } = exceededLimits(measured, limits);
    if (isConstant) known.set(measured.operation, errors);
    return errors;
  };
}

function exceededLimits(
  measured: Measured,
  limits: QueryLimits,
): { errors: GraphQLError[]; isConstant: boolean } {
  const errors: GraphQLError[] = [];
  const tooMuch = (message: string) => errors.push(refusedRequest('QUERY_TOO_COMPLEX', message));
  const aliases = countAliases(measured.document);
  if (aliases > limits.aliases)
    tooMuch(`${aliases} aliases; ${limits.aliases} are taken. Send several documents.`);
  const { depth, cost, rootFields, isConstant } = measure(measured, limits.pageSize);
  if (depth > limits.depth)
    tooMuch(`${depth} levels; ${limits.depth} are taken. Ask for the inner parts by their ids.`);
  if (measured.operation.operation === 'mutation' && rootFields > limits.mutationsPerDocument)
    tooMuch(
      `${rootFields} mutations; ${limits.mutationsPerDocument} are taken. Send several documents.`,
    );
  if (cost > limits.complexity)
    tooMuch(
      `A cost of ${cost}; ${limits.complexity} is taken. Ask for fewer fields, or for smaller ` +
        'pages (first, last) of the lists that are inside of lists.',
    );
  return { errors, isConstant };
}

/** Counts without recursion, because the depth of a document is not limited yet. */
function countAliases(document: DocumentNode): number {
  let count = 0;
  const open: SelectionSetNode[] = document.definitions.flatMap((definition) =>
    'selectionSet' in definition ? definition.selectionSet : [],
  );
  for (let set = open.pop(); set; set = open.pop()) {
    for (const selection of set.selections) {
      if (selection.kind === Kind.FIELD && selection.alias) count += 1;
      if ('selectionSet' in selection && selection.selectionSet) open.push(selection.selectionSet);
    }
  }
  return count;
}

interface Size {
  readonly depth: number;
  readonly cost: number;
  readonly rootFields: number;
}

const nothing: Size = { depth: 0, cost: 0, rootFields: 0 };

/** One measurement of an operation. */
interface Measurement extends Measured {
  readonly largestPage: number;
  readonly fragments: ReadonlyMap<string, FragmentDefinitionNode>;
  /** The sizes of fragments, each computed once. */
  readonly known: Map<string, Size>;
  /** The size does not depend on the variables. */
  isConstant: boolean;
}

function measure(measured: Measured, largestPage: number): Size & { readonly isConstant: boolean } {
  const { schema, document, operation } = measured;
  const fragments = new Map<string, FragmentDefinitionNode>();
  for (const definition of document.definitions)
    if (definition.kind === Kind.FRAGMENT_DEFINITION)
      fragments.set(definition.name.value, definition);
  const known = new Map<string, Size>();
  const measurement: Measurement = {
    ...measured,
    ...{ largestPage, fragments, known, isConstant: true },
  };
  const root = schema.getRootType(operation.operation) ?? undefined;
  const size = ofSelections(measurement, operation.selectionSet, root);
  return { ...size, isConstant: measurement.isConstant };
}

function ofSelections(
  measurement: Measurement,
  set: SelectionSetNode,
  type: GraphQLNamedType | undefined,
): Size {
  const { schema } = measurement;
  let { depth, cost, rootFields } = nothing;
  for (const selection of set.selections) {
    const size =
      selection.kind === Kind.FIELD
        ? ofField(measurement, selection, type)
        : selection.kind === Kind.FRAGMENT_SPREAD
          ? ofFragment(measurement, selection.name.value)
          : ofSelections(
              measurement,
              selection.selectionSet,
              selection.typeCondition ? schema.getType(selection.typeCondition.name.value) : type,
            );
    depth = Math.max(depth, size.depth);
    cost += size.cost;
    rootFields += size.rootFields;
  }
  return { depth, cost, rootFields };
}

function ofFragment(measurement: Measurement, name: string): Size {
  const { schema, known, fragments } = measurement;
  const before = known.get(name);
  if (before) return before;
  known.set(name, nothing); // A cycle ends here; validation reports it.
  const fragment = fragments.get(name);
  if (!fragment) return nothing;
  const type = schema.getType(fragment.typeCondition.name.value);
  const size = ofSelections(measurement, fragment.selectionSet, type);
  known.set(name, size);
  return size;
}

function ofField(
  measurement: Measurement,
  node: FieldNode,
  parent: GraphQLNamedType | undefined,
): Size {
  // Introspection is as large as the schema; graphql-js limits its depth.
  if (node.name.value.startsWith('__')) return { depth: 1, cost: 1, rootFields: 1 };
  if (!node.selectionSet) return { depth: 1, cost: 1, rootFields: 1 };
  const field =
    isObjectType(parent) || isInterfaceType(parent)
      ? parent.getFields()[node.name.value]
      : undefined;
  const inner = ofSelections(measurement, node.selectionSet, field && getNamedType(field.type));
  const entries = field ? entriesOf(measurement, node, { field, parent }) : 1;
  return { depth: inner.depth + 1, cost: 1 + entries * inner.cost, rootFields: 1 };
}

function entriesOf(
  measurement: Measurement,
  node: FieldNode,
  {
    field,
    parent,
  }: { field: GraphQLField<unknown, unknown>; parent: GraphQLNamedType | undefined },
): number {
  const argumentOf = (name: string): unknown => {
    const argument = node.arguments?.find((each) => each.name.value === name);
    return argument && plain(measurement, argument.value);
  };
  const numberOf = (name: string): number | null => {
    const value = argumentOf(name);
    return typeof value === 'number' ? value : null;
  };
  if (field.args.some(({ name }) => name === 'first')) {
    const asked = numberOf('first') ?? numberOf('last') ?? usualPage;
    return Math.min(Math.max(asked, 1), measurement.largestPage);
  }
  const type = getNullableType(field.type);
  if (!isListType(type) || parent?.name.endsWith('Connection')) return 1;
  const ids = argumentOf('ids');
  return Array.isArray(ids) ? ids.length : usualEntries;
}

function plain(measurement: Measurement, value: ValueNode): unknown {
  if (value.kind === Kind.INT) return Number(value.value);
  if (value.kind === Kind.LIST) return value.values;
  if (value.kind !== Kind.VARIABLE) return undefined;
  const { operation, variables } = measurement;
  measurement.isConstant = false;
  const name = value.name.value;
  if (variables[name] !== undefined) return variables[name];
  const definition = operation.variableDefinitions?.find((v) => v.variable.name.value === name);
  return definition?.defaultValue && plain(measurement, definition.defaultValue);
}
