/** Documents, parsed and validated once per text. */
import {
  type DocumentNode,
  GraphQLError,
  type GraphQLSchema,
  parse,
  specifiedRules,
  type ValidationRule,
  validate,
} from 'graphql';
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

/** Documents kept with the result of their validation; the first stored is dropped first. */
const keptDocuments = 500;
const largestKept = 20_000;

/** Parses and validates documents up to this number of tokens. */
export function createDocuments(schema: GraphQLSchema, tokens: number): Documents {
  const validated = new Map<string, Checked>();
  return {
    known: (query) => validated.get(query),
    parse(query) {
      try {
        return { document: parse(query, { maxTokens: tokens }) };
      } catch (error) {
        if (!(error instanceof GraphQLError)) throw error;
        if (!error.message.includes(`more that ${tokens} tokens`))
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
      if (query.length <= largestKept) validated.set(query, checked);
      for (const [oldest] of validated) {
        if (validated.size <= keptDocuments) break;
        validated.delete(oldest);
      }
      return checked;
    },
  };
}
