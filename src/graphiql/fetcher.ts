/** How GraphiQL sends an operation: queries and mutations by POST, subscriptions over the WebSocket. */
import type { Fetcher, FetcherParams, FetcherReturnType } from '@graphiql/toolkit';
import { type OperationDefinitionNode, parse } from 'graphql';
import type { ResumingClient } from '../client/client.ts';

export function createFetcher(client: ResumingClient): Fetcher {
  return (params, options) => {
    const operation = operationOf(params);
    const operationName = operation ? operation.name?.value : params.operationName;
    if (operation?.operation !== 'subscription')
      return post({ ...params, operationName }, options?.headers);
    const { query, variables } = params;
    const events = client.iterate({ query, variables, operationName: operationName ?? undefined });
    return events as unknown as FetcherReturnType;
  };
}

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

async function post(params: FetcherParams, headers?: Record<string, string>) {
  const response = await fetch('/graphql', {
    method: 'POST',
    headers: { 'content-type': 'application/json', accept: 'application/json', ...headers },
    body: JSON.stringify(params),
  });
  return response.json();
}
