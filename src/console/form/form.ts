/** A form that saves by one mutation: what was typed, what is wrong with it, and the request under way. */
import { effect, type Signal, signal } from '@preact/signals';
import { newIdempotencyKey, RequestError, request } from '../app/connection.ts';

/** One thing that is wrong with an input, at its path from the input down. */
export interface Issue {
  readonly path: string;
  readonly message: string;
}

export interface Mutation {
  /** `createHost`. */
  readonly field: string;
  /** `CreateHostInput`. */
  readonly input: string;
  /** What is read of what was saved: `... on HostSaved { host { key } }`. */
  readonly saved: string;
}

export interface Form<Values extends object> {
  /** Part of the ids of its fields: unique on the page. */
  readonly name: string;
  readonly values: Signal<Values>;
  readonly issues: Signal<readonly Issue[]>;
  /** Why there is no answer. What was typed is kept, and a repeat is the same request. */
  readonly failure: Signal<string | null>;
  readonly isSending: Signal<boolean>;
  /** Grows with each refusal, so that its summary takes the focus. */
  readonly refusals: Signal<number>;
  set<Name extends keyof Values>(name: Name, value: Values[Name]): void;
  /**
   * Sends the input. `wording` says for people what the server says for programs, at the same fields.
   * @returns what was saved; null: refused, or not answered
   */
  send<Saved>(mutation: Mutation, input: object, wording?: readonly Issue[]): Promise<Saved | null>;
  /** Shows why a request before it has no answer. */
  fail(error: unknown): void;
  /** Empties it. */
  reset(): void;
}

interface Outcome {
  readonly __typename: string;
  readonly message?: string;
  readonly path?: string | null;
  readonly issues?: readonly Issue[];
}

const refused = `... on UserError { message } ... on Conflict { path }
  ... on InvalidInput { issues { path message } }`;

/**
 * A form whose values survive the loading of the page anew, in this window.
 *
 * @param kept what of the values is written down for that: no secrets
 */
export function createForm<Values extends object>(
  name: string,
  initial: () => Values,
  kept: (values: Values) => Values = (values) => values,
) {
  let sent = { body: '', key: '' };
  const place = `form ${name}`;
  const form: Form<Values> = {
    name,
    values: signal({ ...initial(), ...readKept<Values>(place) }),
    issues: signal<readonly Issue[]>([]),
    failure: signal<string | null>(null),
    isSending: signal(false),
    refusals: signal(0),
    set(field, value) {
      form.values.value = { ...form.values.peek(), [field]: value };
    },
    async send<Saved>({ field, input: type, saved }: Mutation, input: object, wording = []) {
      const body = JSON.stringify([field, input]);
      if (sent.body !== body) sent = { body, key: newIdempotencyKey() };
      form.isSending.value = true;
      form.failure.value = null;
      try {
        const document = `mutation ($input: ${type}!) {
          ${field}(input: $input) { __typename ${saved} ${refused} } }`;
        const data = await request<Record<string, Outcome | null>>(document, {
          input: { ...input, idempotencyKey: sent.key },
        });
        const found = issuesOf(data[field]).map(
          (issue) => wording.find(({ path }) => path === issue.path) ?? issue,
        );
        form.issues.value = found;
        if (found.length === 0) return data[field] as Saved;
      } catch (error) {
        form.fail(error);
        return null;
      } finally {
        form.isSending.value = false;
      }
      form.refusals.value += 1;
      return null;
    },
    fail(error) {
      form.issues.value = [];
      form.failure.value = failureOf(error);
      form.refusals.value += 1;
    },
    reset() {
      sent = { body: '', key: '' };
      form.values.value = initial();
      form.issues.value = [];
      form.failure.value = null;
    },
  };
  effect(() => {
    const text = JSON.stringify(kept(form.values.value));
    if (text === JSON.stringify(initial())) sessionStorage.removeItem(place);
    else sessionStorage.setItem(place, text);
  });
  return form;
}

/** What was written down before the page was loaded anew. */
export function readKept<Values extends object>(place: string): Partial<Values> {
  try {
    return JSON.parse(sessionStorage.getItem(place) ?? '{}');
  } catch {
    return {};
  }
}

/** Why a request has no answer, and what to do. */
export function failureOf(error: unknown): string {
  if (!(error instanceof RequestError)) throw error;
  const isUnknown = error.code === 'UNREACHABLE' || error.code === 'UNAVAILABLE';
  return isUnknown
    ? 'No answer came, so it may have been done or not. Nothing of the form is lost: send it again, it is done once at most.'
    : error.message;
}

function issuesOf(outcome: Outcome | null | undefined): readonly Issue[] {
  if (!outcome) return [{ path: '', message: 'The server answered nothing. Try again.' }];
  if (outcome.issues) return outcome.issues;
  if (outcome.message === undefined) return [];
  return [{ path: outcome.path ?? '', message: outcome.message }];
}

/** The id of the field of a path, within its form. */
export const fieldId = (form: { readonly name: string }, path: string): string =>
  `${form.name}-${path.replaceAll('.', '-')}`;

/** What is wrong at a path. */
export function messageAt(issues: readonly Issue[], path: string): string | undefined {
  const found = issues.filter((issue) => issue.path === path);
  return found.length > 0 ? found.map(({ message }) => sentence(message)).join(' ') : undefined;
}

/** Messages about documents begin in lower case, for they follow a path elsewhere. */
export const sentence = (message: string): string =>
  `${message.charAt(0).toUpperCase()}${message.slice(1)}${/[.!?:]$/.test(message) ? '' : '.'}`;
