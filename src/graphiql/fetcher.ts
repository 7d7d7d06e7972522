/**
 * How GraphiQL sends an operation: queries and mutations by POST, subscriptions over the WebSocket. GraphiQL
 * writes an answer into the tab in front, and drops it once another operation was run: such an answer is kept
 * for the tab that asked.
 */
import { type Fetcher, type FetcherParams, formatError, formatResult } from '@graphiql/toolkit';
import {
  buildSchema,
  type ExecutionResult,
  introspectionFromSchema,
  type OperationDefinitionNode,
  parse,
} from 'graphql';
import type { PageState } from './page-state.ts';

export function createFetcher(pageState: PageState): Fetcher {
  let newestRun = 0;
  const newestRunOf = new Map<string, number>();
  return async (params, options) => {
    const operation = operationOf(params);
    const operationName = operation ? operation.name?.value : (params.operationName ?? undefined);
    const { tabId } = pageState;
    if (operation?.operation === 'subscription') {
      newestRunOf.set(tabId, ++newestRun);
      const { query, variables } = params;
      const stream = pageState.streams.start(
        tabId,
        { query, variables, operationName },
        pageState.schema,
      );
      pageState.show(tabId, { shows: 'EVENTS', streamId: stream.id });
      // GraphiQL ends its own subscriptions whenever another operation runs: it gets none.
      return { data: null };
    }
    if (params.operationName === 'IntrospectionQuery') return readSchema(options?.headers);
    const sending = post({ ...params, operationName }, options?.headers);
    const run = ++newestRun;
    newestRunOf.set(tabId, run);
    const isAsked = () => newestRunOf.get(tabId) === run;
    const isInFront = () => pageState.tabId === tabId && newestRun === run;
    try {
      const result = await sending;
      if (!isAsked()) return nothing();
      const late = isInFront() ? null : formatResult(result);
      pageState.show(tabId, { shows: 'RESPONSE', answer: { params, result }, late });
      return late === null ? result : nothing();
    } catch (error) {
      if (isAsked() && isInFront()) throw error;
      if (isAsked()) pageState.show(tabId, { shows: 'RESPONSE', late: formatError(error) });
      return nothing();
    }
  };
}

/** An answer that GraphiQL shows nowhere. */
async function* nothing(): AsyncGenerator<never> {}

/**
 * The operation that is to run: the one with the name, else the first. A tab that has just been opened has the
 * name of the tab before. Undefined: there is none, and the server explains why.
 */
function operationOf({ query, operationName }: FetcherParams) {
  try {
    const operations = parse(query).definitions.filter(
      (each): each is OperationDefinitionNode => each.kind === 'OperationDefinition',
    );
    return operations.find(({ name }) => name?.value === operationName) ?? operations[0];
  } catch {
    return undefined;
  }
}

/** The answer to the introspection: from the printed schema, which is a tenth of it over the wire. */
async function readSchema(headers?: Record<string, string>): Promise<ExecutionResult> {
  const response = await fetch('/schema.graphql', { headers });
  if (!response.ok) return response.json();
  const schema = buildSchema(await response.text(), { assumeValid: true });
  return { data: { ...introspectionFromSchema(schema) } };
}

export async function post(params: FetcherParams, headers?: Record<string, string>) {
  const response = await fetch('/graphql', {
    method: 'POST',
    headers: { 'content-type': 'application/json', accept: 'application/json', ...headers },
    body: JSON.stringify(params),
  });
  return response.json();
}
