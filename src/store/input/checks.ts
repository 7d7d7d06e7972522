/** Checks of the fields of an input. Each adds what is wrong to `Problems`; none throws. */
import { isImageName, isTagName } from '../../lifecycle/image-name.ts';
import { checkSolution } from '../../lifecycle/solution.ts';
import type { CommonInput, Problems } from './save-result.ts';

/** A label as the API takes it. */
export interface LabelInput {
  readonly name: string;
  readonly value: string;
}

const keyPattern = /^[a-z][a-z0-9-]{1,62}$/;
const idPattern = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;
const labelPattern = /^[a-z][a-z0-9-./]{0,62}$/;
/** Control characters, half characters, and those that turn the direction of the text around. */
const unprintable = /[\p{Cc}\p{Surrogate}\u2028\u2029\u202a-\u202e\u2066-\u2069]/u;
/** A character that can be seen. Blank are braille 2800 and the null notehead, too. */
const visible = /[^\p{White_Space}\p{Default_Ignorable_Code_Point}\p{Cc}\u2800\u{1d159}]/u;
const limits = { name: 200, description: 2000, labels: 50, labelValue: 200, reason: 500 };

/** Is it an id rather than a key? */
export const isId = (reference: string): boolean => idPattern.test(reference);

/** Is a reference given, valid or not? */
export const isText = (given: unknown): given is string => typeof given === 'string';

/** Has it the form of a key? */
export const isKey = (reference: string): boolean => keyPattern.test(reference);

/** The key of a new resource. */
export function checkKey(problems: Problems, key: string): void {
  if (!isKey(key)) {
    problems.issue(
      'key',
      'A key begins with a letter a to z and goes on with 1 to 62 letters a to z, digits and hyphens.',
    );
  } else if (isId(key)) problems.issue('key', 'A key must not look like an id: choose a word.');
}

/** Name and description, where they are given. */
export function checkTexts(
  problems: Problems,
  { name, description }: { name?: string | null; description?: string | null },
): void {
  if (typeof name === 'string') {
    checkLine(problems, name, { path: 'name', most: limits.name });
    if (name === '') problems.issue('name', 'The name is empty: null takes the key.');
  }
  if (typeof description === 'string') {
    if (length(description) > limits.description) {
      problems.issue('description', tooLong(limits.description, description));
    }
    if (unprintable.test(description.replace(/[\n\r\t]/g, ' '))) {
      problems.issue('description', 'Control characters other than line breaks are not allowed.');
    }
    checkVisible(problems, description, 'description');
  }
}

/** The fields that every input has. */
export function checkCommon(problems: Problems, { idempotencyKey, reason }: CommonInput): void {
  if (typeof idempotencyKey === 'string') {
    if (idempotencyKey === '')
      problems.issue('idempotencyKey', 'Give 1 to 200 characters or none.');
    checkLine(problems, idempotencyKey, { path: 'idempotencyKey', most: 200 });
  }
  if (typeof reason === 'string') {
    checkLine(problems, reason, { path: 'reason', most: limits.reason });
  }
}

/** The labels as they are stored. */
export function checkLabels(
  problems: Problems,
  labels: readonly LabelInput[] | null | undefined,
): Record<string, string> {
  const stored = new Map<string, string>();
  const given = labels ?? [];
  if (given.length > limits.labels) {
    problems.issue('labels', `${given.length} labels are too many: give ${limits.labels} at most.`);
  }
  given.slice(0, limits.labels).forEach(({ name, value }, index) => {
    const path = `labels.${index}`;
    if (!labelPattern.test(name)) {
      problems.issue(
        `${path}.name`,
        'A name begins with a letter a to z and goes on with up to 62 letters a to z, digits, hyphens, dots and slashes.',
      );
    } else if (stored.has(name)) {
      problems.issue(`${path}.name`, `The label ${name} is there twice: give it once.`);
    }
    checkLine(problems, value, { path: `${path}.value`, most: limits.labelValue });
    stored.set(name, value);
  });
  return Object.fromEntries([...stored].sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** Fields that an update can leave out but not clear. */
export function checkNotCleared(
  problems: Problems,
  input: object,
  fields: readonly string[],
): void {
  for (const [field, value] of Object.entries(input)) {
    if (value === null && fields.includes(field)) {
      problems.issue(field, 'This can not be cleared: leave it out to keep what is there.');
    }
  }
}

/** One of a closed set of values, or undefined with a problem. */
export function checkOneOf<Value extends string>(
  problems: Problems,
  value: unknown,
  { path, values }: { path: string; values: readonly Value[] },
): Value | undefined {
  const found = values.find((one) => one === value);
  if (found === undefined) {
    const missing = value === undefined || value === null;
    problems.issue(path, `${missing ? 'Missing' : 'Unknown'}: give one of ${values.join(', ')}.`);
  }
  return found;
}

/** A solution document, of a draft or to be published, as it is stored. */
export function checkDefinition(problems: Problems, definition: unknown): Record<string, unknown> {
  const faults = checkSolution(definition);
  for (const { path, message } of faults) {
    problems.issue(path === '' ? 'definition' : `definition.${path}`, message);
  }
  return (faults.length === 0 ? definition : {}) as Record<string, unknown>;
}

function checkLine(
  problems: Problems,
  text: string,
  { path, most }: { path: string; most: number },
): void {
  if (length(text) > most) problems.issue(path, tooLong(most, text));
  if (unprintable.test(text)) problems.issue(path, 'Control characters are not allowed.');
  checkVisible(problems, text, path);
}

function checkVisible(problems: Problems, text: string, path: string): void {
  if (text !== '' && !visible.test(text))
    problems.issue(path, 'It has no character that can be seen.');
}

const length = (text: string): number => [...text].length;

const tooLong = (most: number, text: string): string =>
  `${length(text)} characters are too many: give ${most} at most.`;

/** A tag of a container image. */
export function checkTag(problems: Problems, tag: string, path: string): boolean {
  if (isTagName(tag)) return true;
  problems.issue(path, 'A tag has 1 to 128 letters, digits, _, . and -, not . or - first.');
  return false;
}

/** The name of a container image: `registry.example:5000/team/runtime`, without tag or digest. */
export function checkImage(problems: Problems, image: string): void {
  if (isImageName(image)) return;
  const last = image.split('/').at(-1) ?? '';
  problems.issue(
    'image',
    /[:@]/.test(last)
      ? 'An image is named here without its tag or digest: addContainerTag adds tags.'
      : 'Give the name of an image: registry.example/team/runtime, in lower case, 255 characters at most.',
  );
}
