/**
 * Errors of requests. Errors that the caller can act on have a code and pass; all others are
 * masked, and the log has their cause under the same request id.
 */
import { GraphQLError, type GraphQLErrorExtensions, type OperationTypeNode } from 'graphql';
import type { Logger } from 'pino';
import { describeError, isConnectionError } from '../../store/database/sql-error.ts';

const statusOf = {
  BAD_REQUEST: 400,
  BAD_USER_INPUT: 400,
  GRAPHQL_PARSE_FAILED: 400,
  GRAPHQL_VALIDATION_FAILED: 400,
  QUERY_TOO_COMPLEX: 400,
  UNAUTHENTICATED: 401,
  FORBIDDEN: 403,
  NOT_FOUND: 404,
  METHOD_NOT_ALLOWED: 405,
  NOT_ACCEPTABLE: 406,
  PAYLOAD_TOO_LARGE: 413,
  UNSUPPORTED_MEDIA_TYPE: 415,
  MISDIRECTED_REQUEST: 421,
  RATE_LIMITED: 429,
  INTERNAL: 500,
  UNAVAILABLE: 503,
} as const;
export type RequestErrorCode = keyof typeof statusOf;

/** Codes that set the status of a response of media type application/json too. */
const always: readonly RequestErrorCode[] = [
  'BAD_REQUEST',
  'UNAUTHENTICATED',
  'FORBIDDEN',
  'METHOD_NOT_ALLOWED',
  'NOT_ACCEPTABLE',
  'PAYLOAD_TOO_LARGE',
  'RATE_LIMITED',
];

/** An error about the whole request; nothing of it was executed. */
export function refusedRequest(
  code: RequestErrorCode,
  message: string,
  extensions: Record<string, unknown> = {},
): GraphQLError {
  return new GraphQLError(message, {
    extensions: { ...extensions, code, http: httpOf(code) },
  });
}

const httpOf = (code: RequestErrorCode) => ({
  status: statusOf[code],
  spec: !always.includes(code),
});

export const statusOfCode = (code: RequestErrorCode): number => statusOf[code];

/** Adds a code to errors of graphql-js about a document. */
export function withCode(errors: readonly GraphQLError[], code: RequestErrorCode): GraphQLError[] {
  return errors.map((error) => {
    if (typeof error.extensions.code === 'string') return error;
    const { message, nodes, source, positions, path, originalError } = error;
    const extensions = { ...error.extensions, code, http: httpOf(code) };
    return new GraphQLError(message, { nodes, source, positions, path, originalError, extensions });
  });
}

export interface RequestLog {
  readonly requestId: string;
  readonly log: Logger;
  /** The kind of operation, if one was selected. */
  readonly operation?: `${OperationTypeNode}`;
}

/** What to do if the connection to the database failed, rather than the request. */
export function unavailable(operation?: RequestLog['operation']): string {
  const cause = 'The database cannot be reached just now.';
  return operation === 'mutation'
    ? `${cause} This may have been done, or not: repeat it with the same idempotencyKey; without one, look first.`
    : `${cause} Ask again in a moment.`;
}

/** The error as its caller may see it. */
export function maskError(error: unknown, request: RequestLog): GraphQLError {
  const { requestId, log, operation } = request;
  const cause = rootOf(error);
  const isAway = isConnectionError(cause);
  if (error instanceof GraphQLError) {
    if (typeof error.extensions.code === 'string') return error;
    if (!isAway && isAboutInput(error))
      return withCode([error], 'BAD_USER_INPUT')[0] as GraphQLError;
  }
  const located = error instanceof GraphQLError ? error : undefined;
  log.error(
    { requestId, path: located?.path?.join('.'), error: describeError(cause) },
    'A request failed.',
  );
  const message = isAway
    ? unavailable(operation)
    : `Something went wrong here. The log of the server has the cause under request ${requestId}.`;
  const code: RequestErrorCode = isAway ? 'UNAVAILABLE' : 'INTERNAL';
  return new GraphQLError(message, {
    nodes: located?.nodes,
    path: located?.path,
    extensions: { code, requestId },
  });
}

/** Removes from an error what is meant for the HTTP layer alone. */
export function toPlainError(error: GraphQLError): ReturnType<GraphQLError['toJSON']> {
  const { http: _, ...extensions } = error.toJSON().extensions ?? {};
  return { ...error.toJSON(), extensions: extensions as GraphQLErrorExtensions };
}

/**
 * Was the error caused by the input of the caller? Errors about variables have no path; those about
 * arguments name the node of the argument.
 */
function isAboutInput(error: GraphQLError): boolean {
  if (!error.path) return true;
  const original = error.originalError;
  return original instanceof GraphQLError && original.nodes !== undefined && !original.path;
}

function rootOf(error: unknown): unknown {
  return error instanceof GraphQLError && error.originalError ? rootOf(error.originalError) : error;
}
