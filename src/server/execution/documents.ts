/** Documents, parsed and validated once per text. */
import {
  type DocumentNode,
  GraphQLError,
  type GraphQLSchema,
  Lexer,
  parse,
  Source,
  specifiedRules,
  TokenKind,
  type ValidationRule,
  validate,
} from 'graphql';
import { LRUCache } from 'lru-cache';
import { refusedRequest, withCode } from '../wire/request-error.ts';

export type Checked =
  | { readonly document: DocumentNode }
  | { readonly errors: readonly GraphQLError[] };

export interface Documents {
  /** The result of an earlier validation of the same text. */
  known(query: string): Checked | undefined;
  parse(query: string): Checked;
  /** Validation by graphql-js. */
  validate(query: string, document: DocumentNode): Checked;
}

/** As in the next version of the specification: the field of a subscription is unconditional. */
const unconditionalSubscription: ValidationRule = (context) => ({
  OperationDefinition({ operation, selectionSet }) {
    if (operation !== 'subscription') return;
    for (const { directives = [] } of selectionSet.selections) {
      const nodes = directives.filter(({ name }) => ['skip', 'include'].includes(name.value));
      if (nodes.length > 0)
        context.reportError(
          new GraphQLError('The field of a subscription takes neither @skip nor @include.', {
            nodes,
          }),
        );
    }
  },
});
const rules = [...specifiedRules, unconditionalSubscription];

/** Documents kept with the result of their validation; a longer one is validated each time. */
const keptDocuments = 500;
const longestKept = 20_000;

/** Parses and validates documents up to this number of tokens. */
export function createDocuments(schema: GraphQLSchema, tokens: number): Documents {
  const validated = new LRUCache<string, Checked>({ max: keptDocuments });
  return {
    known: (query) => validated.get(query),
    parse(query) {
      try {
        return { document: parse(query, { maxTokens: tokens }) };
      } catch (error) {
        if (!(error instanceof GraphQLError)) throw error;
        if (error.positions?.[0] !== startOfToken(query, tokens + 1))
          return { errors: withCode([error], 'GRAPHQL_PARSE_FAILED') };
        const message = `More than ${tokens} tokens. Send several documents, and values as variables.`;
        return { errors: [refusedRequest('QUERY_TOO_COMPLEX', message)] };
      }
    },
    validate(query, document) {
      const before = validated.get(query);
      if (before) return before;
      const errors = validate(schema, document, rules);
      const checked =
        errors.length > 0
          ? { errors: withCode(errors, 'GRAPHQL_VALIDATION_FAILED') }
          : { document };
      if (query.length <= longestKept) validated.set(query, checked);
      return checked;
    },
  };
}

/** Where the n-th token of a text begins; null if there are fewer. */
function startOfToken(text: string, n: number): number | null {
  const lexer = new Lexer(new Source(text));
  try {
    for (let count = 0; count < n; count += 1)
      if (lexer.advance().kind === TokenKind.EOF) return null;
  } catch {
    return null; // No token begins there.
  }
  return lexer.token.start;
}
