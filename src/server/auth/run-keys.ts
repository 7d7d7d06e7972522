/** What the key of a run may request: the operations of the runtime, and nothing below them. */
import {
  type DocumentNode,
  type GraphQLError,
  type GraphQLSchema,
  getNamedType,
  isCompositeType,
  TypeInfo,
  visit,
  visitWithTypeInfo,
} from 'graphql';
import { refusedRequest } from '../wire/request-error.ts';

const rootFields: Readonly<Record<string, readonly string[]>> = {
  Query: ['__typename', 'runtimeDeviceValues'],
  Mutation: [
    '__typename',
    'completeRuntimeCommand',
    'reportRuntime',
    'reportDeviceValues',
    'reportLogs',
  ],
  Subscription: ['__typename', 'runtimeCommands', 'runtimeLogWatch'],
};

/** Fields below the root whose subfields may be selected. */
const innerFields = [
  'RuntimeCommandCompleted.command',
  'RuntimeReportAccepted.instance',
  'RuntimeReportAccepted.limits',
  'InvalidInput.issues',
];

/** Why the key of a run may not execute this document; empty if it may. */
export function refusedToRuns(schema: GraphQLSchema, document: DocumentNode): GraphQLError[] {
  const refused = new Set<string>();
  const types = new TypeInfo(schema);
  visit(
    document,
    visitWithTypeInfo(types, {
      Field({ name: { value: name } }) {
        const parent = types.getParentType()?.name ?? '?';
        const type = types.getType();
        const allowed = rootFields[parent];
        const mayBe = allowed
          ? allowed.includes(name)
          : name === '__typename' ||
            (!name.startsWith('__') &&
              (!type ||
                !isCompositeType(getNamedType(type)) ||
                innerFields.includes(`${parent}.${name}`)));
        if (!mayBe) refused.add(`${parent}.${name}`);
      },
    }),
  );
  return [...refused]
    .slice(0, 5)
    .map((field) =>
      refusedRequest(
        'FORBIDDEN',
        `The key of a run may not ask for ${field}; it is for the runtime's own operations alone.`,
      ),
    );
}
