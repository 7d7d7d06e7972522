/** From a request to an operation that may be executed: parse, the requester's rights, limits, validation. */
import {
  type GraphQLError,
  type GraphQLSchema,
  getOperationAST,
  type OperationDefinitionNode,
} from 'graphql';
import type { Logger } from 'pino';
import type { ServerLimits } from '../../api/base/limits.ts';
import type { Viewer } from '../../api/base/viewer.ts';
import { refusedToRuns } from '../auth/run-keys.ts';
import { maskError, refusedRequest } from '../wire/request-error.ts';
import { createDocuments } from './documents.ts';
import { createLimits } from './limits.ts';
import type { OperationRequest, Prepared, Requester } from './request.ts';

export interface PrepareOptions {
  readonly schema: GraphQLSchema;
  readonly limits: ServerLimits;
  /** Called for each request, and again for each event of a subscription. */
  readonly createContext: (viewer: Viewer, request: Requester) => object;
  readonly log: Logger;
}

/** The operation, or why it is refused. */
export type Prepare = (
  request: OperationRequest,
  requester: Requester,
) => Prepared | readonly GraphQLError[];

export function createPrepare({ schema, limits, createContext, log }: PrepareOptions): Prepare {
  const documents = createDocuments(schema, limits.tokens);
  const exceededLimits = createLimits(limits);

  const prepare: Prepare = (request, requester) => {
    const query = request.query ?? '';
    const known = documents.known(query);
    const read = known ?? documents.parse(query);
    if ('errors' in read) return read.errors;
    const { document } = read;
    const operation = getOperationAST(document, request.operationName);
    if (!operation) return [noOperation(request.operationName)];
    const refused = refusalOf(operation, requester);
    if (refused) return [refused];
    if (requester.viewer.kind === 'RUN') {
      const forbidden = refusedToRuns(schema, document);
      if (forbidden.length > 0) return forbidden;
    }
    const variables = request.variables ?? {};
    const exceeded = exceededLimits({ schema, document, operation, variables });
    if (exceeded.length > 0) return exceeded;
    const checked = known ?? documents.validate(query, document);
    if ('errors' in checked) return checked.errors;
    return {
      schema,
      document,
      operation,
      operationName: request.operationName ?? undefined,
      variableValues: variables,
      contextValue: createContext(requester.viewer, requester),
      requester,
    };
  };

  return (request, requester) => {
    try {
      return prepare(request, requester);
    } catch (error) {
      return [maskError(error, { requestId: requester.requestId, log })];
    }
  };
}

function noOperation(operationName: string | null | undefined): GraphQLError {
  const message = operationName
    ? `The document has no operation ${JSON.stringify(operationName)}.`
    : 'The document must have one operation, or operationName must say which one is meant.';
  return refusedRequest('BAD_REQUEST', message);
}

/** Why the transport of the requester cannot carry this kind of operation. */
function refusalOf(
  { operation }: OperationDefinitionNode,
  requester: Requester,
): GraphQLError | null {
  if (requester.method === 'GET' && operation === 'mutation')
    return refusedRequest('METHOD_NOT_ALLOWED', 'Mutations run over POST and WebSocket alone.');
  if (requester.transport === 'HTTP' && operation === 'subscription')
    return refusedRequest(
      'BAD_REQUEST',
      'A subscription takes a WebSocket (graphql-transport-ws) or Accept: text/event-stream.',
    );
  return null;
}
