/** Query, then subscribe: the subscription that goes on from the position of a query's answer. */
import {
  type FieldNode,
  Kind,
  type OperationDefinitionNode,
  parse,
  print,
  type ValueNode,
} from 'graphql';
import type { Answer } from '../page-state.ts';
import type { SubscriptionRequest } from '../stream/document.ts';

export interface FollowUp extends SubscriptionRequest {
  /** Is it an operation of the tab's own document? Else it is derived from the query. */
  readonly isOwn: boolean;
}

const derived = `subscription Follow($after: Cursor) {
  changes(after: $after) {
    __typename
    ... on Transition {
      cursor
      sequence
      at
      fromState
      toState
      resource {
        id
        key
      }
    }
    ... on ResourceChange {
      cursor
      at
      kind
      resource {
        id
        key
        stateName
      }
    }
  }
}
`;

const derivedOf = (kind: 'instance' | 'host', value: string): string => {
  const argument = value === '' ? '' : `${kind}: ${value}, `;
  return `subscription Follow($after: Cursor) {
  ${kind}Transitions(${argument}after: $after) {
    cursor
    sequence
    at
    from
    to
    ${kind} {
      id
      key
    }
  }
}
`;
};

/** The subscription that follows an answer with `feedPosition`. Null: it has none. */
export function followUpOf({ params, result }: Answer): FollowUp | null {
  const after = (result as { data?: { feedPosition?: unknown } } | null)?.data?.feedPosition;
  if (typeof after !== 'string') return null;
  const variables = { ...params.variables, after };
  const operations = parse(params.query).definitions.filter(
    (each): each is OperationDefinitionNode => each.kind === Kind.OPERATION_DEFINITION,
  );
  const own = operations.find(takesCursor);
  if (own) return { query: params.query, operationName: own.name?.value, variables, isOwn: true };
  const query = operations.find(
    ({ name }) => params.operationName == null || name?.value === params.operationName,
  );
  return { query: subscriptionFor(query, variables), variables: { after }, isOwn: false };
}

function takesCursor({ operation, variableDefinitions = [] }: OperationDefinitionNode): boolean {
  return (
    operation === 'subscription' &&
    variableDefinitions.some(({ variable }) => variable.name.value === 'after')
  );
}

/** What changes of what the query shows: of its one instance or host, of all of a kind, or of everything. */
function subscriptionFor(
  query: OperationDefinitionNode | undefined,
  variables: Readonly<Record<string, unknown>>,
): string {
  const fields = (query?.selectionSet.selections ?? []).filter(
    (each): each is FieldNode => each.kind === Kind.FIELD && each.name.value !== 'feedPosition',
  );
  const [field, ...others] = fields;
  if (!field || others.length > 0) return derived;
  const name = field.name.value;
  if (name === 'instances' || name === 'hosts')
    return derivedOf(name === 'hosts' ? 'host' : 'instance', '');
  if (name !== 'instance' && name !== 'host') return derived;
  const value = field.arguments?.find((each) => each.name.value === name)?.value;
  const written = value && literal(value, variables);
  return written ? derivedOf(name, written) : derived;
}

function literal(value: ValueNode, variables: Readonly<Record<string, unknown>>): string | null {
  if (value.kind !== Kind.VARIABLE) return print(value);
  const given = variables[value.name.value];
  return given === undefined ? null : JSON.stringify(given);
}
