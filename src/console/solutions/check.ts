/** Checks a document while it is typed: its syntax, its shape and the rules that need no server. */
import { JsonFault, type Parsed, type Place, parseJson, placeAt } from './json-map.ts';

export interface PlacedIssue extends Place {
  readonly path: string;
  readonly message: string;
  readonly offset: number;
}

export interface Checked {
  readonly text: string;
  /** Undefined: the text is no JSON. */
  readonly parsed: Parsed | undefined;
  readonly issues: readonly PlacedIssue[];
}

/** The rules are loaded with the first document. */
const loadRules = () => import('../../lifecycle/solution-rules.ts');

/** A request has 1 MiB at most, and a character at least one byte. */
const mostCharacters = 1024 * 1024;

export async function checkDocument(text: string): Promise<Checked> {
  if (text.length > mostCharacters) {
    const message = `The document has ${text.length.toLocaleString('en')} characters; the API takes 1 MiB.`;
    const issue = { line: 1, column: 1, offset: 0, path: '', message };
    return { text, parsed: undefined, issues: [issue] };
  }
  const at = (offset: number, path: string, message: string): PlacedIssue => ({
    ...placeAt(text, offset),
    ...{ offset, path, message },
  });
  try {
    const parsed = parseJson(text);
    const { solutionFaults } = await loadRules();
    // A pattern may take for ever to match: the server matches defaults, in bounded time, at the publication.
    const faults = solutionFaults(parsed.value, () => undefined);
    const issues = [
      ...parsed.doubles.map(({ path, offset }) =>
        at(offset, path, 'is there twice; the last one counts'),
      ),
      ...faults.map(({ path, message }) => at(parsed.placeOf(path), path, message)),
    ];
    return { text, parsed, issues: issues.sort((a, b) => a.offset - b.offset) };
  } catch (error) {
    if (!(error instanceof JsonFault)) throw error;
    return { text, parsed: undefined, issues: [at(error.offset, '', error.message)] };
  }
}

/** The document with its defaults. */
export async function withDefaults(definition: unknown): Promise<unknown> {
  const rules = await loadRules();
  return rules.withDefaults(definition);
}

export const textOf = (definition: unknown): string => JSON.stringify(definition, null, 2);
