/**
 * What is sent for a subscription of an editor: its operation alone, and so that it can resume. Where the root
 * field takes a cursor and the document gives it none, `after: $after` is added. The editor's text stays.
 */
import {
  type ArgumentNode,
  type DocumentNode,
  type FieldNode,
  type GraphQLSchema,
  getNullableType,
  Kind,
  type OperationDefinitionNode,
  parse,
  parseType,
  print,
  separateOperations,
  type ValueNode,
  type VariableDefinitionNode,
  valueFromASTUntyped,
} from 'graphql';

export interface SubscriptionRequest {
  readonly query: string;
  readonly operationName?: string;
  readonly variables?: Readonly<Record<string, unknown>>;
  /** Without the cursor that the document or its variables give. */
  readonly fromNow?: boolean;
}

export interface StreamDocument {
  readonly query: string;
  readonly variables: Readonly<Record<string, unknown>>;
  /** The variable that takes the cursor. Null: the subscription cannot resume. */
  readonly cursorVariable: string | null;
  /** The same without a cursor, if it then begins with past events (`last: 2`), as is wanted at first. */
  readonly opening: string | null;
}

const cursorArgument = 'after';
const pastArgument = 'last';

/** @throws GraphQLError: it is not valid GraphQL */
export function streamDocumentOf(
  { query, operationName, variables = {}, fromNow = false }: SubscriptionRequest,
  schema: GraphQLSchema | null,
): StreamDocument {
  const { document, operation } = operationOf(query, operationName);
  const [field, ...others] = operation.selectionSet.selections;
  const plain = { query: print(document), variables, cursorVariable: null, opening: null };
  if (field?.kind !== Kind.FIELD || others.length > 0) return plain;
  const type = cursorTypeOf(field, schema);
  if (!type) return plain;

  const given = field.arguments?.find(({ name }) => name.value === cursorArgument)?.value;
  const name = given?.kind === Kind.VARIABLE ? given.name.value : freeVariable(operation);
  const start = fromNow ? null : startOf(given, operation, variables);
  const edited = (withCursor: boolean): string =>
    printWith(
      document,
      operation,
      withCursorArgument(operation, field, withCursor ? name : null, type),
    );
  const hasPast = field.arguments?.some(({ name: { value } }) => value === pastArgument) ?? false;
  const { [name]: _, ...fixed } = variables;
  return {
    query: edited(true),
    variables: start == null ? fixed : { ...fixed, [name]: start },
    cursorVariable: name,
    opening: hasPast && start == null ? edited(false) : null,
  };
}

/** The cursor of the document: written there, in its variable, or the default of that. */
function startOf(
  given: ValueNode | undefined,
  { variableDefinitions = [] }: OperationDefinitionNode,
  variables: Readonly<Record<string, unknown>>,
): unknown {
  if (given?.kind !== Kind.VARIABLE) return given && valueFromASTUntyped(given);
  const name = given.name.value;
  const { defaultValue } =
    variableDefinitions.find(({ variable }) => variable.name.value === name) ?? {};
  return name in variables || !defaultValue ? variables[name] : valueFromASTUntyped(defaultValue);
}

function operationOf(query: string, name: string | undefined) {
  const whole = parse(query);
  const found = whole.definitions.find(
    (each): each is OperationDefinitionNode =>
      each.kind === Kind.OPERATION_DEFINITION && (name === undefined || each.name?.value === name),
  );
  if (!found) throw new Error(`The document has no operation "${name}".`);
  return {
    document: separateOperations(whole)[found.name?.value ?? ''] ?? whole,
    operation: found,
  };
}

/** The type of the cursor that the field takes. Null: none, or there is no position to start at. */
function cursorTypeOf(field: FieldNode, schema: GraphQLSchema | null): string | null {
  if (!schema?.getQueryType()?.getFields().feedPosition) return null;
  const root = schema.getSubscriptionType()?.getFields()[field.name.value];
  const argument = root?.args.find(({ name }) => name === cursorArgument);
  return argument ? String(getNullableType(argument.type)) : null;
}

function freeVariable({ variableDefinitions = [] }: OperationDefinitionNode): string {
  let name = cursorArgument;
  while (variableDefinitions.some(({ variable }) => variable.name.value === name)) name += '_';
  return name;
}

/** The operation with its cursor from the variable, or without one. */
function withCursorArgument(
  operation: OperationDefinitionNode,
  field: FieldNode,
  variableName: string | null,
  type: string,
): OperationDefinitionNode {
  const given = field.arguments?.find(({ name }) => name.value === cursorArgument)?.value;
  const replaced = given?.kind === Kind.VARIABLE ? given.name.value : null;
  const rest = (field.arguments ?? []).filter(({ name }) => name.value !== cursorArgument);
  const definitions = (operation.variableDefinitions ?? []).filter(
    ({ variable }) => variable.name.value !== replaced,
  );
  const named = (value: string) => ({ kind: Kind.NAME, value }) as const;
  const added: VariableDefinitionNode[] = [];
  const argument: ArgumentNode[] = [];
  if (variableName !== null) {
    const variable = { kind: Kind.VARIABLE, name: named(variableName) } as const;
    added.push({ kind: Kind.VARIABLE_DEFINITION, variable, type: parseType(type) });
    argument.push({ kind: Kind.ARGUMENT, name: named(cursorArgument), value: variable });
  }
  return {
    ...operation,
    variableDefinitions: [...definitions, ...added],
    selectionSet: {
      ...operation.selectionSet,
      selections: [{ ...field, arguments: [...rest, ...argument] }],
    },
  };
}

function printWith(
  document: DocumentNode,
  operation: OperationDefinitionNode,
  edited: OperationDefinitionNode,
): string {
  const definitions = document.definitions.map((each) => (each === operation ? edited : each));
  return print({ ...document, definitions });
}
